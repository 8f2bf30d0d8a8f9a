import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { TestCamera, TestSegment } from './sealed-recording.js';

/**
 * Writes segments of one recording below `root` the way a store or a card holds them, certificate included. Returns
 * the directory of the recording.
 */
export async function writeSegments(
  root: string,
  camera: TestCamera,
  segments: readonly TestSegment[],
): Promise<string> {
  let recording = root;
  for (const { ref, ciphertext, leaves, heads, meta, manifest } of segments) {
    recording = path.join(root, `${ref.boot}`, `${ref.rec}`);
    await mkdir(recording, { recursive: true });
    await writeFile(
      path.join(root, `${ref.boot}`, 'session.dsse'),
      camera.sessions.get(ref.boot) ?? '',
    );
    const files = {
      age: ciphertext,
      leaves,
      heads,
      'meta.age': meta,
      dsse: manifest,
    };
    for (const [end, content] of Object.entries(files)) {
      await writeFile(path.join(recording, `${ref.seq}.${end}`), content);
    }
  }
  return recording;
}

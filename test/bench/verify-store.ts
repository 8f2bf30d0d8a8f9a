import { mkdir, open, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { LEAF_BYTES } from '../../src/evidence/age-container.js';
import { TAG_BYTES } from '../../src/evidence/age-header.js';
import { formatEnvelopeFile, payloadDigest } from '../../src/evidence/dsse.js';
import { NO_DIGEST } from '../../src/evidence/fields.js';
import { sealManifest } from '../../src/evidence/manifest.js';
import { Frontier, leafHash, sha256Hex } from '../../src/evidence/merkle-tree.js';
import { SegmentSealer } from '../../src/evidence/segment-sealer.js';
import type { TestCamera } from '../support/sealed-recording.js';
import { sessionOf } from '../support/sealed-recording.js';

const BOOT = 17;
const TICKS = 90_000;
const SECONDS = 60;

/** How a store is made: how many segments, how large, and whether its chunks are holes in a sparse file. */
export interface StorePlan {
  readonly segments: number;
  readonly bytes: number;
  readonly isSparse: boolean;
}

interface Ciphertext {
  readonly size: number;
  readonly head: number;
  readonly n: number;
  readonly root: string;
  readonly leaves: Buffer;
}

/** Chunks of zeros: nobody can decrypt them, but a verifier without the key reads and hashes them like any others. */
async function writeSparse(file: string, head: Buffer, bytes: number): Promise<Ciphertext> {
  const chunks = Math.max(1, Math.floor(bytes / LEAF_BYTES));
  const zero = leafHash(Buffer.alloc(LEAF_BYTES));
  const leaves = [leafHash(head), ...Array.from({ length: chunks }, () => zero)];
  const tree = new Frontier();
  for (const leaf of leaves) tree.push(leaf);
  const size = head.length + chunks * LEAF_BYTES;
  const handle = await open(file, 'wx');
  await handle.write(head);
  await handle.truncate(size);
  await handle.close();
  const root = tree.root().toString('hex');
  return { size, head: head.length, n: leaves.length, root, leaves: Buffer.concat(leaves) };
}

async function writeSealed(
  file: string,
  camera: TestCamera,
  bytes: number,
  piece: Buffer,
): Promise<Ciphertext> {
  const sealer = new SegmentSealer({ recipients: camera.recipients });
  const hashes: Buffer[] = [];
  const handle = await open(file, 'wx');
  const write = async (leaves: readonly { bytes: Buffer; hash: Buffer }[]): Promise<void> => {
    for (const leaf of leaves) {
      hashes.push(leaf.hash);
      await handle.write(leaf.bytes);
    }
  };
  await write(sealer.start());
  for (let at = 0; at < bytes; at += piece.length) await write(sealer.push([piece]));
  await write(sealer.end());
  await handle.close();
  const { size, head, n, root } = sealer.file();
  return { size, head, n, root: root.toString('hex'), leaves: Buffer.concat(hashes) };
}

/** Writes one whole recording of sealed segments below `root`; returns its ciphertext files. */
export async function writeStore(
  root: string,
  camera: TestCamera,
  plan: StorePlan,
  piece: Buffer,
): Promise<readonly string[]> {
  const session = sessionOf(camera, BOOT);
  const recording = path.join(root, `${BOOT}`, '1');
  await mkdir(recording, { recursive: true });
  await writeFile(path.join(root, `${BOOT}`, 'session.dsse'), camera.sessions.get(BOOT) ?? '');
  const files: string[] = [];
  let prev = NO_DIGEST;
  for (let seq = 0; seq < plan.segments; seq += 1) {
    const stem = path.join(recording, `${seq}`);
    const file = `${stem}.age`;
    const head = new SegmentSealer({ recipients: camera.recipients }).start()[0]?.bytes;
    const { leaves, ...written } = plan.isSparse
      ? await writeSparse(file, head ?? Buffer.alloc(0), plan.bytes)
      : await writeSealed(file, camera, plan.bytes, piece);
    const plainSize = written.size - written.head - (written.n - 1) * TAG_BYTES;
    const media = { codec: 'avc1.42c01f', width: 1280, height: 720, run: 1, gap_before_ms: 0 };
    const envelope = sealManifest(
      {
        ...{ device: camera.device, boot: BOOT, rec: 1, seq, key: session.keyId, sealed_by: BOOT },
        ...{ last: seq === plan.segments - 1, prev, meta: null, pre_event: null, recovered: null },
        file: { ...written, leaf: LEAF_BYTES },
        plain: { size: plainSize, root: sha256Hex() },
        media: {
          ...media,
          start90k: seq * SECONDS * TICKS,
          duration90k: SECONDS * TICKS,
          frames: SECONDS * 30,
        },
        fragments: Array.from({ length: SECONDS }, (_, n) => [
          n * TICKS,
          100 + n * Math.floor(plainSize / SECONDS),
        ]),
        ...{ end: 'normal', mono: [seq * 60_000, (seq + 1) * 60_000] },
        time: { source: 'gnss', uncertainty_ms: 20 },
        ...{ cfg: sha256Hex(), fw: sha256Hex() },
      },
      session,
    );
    prev = payloadDigest(envelope);
    await writeFile(`${stem}.leaves`, leaves);
    await writeFile(`${stem}.dsse`, formatEnvelopeFile(envelope));
    files.push(file);
  }
  return files;
}

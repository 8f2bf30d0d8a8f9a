import { SegmentReader } from '../capture/segment-reader.js';
import { isCameraError } from '../errors.js';
import { CHUNK_BYTES, decryptWhole } from '../evidence/age-container.js';
import type { Manifest } from '../evidence/manifest.js';
import { METADATA_BYTES_MAX, readMetadata } from '../evidence/metadata.js';
import { PlainTree } from '../evidence/plain-tree.js';
import { fileNamesOf } from '../evidence/verdict.js';
import type { Problem } from '../evidence/verdict.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { DecryptedSegment } from './decrypted-segment.js';
import type { FoundSegment } from './evidence-files.js';

/** Who holds the key: what `lapel verify --identity` looks at besides. */

/** The salt of the plaintext tree, which is sealed beside the pictures. Throws `evidence/malformed` when it is not there. */
async function saltOf(
  fs: FileSystem,
  { files }: FoundSegment,
  identity: string,
): Promise<Buffer | undefined> {
  const meta = files.get('.meta.age');
  if (meta === undefined) return undefined;
  const sealed = await fs.readFile(meta.path, METADATA_BYTES_MAX);
  const { plain, isComplete } = decryptWhole(sealed, identity);
  if (!isComplete) return undefined;
  const line = readMetadata(plain).find(({ type }) => type === 'salt');
  return line?.type === 'salt' ? Buffer.from(line.salt, 'hex') : undefined;
}

type Finding = readonly [Problem['state'], Problem['what'], string];

/** Decrypts every chunk and compares the salted root with the one committed to. */
async function judgePlainRoot(
  source: DecryptedSegment,
  manifest: Manifest,
  salt: Buffer | undefined,
): Promise<Finding[]> {
  const { plain } = manifest;
  const tree = new PlainTree(salt ?? Buffer.alloc(32));
  for (let at = 0; at < source.size; at += CHUNK_BYTES) {
    tree.push(await source.read(at, Math.min(at + CHUNK_BYTES, source.size)));
  }
  if (plain === null) return []; // A power cut took the salt with it.
  if (source.size !== plain.size) {
    return [
      ['not-ok', 'unplayable', `decrypts to ${source.size} bytes, ${plain.size} were sealed`],
    ];
  }
  if (salt === undefined) {
    return [['not-feasible', 'unproven', 'has its salt in metadata that are not at hand']];
  }
  return tree.root().toString('hex') === plain.root
    ? []
    : [['not-ok', 'unplayable', 'decrypts to other pictures than its manifest commits to']];
}

/** Steps through the MP4: every fragment whole, as many pictures as the manifest says, at the times it says. */
async function judgeFragments(source: DecryptedSegment, manifest: Manifest): Promise<Finding[]> {
  const reader = await SegmentReader.open(source);
  if (reader.format === undefined) return [['not-ok', 'unplayable', 'is no MP4 of ours']];
  const isCut = manifest.end === 'power-loss';
  let frames = 0;
  let end = 0;
  const times: number[] = [];
  for await (const fragment of reader.fragments()) {
    end = fragment.end;
    if (fragment.track !== 'video') continue;
    frames += fragment.samples.length;
    times.push(fragment.offset90k);
  }
  if (isCut) return [];
  if (end !== source.size) {
    return [['not-ok', 'unplayable', `has fragments up to byte ${end} of ${source.size}`]];
  }
  if (frames !== manifest.media.frames) {
    return [
      ['not-ok', 'unplayable', `has ${frames} pictures, its manifest ${manifest.media.frames}`],
    ];
  }
  const sealed = manifest.fragments.map(([offset90k]) => offset90k);
  return times.join() === sealed.join()
    ? []
    : [['not-ok', 'unplayable', 'has its fragments at other times than its manifest says']];
}

/**
 * What only the key can tell: that the footage decrypts to what the manifest committed to, and that it plays. A segment
 * that is sealed to somebody else is `not-feasible`. To be asked of a segment whose manifest is proven and whose
 * ciphertext is whole. Rejects with errors of the file system.
 */
export async function verifyPlaintext(
  fs: FileSystem,
  found: FoundSegment,
  manifest: Manifest,
  identity: string,
): Promise<readonly Problem[]> {
  const age = found.files.get('.age');
  if (age === undefined) return [];
  const file = fileNamesOf(found.ref).age;
  const problem = ([state, what, text]: Finding): Problem => ({
    state,
    file,
    what,
    message: `${file} ${text}`,
  });
  try {
    const source = await DecryptedSegment.open(fs, age.path, identity, manifest.file.size);
    try {
      const salt = await saltOf(fs, found, identity);
      const findings = await judgePlainRoot(source, manifest, salt);
      findings.push(...(await judgeFragments(source, manifest)));
      return findings.map(problem);
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!isCameraError(error)) throw error;
    if (error.code === 'evidence/wrong-key') {
      return [problem(['not-feasible', 'unproven', 'is sealed to somebody else'])];
    }
    if (error.code !== 'evidence/malformed') throw error;
    return [problem(['not-ok', 'unplayable', `cannot be decrypted or played: ${error.message}`])];
  }
}

import { CameraError } from '../errors.js';
import { openCheckpoint } from './checkpoint.js';
import type { Checkpoint, TreeHead } from './checkpoint.js';
import { HASH_BYTES, verifyConsistency, verifyInclusion } from './merkle-tree.js';
import { NOTE_LENGTH_MAX } from './signed-note.js';

/**
 * Proofs about the device log as texts that anybody can check: C2SP tlog-proof for an entry, and for a log that only grew
 * the request that C2SP tlog-witness has for it.
 */

const FIRST_LINE = 'c2sp.org/tlog-proof@v1';
/** A tree of 2^62 leaves needs no more. */
const HASHES_MAX = 63;
/** Room for 63 hashes of 45 characters, the extra line and the checkpoint. */
const TEXT_LENGTH_MAX = NOTE_LENGTH_MAX + 128 * 1024;
const COUNT = /^(?:0|[1-9]\d{0,15})$/;

export interface InclusionText {
  readonly index: number;
  readonly proof: readonly Buffer[];
  /** The signed note, whole. */
  readonly checkpoint: string;
  /** Whatever its maker adds, here the envelope of the entry; nobody vouches for it. */
  readonly extra?: Buffer;
}

const hashLines = (proof: readonly Buffer[]): string =>
  proof.map((hash) => `${hash.toString('base64')}\n`).join('');

/** C2SP tlog-proof. */
export const formatInclusion = ({ index, proof, checkpoint, extra }: InclusionText): string =>
  `${FIRST_LINE}\n${extra === undefined ? '' : `extra ${extra.toString('base64')}\n`}index ${index}\n${hashLines(proof)}\n${checkpoint}`;

const fail = (what: string): never => {
  throw new CameraError('evidence/malformed', `not a ${what}`);
};

/** The lines before the first empty one, and what comes behind it. */
function splitText(text: string, what: string): { lines: string[]; checkpoint: string } {
  const end = text.indexOf('\n\n');
  if (text.length > TEXT_LENGTH_MAX || end < 0) fail(what);
  return { lines: text.slice(0, end).split('\n'), checkpoint: text.slice(end + 2) };
}

function bytesOf(text: string, what: string): Buffer {
  const bytes = Buffer.from(text, 'base64');
  return bytes.toString('base64') === text ? bytes : fail(what);
}

function hashesOf(lines: readonly string[], what: string): Buffer[] {
  if (lines.length > HASHES_MAX) fail(what);
  return lines.map((line) => {
    const hash = bytesOf(line, what);
    return hash.length === HASH_BYTES ? hash : fail(what);
  });
}

function countOf(line: string | undefined, word: string, what: string): number {
  const [found, digits = '', ...more] = line?.split(' ') ?? [];
  const count = Number(digits);
  const isCount = found === word && COUNT.test(digits) && more.length === 0;
  return isCount && Number.isSafeInteger(count) ? count : fail(what);
}

/** Reads a tlog-proof; says nothing of what it proves. Throws `evidence/malformed`. */
export function parseInclusion(text: string): InclusionText {
  const what = 'tlog-proof';
  const { lines, checkpoint } = splitText(text, what);
  if (lines.shift() !== FIRST_LINE) fail(what);
  const [second] = lines;
  const hasExtra = second?.startsWith('extra ') === true;
  if (hasExtra) lines.shift();
  const index = countOf(lines.shift(), 'index', what);
  const extra = hasExtra ? { extra: bytesOf(second.slice('extra '.length), what) } : {};
  return { index, proof: hashesOf(lines, what), checkpoint, ...extra };
}

/**
 * The checkpoint under which the leaf stands at the index that the text says. Throws `evidence/malformed`,
 * `evidence/bad-signature` when no key of the device signed the checkpoint, and `evidence/not-proven` when the path does not lead to
 * its root.
 */
export function openInclusion(
  text: string,
  leaf: Buffer,
  device: string,
  publicKeys: readonly Buffer[],
): { readonly index: number; readonly checkpoint: Checkpoint } {
  const { index, proof, checkpoint: note } = parseInclusion(text);
  const checkpoint = openCheckpoint(note, device, publicKeys);
  const { size, root } = checkpoint;
  if (verifyInclusion({ index, size, leaf, root }, proof)) return { index, checkpoint };
  const message = `the entry is not proven to be number ${index} of ${size}`;
  throw new CameraError('evidence/not-proven', message);
}

export interface ConsistencyText {
  /** Size of the tree that grew. */
  readonly oldSize: number;
  readonly proof: readonly Buffer[];
  /** The signed note of what it grew to, whole. */
  readonly checkpoint: string;
}

/** The body of an add-checkpoint request of C2SP tlog-witness. */
export const formatConsistency = ({ oldSize, proof, checkpoint }: ConsistencyText): string =>
  `old ${oldSize}\n${hashLines(proof)}\n${checkpoint}`;

/** Reads such a body; says nothing of what it proves. Throws `evidence/malformed`. */
export function parseConsistency(text: string): ConsistencyText {
  const what = 'proof of consistency';
  const { lines, checkpoint } = splitText(text, what);
  const oldSize = countOf(lines.shift(), 'old', what);
  return { oldSize, proof: hashesOf(lines, what), checkpoint };
}

/**
 * The checkpoint to which the log of that older head has only grown. Throws `evidence/malformed`, `evidence/bad-signature`, and
 * `evidence/not-proven` when it is not proven to have only grown.
 */
export function openConsistency(
  text: string,
  old: TreeHead,
  device: string,
  publicKeys: readonly Buffer[],
): Checkpoint {
  const { oldSize, proof, checkpoint: note } = parseConsistency(text);
  const checkpoint = openCheckpoint(note, device, publicKeys);
  const claim = {
    oldSize,
    oldRoot: old.root,
    newSize: checkpoint.size,
    newRoot: checkpoint.root,
  };
  if (oldSize === old.size && verifyConsistency(claim, proof)) return checkpoint;
  const message = `a log of ${checkpoint.size} entries is not proven to continue that of ${old.size}`;
  throw new CameraError('evidence/not-proven', message);
}

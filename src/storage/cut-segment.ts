import { LEAF_BYTES } from '../evidence/age-container.js';
import { HEAD_BYTES_MAX, headLength } from '../evidence/age-header.js';
import { parseEnvelope, payloadDigest } from '../evidence/dsse.js';
import { openHead } from '../evidence/head.js';
import type { Head } from '../evidence/head.js';
import { HASH_BYTES, leafAt, leafCount, leafHash, rootOfLeaves } from '../evidence/merkle-tree.js';
import { CameraError, isCameraError } from '../errors.js';
import type { ReadableFile } from '../hal/ports/file-system.js';
import { sameSegment } from '../units.js';
import type { SegmentRef } from '../units.js';

/**
 * Reads what a power cut has left of a segment. Nothing here writes.
 */

/** 34 GB of ciphertext: five minutes at the highest bit rate have 4,600 leaves. Their hashes are held in memory. */
export const LEAVES_MAX = 524_288;

export interface WholeLeaves {
  /** Their hashes, one after the other. */
  readonly hashes: Buffer;
  /** Bytes of leaf 0. */
  readonly head: number;
  /** Bytes of ciphertext in them; what follows on the card is the cut. */
  readonly size: number;
}

/**
 * The leaves of a ciphertext that are there as a whole, hashed one at a time. `listed` are the hashes that the writer
 * had listed: a short chunk at the end is whole only when it is among them, for then it was the final one. Undefined
 * when not even the header is whole. Rejects with `storage/limit` for a file that is longer than any segment, and with
 * the errors of the file.
 */
export async function readWholeLeaves(
  file: ReadableFile,
  listed: Buffer,
): Promise<WholeLeaves | undefined> {
  if (file.size > LEAVES_MAX * LEAF_BYTES) {
    throw new CameraError('storage/limit', `${file.size} bytes are more than a segment has`);
  }
  const prefix = Buffer.alloc(Math.min(HEAD_BYTES_MAX, file.size));
  await file.readInto(prefix, 0, prefix.length, 0);
  const head = headLengthOf(prefix);
  if (head === undefined) return undefined;
  const chunks = Math.ceil((file.size - head) / LEAF_BYTES);
  const hashes = Buffer.alloc((1 + chunks) * HASH_BYTES);
  leafHash(prefix.subarray(0, head)).copy(hashes);
  const chunk = Buffer.allocUnsafeSlow(LEAF_BYTES);
  let leaves = 1;
  let size = head;
  for (; size < file.size; leaves += 1) {
    const length = await file.readInto(chunk, 0, LEAF_BYTES, size);
    const hash = leafHash(chunk.subarray(0, length));
    if (length < LEAF_BYTES && !hash.equals(leafAt(listed, leaves))) break;
    hash.copy(hashes, leaves * HASH_BYTES);
    size += length;
  }
  return { hashes: hashes.subarray(0, leaves * HASH_BYTES), head, size };
}

function headLengthOf(prefix: Buffer): number | undefined {
  try {
    return headLength(prefix);
  } catch (error) {
    if (isCameraError(error)) return undefined;
    throw error;
  }
}

export interface SignedPrefix {
  /** The newest head whose root is that of the leaves on the card, and the digest of its payload. */
  readonly newest: { readonly head: Head; readonly digest: string } | undefined;
  /** The head that the segment opened with. */
  readonly first: Head | undefined;
  /** Newer heads that are signed and do not fit the leaves on the card. */
  readonly contradictions: readonly Head[];
}

/**
 * What the heads, a line each, vouch for among these leaves. Heads of other segments or keys count for nothing. From
 * the end: one signature is checked and one root computed, unless something is wrong.
 */
export function findSignedPrefix(
  lines: readonly string[],
  ref: SegmentRef,
  sessionKey: Buffer,
  hashes: Buffer,
): SignedPrefix {
  const openOwn = (line: string): { head: Head; digest: string } | undefined => {
    const opened = tryOpenHead(line, sessionKey);
    return opened !== undefined && sameSegment(opened.head, ref) ? opened : undefined;
  };
  const roots = new Map<number, string | undefined>();
  const contradictions: Head[] = [];
  let newest: SignedPrefix['newest'];
  for (const line of lines.toReversed()) {
    const opened = openOwn(line);
    if (opened === undefined) continue;
    const { n, root } = opened.head;
    if (!roots.has(n)) roots.set(n, rootOfFirst(n, hashes));
    if (roots.get(n) === root) {
      newest = opened;
      break;
    }
    contradictions.push(opened.head);
  }
  for (const line of lines) {
    const first = openOwn(line)?.head;
    if (first !== undefined) return { newest, first, contradictions };
  }
  return { newest, first: undefined, contradictions };
}

/** Root over the first `n` leaves in hex; undefined when there are fewer. */
const rootOfFirst = (n: number, hashes: Buffer): string | undefined =>
  n > leafCount(hashes)
    ? undefined
    : rootOfLeaves(hashes.subarray(0, n * HASH_BYTES)).toString('hex');

function tryOpenHead(line: string, key: Buffer): { head: Head; digest: string } | undefined {
  try {
    const envelope = parseEnvelope(line);
    return { head: openHead(envelope, key), digest: payloadDigest(envelope) };
  } catch (error) {
    if (isCameraError(error)) return undefined;
    throw error;
  }
}

const isEnvelope = (line: string): boolean => {
  try {
    parseEnvelope(line);
    return true;
  } catch (error) {
    if (isCameraError(error)) return false;
    throw error;
  }
};

/**
 * The lines of a `.heads` file without what a cut can have left of the last one: a part of it, with or without its
 * newline, with zeros where a page did not reach the card. Damage anywhere else is no cut; it stays for the verifier.
 */
export function wholeHeadLines(content: Buffer): readonly string[] {
  // latin1 maps each byte to a character and back, whatever the damage.
  const lines = content.toString('latin1').split('\n');
  if (lines.at(-1) === '') lines.pop();
  const last = lines.at(-1);
  return last === undefined || isEnvelope(last) ? lines : lines.slice(0, -1);
}

export const formatHeadLines = (lines: readonly string[]): Buffer =>
  Buffer.from(lines.map((line) => `${line}\n`).join(''), 'latin1');

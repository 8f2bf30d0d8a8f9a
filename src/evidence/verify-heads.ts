import { isCameraError } from '../errors.js';
import type { SegmentRef } from '../units.js';
import { LEAF_BYTES } from './age-container.js';
import { parseEnvelope, payloadDigest } from './dsse.js';
import { openHead } from './head.js';
import type { Head } from './head.js';
import { countLeaves } from './leaf-seconds.js';
import type { Manifest } from './manifest.js';
import { Frontier, HASH_BYTES, leafAt } from './merkle-tree.js';
import { fileNamesOf } from './verdict.js';
import type { FileNames, Problem, ProblemKind } from './verdict.js';
import type { ExpectedFile } from './verify-leaves.js';
import { kindOf } from './verify-session.js';
import type { TrustedSession } from './verify-session.js';

/** One head a second for more than an hour: no segment is that long. */
export const HEADS_MAX = 4096;

/** A head whose signature and place hold. */
export interface ProvenHead {
  readonly head: Head;
  /** Digest of its payload. */
  readonly digest: string;
  /** Line in the file, from 1. */
  readonly line: number;
}

export interface HeadsResult {
  /** In the order of the file, leaf counts rising. */
  readonly heads: readonly ProvenHead[];
  readonly problems: readonly Problem[];
}

/** How every line begins. */
const LINE_START = '{"payload":"';
/** How every line ends, and base64 holds none of it. */
const LINE_END = '}]}';

/**
 * True for what a power cut can leave of a line: its beginning, without a newline. A whole line whose newline became
 * another byte does not look like that, nor do strange bytes behind the last line.
 */
function isTornLine(text: string): boolean {
  const end = text.indexOf(LINE_END);
  const isBeginning = LINE_START.startsWith(text.slice(0, LINE_START.length));
  return isBeginning && (end === -1 || end === text.length - LINE_END.length);
}

/** What speaks against a head after its signature; undefined when it fits. */
function misfit(
  head: Head,
  ref: SegmentRef,
  session: TrustedSession,
  previous: Head | undefined,
): { what: ProblemKind; message: string } | undefined {
  const isHere = head.boot === ref.boot && head.rec === ref.rec && head.seq === ref.seq;
  if (!isHere || head.device !== session.device) {
    return {
      what: 'wrong-place',
      message: `is about ${head.device} ${head.boot}/${head.rec}/${head.seq}`,
    };
  }
  if (previous !== undefined && (head.n < previous.n || head.size < previous.size)) {
    return { what: 'contradiction', message: 'covers less than the line before it' };
  }
  return undefined;
}

/**
 * Judges the lines of a `.heads` file; each must be the one text form of an envelope and signed by the session of the
 * boot. Whether their roots fit the leaves is not asked here. Never throws for bad content.
 */
export function verifyHeads(text: string, ref: SegmentRef, session: TrustedSession): HeadsResult {
  const file = fileNamesOf(ref).heads;
  const lines = text.split('\n');
  const rest = lines.pop() ?? '';
  const heads: ProvenHead[] = [];
  const problems: Problem[] = [];
  const fail = (line: number, what: ProblemKind, message: string): void => {
    problems.push({ state: 'not-ok', file, what, message: `${file} line ${line} ${message}` });
  };
  for (const [index, content] of lines.slice(0, HEADS_MAX).entries()) {
    const line = index + 1;
    try {
      const envelope = parseEnvelope(content);
      const head = openHead(envelope, session.publicKey);
      const reason = misfit(head, ref, session, heads.at(-1)?.head);
      if (reason === undefined) heads.push({ head, digest: payloadDigest(envelope), line });
      else fail(line, reason.what, reason.message);
    } catch (error) {
      if (!isCameraError(error)) throw error;
      fail(line, kindOf(error), `is not as it was signed: ${error.message}`);
    }
  }
  if (lines.length > HEADS_MAX) fail(HEADS_MAX + 1, 'malformed', 'is one line too many');
  if (rest !== '' && isTornLine(rest)) {
    const message = `${file} ends inside line ${lines.length + 1}`;
    problems.push({ state: 'ok-with-missing', file, what: 'cut', message });
  } else if (rest !== '') {
    fail(lines.length + 1, 'malformed', 'does not end with a newline');
  }
  return { heads, problems };
}

/**
 * Bytes of leaf 0 as the heads imply it, for when there is no manifest: a head over whole leaves has n - 1 full ones
 * behind leaf 0, and one over a short final leaf implies less. Undefined without heads.
 */
export function leafZeroBytes(heads: readonly ProvenHead[]): number | undefined {
  const implied = Math.max(...heads.map(({ head }) => head.size - (head.n - 1) * LEAF_BYTES));
  return implied > 0 && Number.isFinite(implied) ? implied : undefined;
}

/** Roots of the first n leaves for every n up to the end of the list. */
function rootsOf(hashes: Buffer, sizes: ReadonlySet<number>): Map<number, string> {
  const frontier = new Frontier();
  const roots = new Map<number, string>();
  for (let n = 1; n <= hashes.length / HASH_BYTES; n += 1) {
    frontier.push(leafAt(hashes, n - 1));
    if (sizes.has(n)) roots.set(n, frontier.root().toString('hex'));
  }
  return roots;
}

/** A head over more leaves than the segment was sealed with. */
function judgeExcess(names: FileNames, expected: ExpectedFile, line: number, n: number): Problem {
  const file = names.heads;
  const message = `${file} line ${line} vouches for ${countLeaves(n)}, the segment was sealed with ${expected.n}`;
  if (expected.manifest?.end !== 'power-loss') {
    return { state: 'not-ok', file, what: 'contradiction', message };
  }
  // Signed, and gone before recovery looked: lost with the power, or cut off afterwards.
  const place = { leaf: expected.n, lastLeaf: n - 1 };
  return { state: 'ok-with-missing', file: names.age, what: 'cut', ...place, message };
}

/** Heads whose root or size is not that of the proven leaves. */
export function judgeHeadRoots(
  names: FileNames,
  expected: ExpectedFile,
  proven: Buffer,
  heads: readonly ProvenHead[],
): Problem[] {
  const file = names.heads;
  const roots = rootsOf(proven, new Set(heads.map(({ head }) => head.n)));
  return heads.flatMap(({ head, line }): Problem[] => {
    const { n, size, root } = head;
    if (n > expected.n) return [judgeExcess(names, expected, line, n)];
    const whole = n === expected.n ? expected.size : expected.head + (n - 1) * LEAF_BYTES;
    if (roots.get(n) === root && size === whole) return [];
    const message = `${file} line ${line} does not fit the first ${countLeaves(n)}`;
    return [{ state: 'not-ok', file, what: 'contradiction', lastLeaf: n - 1, message }];
  });
}

/** Whether recovery told the truth about the newest head. */
export function judgeRecovered(
  names: FileNames,
  { recovered }: Manifest,
  heads: readonly ProvenHead[],
): Problem[] {
  if (recovered === null) return [];
  const { head: wanted, signed } = recovered;
  if (wanted === null) return [];
  const file = names.heads;
  if (heads.some(({ head, digest }) => digest === wanted && head.n === signed)) return [];
  const message = `${file} lacks the head on which recovery relied, over ${countLeaves(signed)}`;
  return [{ state: 'ok-with-missing', file, what: 'missing', message }];
}

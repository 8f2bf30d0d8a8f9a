import { TICKS_PER_MS } from '../units.js';
import type { Manifest } from './manifest.js';
import { fileNamesOf, worstOf } from './verdict.js';
import type { Problem, ProblemKind, VerdictState } from './verdict.js';
import type { SegmentVerdict } from './verify-segment.js';

export interface RecordingVerdict {
  readonly boot: number;
  readonly rec: number;
  /** The worst of the segments and of what is wrong between them. */
  readonly state: VerdictState;
  /** What is wrong between the segments; what is wrong in one stands in its own verdict. */
  readonly problems: readonly Problem[];
  /** In order. */
  readonly segments: readonly SegmentVerdict[];
  /** Sums over the segments whose manifest is readable. */
  readonly durationMs: number;
  readonly frames: number;
  readonly bytes: number;
}

const SECONDS = 1000;

/** A rounding of 1 ms is no gap. */
const SLACK_TICKS = TICKS_PER_MS;

interface Linked {
  readonly verdict: SegmentVerdict;
  readonly manifest: Manifest;
}

const problem = (
  verdict: SegmentVerdict,
  state: Problem['state'],
  what: ProblemKind,
  message: string,
): Problem => {
  const file = fileNamesOf(verdict.ref).manifest;
  return { state, file, what, message: `${file} ${message}` };
};

/** Where the pictures stop between two segments that follow each other. */
function judgeTime(previous: Manifest | undefined, { verdict, manifest }: Linked): Problem[] {
  const { media } = manifest;
  if (media.gap_before_ms > 0) {
    const text = `starts after ${media.gap_before_ms / SECONDS} s without pictures`;
    return [problem(verdict, 'ok-with-missing', 'gap', text)];
  }
  const isCut = previous?.end === 'power-loss' || manifest.end === 'power-loss';
  if (previous === undefined || isCut || previous.media.run !== media.run) return [];
  const jump = media.start90k - previous.media.start90k - previous.media.duration90k;
  if (Math.abs(jump) <= SLACK_TICKS) return [];
  const text = `does not join the segment before it: ${Math.round(jump / TICKS_PER_MS)} ms between them`;
  return [problem(verdict, 'ok-with-missing', 'gap', text)];
}

/** Whether a segment follows the one before it. Nothing is known of it without its manifest. */
function judgeLink(previous: SegmentVerdict | undefined, current: Linked): Problem[] {
  const { verdict, manifest } = current;
  const problems = judgeTime(previous?.manifest, current);
  const expected = previous?.manifestDigest;
  if (expected !== undefined && manifest.prev !== expected) {
    const text = 'does not name the manifest before it: one of them was exchanged';
    problems.push(problem(verdict, 'not-ok', 'broken-chain', text));
  }
  if (previous?.manifest?.last === true) {
    const text = 'follows a segment that says it is the last';
    problems.push(problem(verdict, 'not-ok', 'contradiction', text));
  }
  return problems;
}

/** Sequence numbers that nobody gave, between `from` and `to` exclusive. */
function judgeHole(verdict: SegmentVerdict, from: number, to: number): Problem[] {
  if (to - from <= 1) return [];
  const { boot, rec } = verdict.ref;
  const [first, last] = [from + 1, to - 1];
  const file = `${boot}/${rec}/${first}.dsse`;
  const which = first === last ? `segment ${first} is` : `segments ${first} to ${last} are`;
  const message = `${which} missing from recording ${boot}/${rec}`;
  return [{ state: 'ok-with-missing', file, what: 'missing', message }];
}

/** Whether the recording ends as its last manifest says. */
function judgeEnd(verdict: SegmentVerdict): Problem[] {
  const { manifest } = verdict;
  if (manifest === undefined) {
    const text = 'cannot say whether it is the end of its recording';
    return [problem(verdict, 'ok-with-missing', 'missing', text)];
  }
  if (!manifest.last) {
    const text = 'is not the last segment of its recording: the end is missing';
    return [problem(verdict, 'ok-with-missing', 'missing', text)];
  }
  if (manifest.end === 'storage-full' || manifest.end === 'stall') {
    const cause = manifest.end === 'stall' ? 'the camera gave no more video' : 'the card was full';
    return [problem(verdict, 'ok-with-missing', 'cut', `ends the recording because ${cause}`)];
  }
  return [];
}

/** All problems between segments sorted by sequence. */
function judgeOrder(segments: readonly SegmentVerdict[]): Problem[] {
  const problems: Problem[] = [];
  let before: SegmentVerdict | undefined;
  for (const verdict of segments) {
    const { seq } = verdict.ref;
    const beforeSeq = before?.ref.seq ?? -1;
    if (seq === beforeSeq) {
      problems.push(problem(verdict, 'not-ok', 'contradiction', 'is there twice'));
      continue;
    }
    problems.push(...judgeHole(verdict, beforeSeq, seq));
    const neighbour = beforeSeq === seq - 1 ? before : undefined;
    if (verdict.manifest !== undefined) {
      problems.push(...judgeLink(neighbour, { verdict, manifest: verdict.manifest }));
    }
    before = verdict;
  }
  return before === undefined ? problems : [...problems, ...judgeEnd(before)];
}

/**
 * Judges a recording as a whole: are its segments all there, in their order, each naming the one before it, with an
 * end, and where do the pictures stop in between. `segments` are the verdicts of all its segments in any order, all
 * of one boot and recording; throws RangeError for none or for several recordings.
 */
export function verifyRecording(segments: readonly SegmentVerdict[]): RecordingVerdict {
  const [first] = segments;
  if (first === undefined) throw new RangeError('no segment');
  const { boot, rec } = first.ref;
  if (!segments.every(({ ref }) => ref.boot === boot && ref.rec === rec)) {
    throw new RangeError('segments of several recordings');
  }
  const sorted = segments.toSorted((a, b) => a.ref.seq - b.ref.seq);
  const problems = judgeOrder(sorted);
  const manifests = sorted.flatMap(({ manifest }) => manifest ?? []);
  const sum = (of: (manifest: Manifest) => number): number =>
    manifests.reduce((total, manifest) => total + of(manifest), 0);
  return {
    boot,
    rec,
    state: worstOf([...sorted, ...problems].map(({ state }) => state)),
    problems,
    segments: sorted,
    durationMs: sum(({ media }) => media.duration90k) / TICKS_PER_MS,
    frames: sum(({ media }) => media.frames),
    bytes: sum(({ file }) => file.size),
  };
}

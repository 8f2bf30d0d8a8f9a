import type { TimeSource, WallTime } from './clock.js';
import { wallTimeMs } from './units.js';
import type { MonotonicMs } from './units.js';

// What a camera believes about wall time, apart from what its clock claims at a moment. Pure: no clock is read here.

/** 2026-01-01. A clock before it was plainly never set: this runtime did not exist. */
export const EARLIEST_WALL_MS = 1_767_225_600_000;
/**
 * How far a clock drifts that nobody holds: 50 ppm, the tolerance of the plain quartz of a small computer at the ends of
 * its temperature range. 4.3 s a day.
 */
const DRIFT = 50e-6;
/** A smaller jump than this is the grain of NMEA and of a slewed clock, no step. */
export const STEP_MS_MIN = 500;
/** UTC itself steps by a second where a leap second is told (ITU-R TF.460). */
const LEAP_MS = 1_000;
/** Anchors remembered of one boot: a source or a step each; more would be a clock that flaps, whose newest count. */
export const ANCHORS_MAX = 32;

/** A wall time that was believed, and the monotonic time at which it held. */
export interface TimeAnchor {
  readonly at: MonotonicMs;
  readonly wall: WallTime;
}

/** What happened to the wall clock, as the device log tells it. Every wall time is that of the moment `at`. */
export type TimeFact =
  /**
   * The clock of the machine stepped, claims another source, or has moved away little by little from what the newest
   * anchor says. `isBelieved`: the camera goes by it.
   */
  | {
      readonly type: 'clock-set';
      readonly at: MonotonicMs;
      readonly from: WallTime;
      readonly to: WallTime;
      readonly stepMs: number;
      readonly isBelieved: boolean;
    }
  /** Somebody surer than before gave the time: what was recorded since the start of this boot is dated anew by it. */
  | {
      readonly type: 'time-correction';
      readonly at: MonotonicMs;
      readonly before: WallTime;
      readonly after: WallTime;
    };

/** What is believed about wall time. */
export interface KeptTime {
  /** What is gone by; undefined before the first claim. */
  readonly kept: TimeAnchor | undefined;
  /** What the clock said last, believed or not. */
  readonly claimed: TimeAnchor | undefined;
  /** True while the clock says something that is not believed. */
  readonly isDoubted: boolean;
  /** What was believed in this boot, oldest first: the start, each step, each surer source. */
  readonly anchors: readonly TimeAnchor[];
}

export const startTime: KeptTime = {
  kept: undefined,
  claimed: undefined,
  isDoubted: false,
  anchors: [],
};

/** How far something may be off `ageMs` after it was off by at most `uncertaintyMs`. */
export const aged = (uncertaintyMs: number, ageMs: number): number =>
  uncertaintyMs + Math.max(ageMs, 0) * DRIFT;

/** The wall time of an anchor carried to another moment by the monotonic clock. */
export const carriedTo = ({ at, wall }: TimeAnchor, moment: MonotonicMs): WallTime => ({
  ms: wallTimeMs(wall.ms + (moment - at)),
  source: wall.source,
  uncertaintyMs: aged(wall.uncertaintyMs, Math.abs(moment - at)),
});

const rank: Readonly<Record<TimeSource, number>> = { gnss: 0, ntp: 1, rtc: 2, unset: 3 };

/**
 * Judges what the clock claims at `at`. A step is believed when a better source than before gives it, when both claims
 * allow it, or when it is a leap second, stepped or smeared; else the camera goes on by the monotonic clock from what it believed, and says
 * so until the clock agrees again. A claim before 2026 counts as no claim.
 */
export function judgeWall(
  state: KeptTime,
  claim: WallTime,
  at: MonotonicMs,
): { readonly state: KeptTime; readonly facts: readonly TimeFact[] } {
  const wall: WallTime = claim.ms < EARLIEST_WALL_MS ? { ...claim, source: 'unset' } : claim;
  const said: TimeAnchor = { at, wall };
  if (state.kept === undefined || state.claimed === undefined) {
    const first = { kept: said, claimed: said, isDoubted: false, anchors: [said] };
    return { state: first, facts: [] };
  }
  const kept = carriedTo(state.kept, at);
  const before = carriedTo(state.claimed, at);
  const stepMs = wall.ms - before.ms;
  const isStep = Math.abs(stepMs) >= STEP_MS_MIN || wall.source !== before.source;
  const isBelieved = isStep || state.isDoubted ? isBelievable(kept, wall, before, stepMs) : true;
  const facts: TimeFact[] = isStep
    ? [{ type: 'clock-set', at, from: before, to: wall, stepMs, isBelieved }]
    : [];
  if (!isBelieved) return { state: { ...state, claimed: said, isDoubted: true }, facts };
  const next: KeptTime = { ...state, claimed: said, isDoubted: false };
  const isLeap = isLeapSecond(before, wall, stepMs);
  // It was presumed that a clock chip had set the clock, and nothing has.
  const isWithdrawn = wall.source === 'unset' && kept.source === 'rtc';
  // Believed, but no better than what there is: a clock chip takes over from satellites that are out of sight.
  if (!isSurer(wall, kept) && !isLeap && !isWithdrawn) return { state: next, facts };
  // A clock that is slewed or smeared never steps from look to look, and the monotonic clock drifts from one that is held:
  // what counts is how far the dates given so far are off.
  const dated = carriedTo(state.anchors.at(-1) ?? state.kept, at);
  const offMs = wall.ms - dated.ms;
  const isOff = Math.abs(offMs) >= STEP_MS_MIN;
  const isNotable = isLeap || isWithdrawn || isOff || isMuchSurer(wall, kept);
  if (isOff && facts.length === 0) {
    facts.push({ type: 'clock-set', at, from: dated, to: wall, stepMs: offMs, isBelieved: true });
  }
  if (isMuchSurer(wall, kept)) {
    facts.push({ type: 'time-correction', at, before: kept, after: wall });
  }
  const anchors = isNotable ? [...state.anchors, said].slice(-ANCHORS_MAX) : state.anchors;
  return { state: { ...next, kept: said, anchors }, facts };
}

function isBelievable(kept: WallTime, claim: WallTime, before: WallTime, stepMs: number): boolean {
  if (kept.source === 'unset') return true;
  const offMs = Math.abs(claim.ms - kept.ms);
  if (claim.source === 'unset') return offMs <= kept.uncertaintyMs + STEP_MS_MIN;
  if (rank[claim.source] < rank[kept.source] && isSurer(claim, kept)) return true;
  const isAllowed = offMs <= kept.uncertaintyMs + claim.uncertaintyMs + STEP_MS_MIN;
  return isAllowed || (offMs <= LEAP_MS + STEP_MS_MIN && isLeapSecond(before, claim, stepMs));
}

/** A source that follows UTC has moved by about a second. */
function isLeapSecond(before: WallTime, claim: WallTime, stepMs: number): boolean {
  if (claim.source !== before.source || rank[claim.source] > rank.ntp) return false;
  const byMs = Math.abs(stepMs);
  return byMs >= STEP_MS_MIN && byMs <= LEAP_MS + STEP_MS_MIN;
}

const isSurer = (claim: WallTime, than: WallTime): boolean =>
  than.source === 'unset' ||
  (claim.source !== 'unset' && claim.uncertaintyMs <= than.uncertaintyMs);

/** A claim with half the uncertainty or less, or any claim instead of none. */
const isMuchSurer = (claim: WallTime, than: WallTime): boolean =>
  claim.source !== 'unset' &&
  (than.source === 'unset' || claim.uncertaintyMs * 2 <= than.uncertaintyMs);

/**
 * The best known wall time of a moment of a boot: by the newest anchor up to then, unless a later one is surer by half or
 * more, because the monotonic clock carries a correction back as well as forward. Undefined without anchors.
 */
export function wallTimeAt(
  anchors: readonly TimeAnchor[],
  moment: MonotonicMs,
): WallTime | undefined {
  const sorted = [...anchors].sort((a, b) => a.at - b.at);
  const later = sorted.filter(({ at }) => at > moment);
  let best = sorted.findLast(({ at }) => at <= moment);
  for (const anchor of later) {
    if (best === undefined || isMuchSurer(anchor.wall, best.wall)) best = anchor;
  }
  return best && carriedTo(best, moment);
}

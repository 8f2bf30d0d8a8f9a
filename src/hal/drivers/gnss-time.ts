import type { WallTime } from '../../clock.js';
import { wallTimeMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';
import type { GnssFix } from './gnss-fix.js';

/** One sentence may lie; a receiver that counts on evenly three times in a row has a clock that runs. Own figure. */
const FIXES_MIN = 3;
/** How unevenly sentences arrive: other sentences before them on the wire, a busy machine. Own figure. */
const JITTER_MS_MAX = 250;
/** Beyond this gap the receiver was lost in between, and has to prove itself again. Own figure. */
const GAP_MS_MAX = 10_000;

/** A wall time and the monotonic time at which it held. */
export interface TimeMark {
  readonly at: MonotonicMs;
  readonly wall: WallTime;
}

/** The last consecutive fixes that agree about time, at most three. */
export type GnssTime = readonly GnssFix[];

export const startGnssTime: GnssTime = [];

/**
 * Judges the time of the next fix. A mark comes only from the third fix in a row on whose UTC moved on as monotonic time
 * did, within 250 ms. It is that of the fix that arrived least late, because a sentence is late and never early.
 */
export function judgeTime(
  state: GnssTime,
  fix: GnssFix,
): { readonly state: GnssTime; readonly mark: TimeMark | undefined } {
  const previous = state.at(-1);
  const next =
    previous !== undefined && agree(previous, fix) ? [...state, fix].slice(-FIXES_MIN) : [fix];
  if (next.length < FIXES_MIN) return { state: next, mark: undefined };
  const aheadMs = Math.max(...next.map(({ utcMs, at }) => utcMs - at));
  const wall: WallTime = {
    ms: wallTimeMs(fix.at + aheadMs),
    source: 'gnss',
    uncertaintyMs: fix.uncertaintyMs,
  };
  return { state: next, mark: { at: fix.at, wall } };
}

function agree(earlier: GnssFix, later: GnssFix): boolean {
  const passedMs = later.at - earlier.at;
  const countedMs = later.utcMs - earlier.utcMs;
  return countedMs > 0 && passedMs <= GAP_MS_MAX && Math.abs(countedMs - passedMs) <= JITTER_MS_MAX;
}

import type { TimeSource, WallTime } from '../../clock.js';
import { wallTimeMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';

// Which of two claims about wall time is better, and how claims age. Pure: no clock is read here.

/** What is known about the system clock: who holds it, and how far it may be off. */
export interface ClockQuality {
  readonly source: TimeSource;
  readonly uncertaintyMs: number;
}

/** Wall time at a moment of the monotonic clock, from somebody other than the system clock. */
export interface TimeOffer {
  readonly utcMs: number;
  /** When `utcMs` was true. */
  readonly at: MonotonicMs;
  readonly uncertaintyMs: number;
  readonly source: 'gnss';
}

/** A jump of wall time, or another source: what people see of it. `byMs` is positive for a jump forward. */
export interface WallStep {
  readonly byMs: number;
  readonly from: TimeSource;
  readonly to: TimeSource;
}

/**
 * How far a clock drifts that nobody holds: 50 ppm, the tolerance of the plain quartz of a small computer at the ends of its
 * temperature range. 4.3 s a day.
 */
const DRIFT = 50e-6;
/** A smaller jump than this is the grain of NMEA and of a slewed clock, no step. */
const STEP_MS_MIN = 500;
/** Offers outside are of a receiver that has no time: 2024 is before this runtime, GPS counts weeks up to 2099 and on. */
const UTC_MS_MIN = Date.UTC(2024, 0, 1);
const UTC_MS_MAX = Date.UTC(2100, 0, 1);

/** Whether an offer can be true at all. */
export const isPlausible = ({ utcMs, uncertaintyMs, at }: TimeOffer): boolean =>
  utcMs >= UTC_MS_MIN && utcMs < UTC_MS_MAX && uncertaintyMs >= 0 && Number.isFinite(at);

/** How far something may be off `ageMs` after it was off by at most `uncertaintyMs`. */
export const aged = (uncertaintyMs: number, ageMs: number): number =>
  uncertaintyMs + Math.max(ageMs, 0) * DRIFT;

/** An offer carried on to `now` by the monotonic clock. */
export const carried = (
  { utcMs, at, uncertaintyMs, source }: TimeOffer,
  now: MonotonicMs,
): WallTime => ({
  ms: wallTimeMs(utcMs + (now - at)),
  source,
  uncertaintyMs: aged(uncertaintyMs, now - at),
});

/**
 * The claim with less uncertainty; the system's when they are equal, because other programs use it too. A clock that
 * nobody ever set is worse than any offer.
 */
export function better(system: WallTime, offer: WallTime | undefined): WallTime {
  if (offer === undefined) return system;
  return system.source === 'unset' || offer.uncertaintyMs < system.uncertaintyMs ? offer : system;
}

/** What somebody who looked at `before`, `passedMs` ago, would call the change to `after`; undefined for none. */
export function stepBetween(
  before: WallTime,
  after: WallTime,
  passedMs: number,
): WallStep | undefined {
  const byMs = after.ms - before.ms - passedMs;
  if (Math.abs(byMs) < STEP_MS_MIN && before.source === after.source) return undefined;
  return { byMs, from: before.source, to: after.source };
}

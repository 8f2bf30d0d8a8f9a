import type { TimeSource, WallTime } from '../../clock.js';
import { aged } from '../../timekeeping.js';
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

/** Offers outside are of a receiver that has no time: 2024 is before this runtime, GPS counts weeks up to 2099 and on. */
const UTC_MS_MIN = Date.UTC(2024, 0, 1);
const UTC_MS_MAX = Date.UTC(2100, 0, 1);

/** Whether an offer can be true at all. */
export const isPlausible = ({ utcMs, uncertaintyMs, at }: TimeOffer): boolean =>
  utcMs >= UTC_MS_MIN && utcMs < UTC_MS_MAX && uncertaintyMs >= 0 && Number.isFinite(at);

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

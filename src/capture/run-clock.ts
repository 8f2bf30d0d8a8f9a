import { monotonicMs, ticksToMs, type MonotonicMs, type Pts90k } from '../units.js';

/**
 * The delay is looked for in this and the period before it: long enough for pictures that a busy machine holds up, short
 * enough for the drift between the clock of a sound card and that of the system, 0.5 ms at 50 ppm.
 */
const PERIOD_MS = 5000;

/**
 * When a moment of a run was, on the monotonic clock. Whatever arrives was captured before: what arrived the soonest
 * after its own time gives the best measure, never too early, and too late by the shortest delay of the pipeline.
 */
export class RunClock {
  #since: MonotonicMs | undefined;
  #least = Number.POSITIVE_INFINITY;
  #leastBefore = Number.POSITIVE_INFINITY;

  /** Something whose last moment is `end90k` arrived at `at`. */
  observe(end90k: number, at: MonotonicMs): void {
    this.#since ??= at;
    if (at - this.#since >= PERIOD_MS) {
      this.#since = at;
      this.#leastBefore = this.#least;
      this.#least = Number.POSITIVE_INFINITY;
    }
    this.#least = Math.min(this.#least, at - ticksToMs(end90k));
  }

  /** Call it after the first `observe`. */
  at(media90k: Pts90k): MonotonicMs {
    return monotonicMs(ticksToMs(media90k) + Math.min(this.#least, this.#leastBefore));
  }
}

import type { Cancel, Clock, WallTime } from '../../clock.js';
import { EARLIEST_WALL_MS, aged } from '../../timekeeping.js';
import { monotonicMs, wallTimeMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';
import { UNVOUCHED_UNCERTAINTY_MS } from './clock-quality.js';
import { better, carried, isPlausible } from './wall-time.js';
import type { ClockQuality, TimeOffer } from './wall-time.js';

/**
 * The clock of the machine. Its wall time is called `rtc`, a minute uncertain, until somebody says better: `setQuality`
 * who holds the system clock, `offer` the time of a satellite receiver. The system clock itself is never set.
 */
export class SystemClock implements Clock {
  #quality: ClockQuality = { source: 'rtc', uncertaintyMs: UNVOUCHED_UNCERTAINTY_MS };
  #qualityAt = this.monotonicMs();
  #offer: TimeOffer | undefined;

  monotonicMs(): MonotonicMs {
    return monotonicMs(performance.now());
  }

  /** The better claim of the system clock and of the newest offer; both grow uncertain with time. */
  wallTime(): WallTime {
    const now = this.monotonicMs();
    return better(this.#systemTime(now), this.#offer && carried(this.#offer, now));
  }

  /** Says who holds the system clock, and how well, as of now. `watchClockQuality` finds that out. */
  setQuality(quality: ClockQuality): void {
    this.#quality = quality;
    this.#qualityAt = this.monotonicMs();
  }

  /**
   * Gives the time of a receiver. It counts while it is surer than what there is: an offer that is less sure than the
   * one before has become, or that cannot be true, is dropped.
   */
  offer(offer: TimeOffer): void {
    if (!isPlausible(offer)) return;
    const now = this.monotonicMs();
    const known = this.#offer && carried(this.#offer, now);
    if (known !== undefined && known.uncertaintyMs < carried(offer, now).uncertaintyMs) return;
    this.#offer = offer;
  }

  /** Never early: a timer of Node may fire a millisecond before its time, and a hold of 3 s must not come out shorter. */
  after(delayMs: number, callback: () => void): Cancel {
    const due = performance.now() + delayMs;
    let timer: NodeJS.Timeout;
    const arm = (waitMs: number): void => {
      timer = setTimeout(() => {
        const leftMs = due - performance.now();
        if (leftMs > 0) arm(Math.ceil(leftMs));
        else callback();
      }, waitMs);
      timer.unref();
    };
    arm(delayMs);
    return () => {
      clearTimeout(timer);
    };
  }

  every(periodMs: number, callback: () => void): Cancel {
    const timer = setInterval(callback, periodMs);
    timer.unref();
    return () => {
      clearInterval(timer);
    };
  }

  /** Never early; unlike `after` it keeps the process alive. */
  async sleep(delayMs: number): Promise<void> {
    const due = performance.now() + delayMs;
    for (let leftMs = delayMs; leftMs > 0; leftMs = due - performance.now()) {
      await new Promise((resolve) => setTimeout(resolve, Math.ceil(leftMs)));
    }
  }

  nextTurn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }

  #systemTime(now: MonotonicMs): WallTime {
    const ms = wallTimeMs(Date.now());
    const { source, uncertaintyMs } = this.#quality;
    if (ms < EARLIEST_WALL_MS) {
      return { ms, source: 'unset', uncertaintyMs: UNVOUCHED_UNCERTAINTY_MS };
    }
    return { ms, source, uncertaintyMs: aged(uncertaintyMs, now - this.#qualityAt) };
  }
}

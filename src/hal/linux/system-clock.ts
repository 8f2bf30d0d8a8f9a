import type { Cancel, Clock, WallTime } from '../../clock.js';
import { monotonicMs, wallTimeMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';

/**
 * How far a computer's clock may be off when nothing vouches for it. A quartz of 50 ppm drifts 4.3 s a day; a minute
 * covers two weeks without a network.
 */
const UNCERTAINTY_UNVOUCHED_MS = 60_000;
/** Before this day a clock has plainly never been set: the runtime did not exist. */
const EARLIEST_PLAUSIBLE_MS = Date.UTC(2026, 0, 1);

/** The clock of the machine. Its wall time is called `rtc`: no one has told this process that NTP or GNSS holds it. */
export class SystemClock implements Clock {
  monotonicMs(): MonotonicMs {
    return monotonicMs(performance.now());
  }

  wallTime(): WallTime {
    const ms = wallTimeMs(Date.now());
    const source = ms < EARLIEST_PLAUSIBLE_MS ? 'unset' : 'rtc';
    return { ms, source, uncertaintyMs: UNCERTAINTY_UNVOUCHED_MS };
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
}

import type { Cancel, Clock, WallTime } from '../../../src/clock.js';
import { monotonicMs, wallTimeMs } from '../../../src/units.js';
import type { MonotonicMs } from '../../../src/units.js';

/** Real time, `factor` times as fast: time-outs of seconds in tests against real brokers pass in tenths. */
export class FastClock implements Clock {
  readonly #factor: number;
  readonly #wallOriginMs = Date.now();

  constructor(factor: number) {
    this.#factor = factor;
  }

  monotonicMs(): MonotonicMs {
    return monotonicMs(performance.now() * this.#factor);
  }

  wallTime(): WallTime {
    const ms = wallTimeMs(this.#wallOriginMs + performance.now() * this.#factor);
    return { ms, source: 'rtc', uncertaintyMs: 1000 };
  }

  after(delayMs: number, callback: () => void): Cancel {
    const timer = setTimeout(callback, delayMs / this.#factor);
    return () => {
      clearTimeout(timer);
    };
  }

  every(periodMs: number, callback: () => void): Cancel {
    const timer = setInterval(callback, periodMs / this.#factor);
    return () => {
      clearInterval(timer);
    };
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, delayMs / this.#factor));
  }

  nextTurn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
  }
}

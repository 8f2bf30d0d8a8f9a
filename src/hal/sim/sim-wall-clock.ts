import type { Cancel, Clock, WallTime } from '../../clock.js';
import { wallTimeMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';

/** A running clock whose wall time can be made to jump, for a simulated board in real time. */
export class SimWallClock implements Clock {
  readonly #clock: Clock;
  #shiftMs = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets wall time jump by `ms`, forward or back, while its claimed quality stays: a clock that lies. */
  jumpWall(ms: number): void {
    this.#shiftMs += ms;
  }

  monotonicMs(): MonotonicMs {
    return this.#clock.monotonicMs();
  }

  wallTime(): WallTime {
    const wall = this.#clock.wallTime();
    return { ...wall, ms: wallTimeMs(wall.ms + this.#shiftMs) };
  }

  after(delayMs: number, callback: () => void): Cancel {
    return this.#clock.after(delayMs, callback);
  }

  every(periodMs: number, callback: () => void): Cancel {
    return this.#clock.every(periodMs, callback);
  }

  sleep(delayMs: number): Promise<void> {
    return this.#clock.sleep(delayMs);
  }

  nextTurn(): Promise<void> {
    return this.#clock.nextTurn();
  }
}

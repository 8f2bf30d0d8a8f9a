import type { Cancel, Clock, WallTime } from '../../clock.js';
import { wallTimeMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';

/** What real clocks say of themselves in these cases. */
const UNSET: Omit<WallTime, 'ms'> = { source: 'unset', uncertaintyMs: 60_000 };
const BY_SATELLITES: Omit<WallTime, 'ms'> = { source: 'gnss', uncertaintyMs: 500 };

/** A running clock whose wall time can be made to jump, for a simulated board in real time. */
export class SimWallClock implements Clock {
  readonly #clock: Clock;
  #shiftMs = 0;
  #quality: Omit<WallTime, 'ms'> | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets wall time jump by `ms`, forward or back, while its claimed quality stays: a clock that lies. */
  jumpWall(ms: number): void {
    this.#shiftMs += ms;
  }

  /** Lets wall time be 1970-01-01 now, as of a machine whose clock nobody has ever set. */
  unset(): void {
    this.#shiftMs = 0 - this.#clock.wallTime().ms;
    this.#quality = UNSET;
  }

  /** Lets wall time be right again, as told by satellites. */
  setBySatellites(): void {
    this.#shiftMs = 0;
    this.#quality = BY_SATELLITES;
  }

  monotonicMs(): MonotonicMs {
    return this.#clock.monotonicMs();
  }

  wallTime(): WallTime {
    const wall = this.#clock.wallTime();
    return { ...wall, ...this.#quality, ms: wallTimeMs(wall.ms + this.#shiftMs) };
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

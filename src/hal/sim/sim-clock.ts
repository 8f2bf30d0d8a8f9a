import type { Cancel, Clock, WallTime } from '../../clock.js';
import { monotonicMs, wallTimeMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';

interface Timer {
  dueMs: number;
  readonly sequence: number;
  readonly periodMs: number | undefined;
  readonly callback: () => void;
}

/** Most turns of the event loop that `advance` grants between two timers; more is a loop that waits for itself. */
const TURNS_MAX = 10_000;

/** 2026-11-02 08:00 UTC, a Monday morning. */
const STANDARD_WALL: WallTime = {
  ms: wallTimeMs(1_793_606_400_000),
  source: 'ntp',
  uncertaintyMs: 20,
};

/**
 * A clock that stands still until it is stepped: the same run gives the same order of events every time.
 * Real input and output is outside its power: it waits for promises, not for a disk.
 */
export class SimClock implements Clock {
  #nowMs: number;
  /** Wall time at monotonic 0, with its source. */
  #wallOrigin: WallTime;
  readonly #timers = new Set<Timer>();
  #sequence = 0;
  #turnsAwaited = 0;
  #isAdvancing = false;

  constructor(startMs = 0, wall: WallTime = STANDARD_WALL) {
    this.#nowMs = startMs;
    this.#wallOrigin = { ...wall, ms: wallTimeMs(wall.ms - startMs) };
  }

  monotonicMs(): MonotonicMs {
    return monotonicMs(this.#nowMs);
  }

  wallTime(): WallTime {
    const { ms, ...quality } = this.#wallOrigin;
    return { ms: wallTimeMs(ms + this.#nowMs), ...quality };
  }

  after(delayMs: number, callback: () => void): Cancel {
    return this.#start(delayMs, undefined, callback);
  }

  every(periodMs: number, callback: () => void): Cancel {
    if (!(periodMs > 0)) throw new RangeError(`Expected periodMs > 0, got ${periodMs}`);
    return this.#start(periodMs, periodMs, callback);
  }

  sleep(delayMs: number): Promise<void> {
    return new Promise((resolve) => {
      this.after(delayMs, resolve);
    });
  }

  async nextTurn(): Promise<void> {
    this.#turnsAwaited += 1;
    await eventLoopTurn();
    this.#turnsAwaited -= 1;
  }

  /** How many timers are waiting: 0 after an orderly shutdown. */
  get timers(): number {
    return this.#timers.size;
  }

  /**
   * Moves time on by `ms`. Timers that fall due run in order of their time, then of their start; before each of them,
   * and at the end, promises settle. Resolves when all that is done; rejects when a callback throws, when it is
   * called within itself, or when promises never settle.
   */
  async advance(ms: number): Promise<void> {
    if (!(ms >= 0)) throw new RangeError(`Expected ms >= 0, got ${ms}`);
    if (this.#isAdvancing) throw new Error('advance is under way already');
    this.#isAdvancing = true;
    try {
      const endMs = this.#nowMs + ms;
      await this.#settle();
      for (let timer = this.#nextDue(endMs); timer !== undefined; timer = this.#nextDue(endMs)) {
        this.#run(timer);
        await this.#settle();
      }
      this.#nowMs = endMs;
    } finally {
      this.#isAdvancing = false;
    }
  }

  /** Sets wall time, as NTP, GNSS or a person does. Monotonic time and timers do not notice. */
  setWall(wall: WallTime): void {
    this.#wallOrigin = { ...wall, ms: wallTimeMs(wall.ms - this.#nowMs) };
  }

  /** Lets wall time jump by `ms`, forward or back, while its claimed quality stays: a clock that lies. */
  jumpWall(ms: number): void {
    const { ms: originMs, ...quality } = this.#wallOrigin;
    this.#wallOrigin = { ms: wallTimeMs(originMs + ms), ...quality };
  }

  #start(delayMs: number, periodMs: number | undefined, callback: () => void): Cancel {
    if (Number.isNaN(delayMs)) throw new RangeError('Expected delayMs to be a number');
    this.#sequence += 1;
    const dueMs = this.#nowMs + Math.max(delayMs, 0);
    const timer = { dueMs, sequence: this.#sequence, periodMs, callback };
    this.#timers.add(timer);
    return () => {
      this.#timers.delete(timer);
    };
  }

  #nextDue(endMs: number): Timer | undefined {
    let next: Timer | undefined;
    for (const timer of this.#timers) {
      if (timer.dueMs > endMs) continue;
      const isSooner =
        next === undefined ||
        timer.dueMs < next.dueMs ||
        (timer.dueMs === next.dueMs && timer.sequence < next.sequence);
      if (isSooner) next = timer;
    }
    return next;
  }

  #run(timer: Timer): void {
    this.#nowMs = timer.dueMs;
    if (timer.periodMs === undefined) this.#timers.delete(timer);
    else timer.dueMs += timer.periodMs;
    timer.callback();
  }

  /** A turn of the event loop drains every microtask; whoever waits for a turn gets one too. */
  async #settle(): Promise<void> {
    let turns = 0;
    do {
      if (++turns > TURNS_MAX) throw new Error('promises do not settle');
      await eventLoopTurn();
    } while (this.#turnsAwaited > 0);
  }
}

const eventLoopTurn = (): Promise<void> =>
  // eslint-disable-next-line no-restricted-globals -- a turn of the loop, in which no simulated time passes
  new Promise((resolve) => setImmediate(resolve));

import { setImmediate } from 'node:timers/promises';
import type { Cancel, Clock, WallTime } from '../../src/clock.js';
import { monotonicMs, wallTimeMs, type MonotonicMs } from '../../src/units.js';

interface Timer {
  readonly id: number;
  due: number;
  readonly periodMs: number | undefined;
  readonly callback: () => void;
}

/** Turns of the event loop that let everything settle that waits on promises alone. */
const SETTLE_TURNS = 4;

/** A clock that stands still until it is told to go on. */
export class SteppedClock implements Clock {
  #nowMs = 1000;
  #nextId = 0;
  readonly #timers = new Map<number, Timer>();

  monotonicMs(): MonotonicMs {
    return monotonicMs(this.#nowMs);
  }

  wallTime(): WallTime {
    return { ms: wallTimeMs(0), source: 'unset', uncertaintyMs: 0 };
  }

  after(delayMs: number, callback: () => void): Cancel {
    return this.#add(delayMs, undefined, callback);
  }

  every(periodMs: number, callback: () => void): Cancel {
    return this.#add(periodMs, periodMs, callback);
  }

  async sleep(delayMs: number): Promise<void> {
    await new Promise<void>((resolve) => this.after(delayMs, resolve));
  }

  async nextTurn(): Promise<void> {
    await setImmediate();
  }

  /** Timers that are still to come. */
  get pending(): number {
    return this.#timers.size;
  }

  /** Lets pending promises settle without a step of time. */
  async settle(): Promise<void> {
    for (let turn = 0; turn < SETTLE_TURNS; turn += 1) await setImmediate();
  }

  /** Goes on by `ms`; every timer in between fires at its own time, with what waits for it settled before the next. */
  async advance(ms: number): Promise<void> {
    const until = this.#nowMs + ms;
    await this.settle();
    for (;;) {
      const next = [...this.#timers.values()]
        .filter((timer) => timer.due <= until)
        .sort((a, b) => a.due - b.due || a.id - b.id)[0];
      if (next === undefined) break;
      this.#nowMs = Math.max(this.#nowMs, next.due);
      if (next.periodMs === undefined) this.#timers.delete(next.id);
      else next.due += next.periodMs;
      next.callback();
      await this.settle();
    }
    this.#nowMs = until;
  }

  #add(delayMs: number, periodMs: number | undefined, callback: () => void): Cancel {
    this.#nextId += 1;
    const id = this.#nextId;
    this.#timers.set(id, { id, due: this.#nowMs + delayMs, periodMs, callback });
    return () => this.#timers.delete(id);
  }
}

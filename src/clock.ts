import type { MonotonicMs, WallTimeMs } from './units.js';

/** Where wall time comes from, best first. `unset` means that nothing has ever told this clock the time. */
export type TimeSource = 'gnss' | 'ntp' | 'rtc' | 'unset';

/** A wall time is a claim: it carries its source and how far it may be off. */
export interface WallTime {
  readonly ms: WallTimeMs;
  readonly source: TimeSource;
  readonly uncertaintyMs: number;
}

export type Cancel = () => void;

/** The only way to time in this code base. Monotonic time orders; wall time is for people. */
export interface Clock {
  monotonicMs(): MonotonicMs;
  wallTime(): WallTime;
  /** Calls back once after `delayMs`, never before, unless cancelled. Does not keep a process alive by itself. */
  after(delayMs: number, callback: () => void): Cancel;
  /** Calls back every `periodMs` until cancelled. */
  every(periodMs: number, callback: () => void): Cancel;
  /** Resolves after `delayMs`, never before. */
  sleep(delayMs: number): Promise<void>;
  /** Resolves in the next turn of the event loop, after pending I/O has had its turn. */
  nextTurn(): Promise<void>;
}

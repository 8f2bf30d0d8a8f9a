import type { Cancel, Clock, WallTime } from '../../clock.js';
import { carriedTo, type TimeAnchor } from '../../timekeeping.js';
import { wallTimeMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';

/** What real clocks say of themselves in these cases. */
const UNSET: Omit<WallTime, 'ms'> = { source: 'unset', uncertaintyMs: 60_000 };
const SET_BY = {
  gnss: { source: 'gnss', uncertaintyMs: 500 },
  ntp: { source: 'ntp', uncertaintyMs: 50 },
} as const satisfies Record<string, Omit<WallTime, 'ms'>>;

/** Who can set a clock right. */
export type ClockSetter = keyof typeof SET_BY;

/** A slew on its way. */
interface Slew {
  readonly from: MonotonicMs;
  readonly ms: number;
  readonly overMs: number;
}

/** A running clock whose wall time can be made to jump, for a simulated board in real time. */
export class SimWallClock implements Clock {
  readonly #clock: Clock;
  #shiftMs = 0;
  #slew: Slew | undefined;
  #quality: Omit<WallTime, 'ms'> | undefined;
  #isFollowing = false;
  #offer: TimeAnchor | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Lets wall time jump by `ms`, forward or back, while its claimed quality stays: a clock that lies. */
  jumpWall(ms: number): void {
    this.#shiftMs += ms;
  }

  /** Lets wall time gain `ms`, or lose them, evenly within `overMs`, as clocks do that smear a leap second. */
  slewWall(ms: number, overMs: number): void {
    this.#shiftMs += this.#slewedMs();
    this.#slew = { from: this.monotonicMs(), ms, overMs };
  }

  /** Lets wall time be 1970-01-01 now, as of a machine whose clock nobody has ever set. */
  unset(): void {
    this.#shift(0 - this.#clock.wallTime().ms, UNSET);
  }

  /** Lets wall time be right again, as told by satellites or by network time. */
  setBy(setter: ClockSetter): void {
    this.#shift(0, SET_BY[setter]);
  }

  /** From now on `offer` counts, as it does on a real machine. */
  follow(): void {
    this.#isFollowing = true;
  }

  /** What a satellite receiver says of the time; the surer of it and the clock itself counts. Nothing before `follow`. */
  offer(anchor: TimeAnchor): void {
    if (this.#isFollowing) this.#offer = anchor;
  }

  monotonicMs(): MonotonicMs {
    return this.#clock.monotonicMs();
  }

  wallTime(): WallTime {
    const wall = this.#clock.wallTime();
    const shiftMs = this.#shiftMs + this.#slewedMs();
    const own = { ...wall, ...this.#quality, ms: wallTimeMs(wall.ms + shiftMs) };
    if (this.#offer === undefined) return own;
    const offered = carriedTo(this.#offer, this.monotonicMs());
    const isSurer = own.source === 'unset' || offered.uncertaintyMs < own.uncertaintyMs;
    return isSurer ? offered : own;
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

  #shift(ms: number, quality: Omit<WallTime, 'ms'>): void {
    this.#shiftMs = ms;
    this.#slew = undefined;
    this.#quality = quality;
  }

  #slewedMs(): number {
    if (this.#slew === undefined) return 0;
    const { from, ms, overMs } = this.#slew;
    return ms * Math.min(1, (this.monotonicMs() - from) / overMs);
  }
}

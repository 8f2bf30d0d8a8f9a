import type { Clock, WallTime } from '../clock.js';
import { monotonicMs, type MonotonicMs } from '../units.js';
import { FRAME_TIME_NAL_BYTES, frameTimeNal, type FrameTime } from './frame-time-sei.js';
import type { UnitStamp } from './gdp-reader.js';
import type { FrameWallClock } from './ports.js';
import { RunClock } from './run-clock.js';

/** A time that may be off by more than this names another picture, three away at 30 a second: it is not called locked. */
const LOCKED_MS_MAX = 100;
/**
 * A clock that differs from the pictures so far by less than it may be off says nothing new: NMEA comes earlier and later,
 * a reference corrects itself. It is followed slowly then, else at once, as a step; within these bounds in any case.
 */
const STEP_MS_MIN = 20;
const STEP_MS_MAX = 500;
/** As fast as the slowest NTP client is slewed by, and as much again: 1 ms a second. */
const SLEW = 1e-3;
/** Two pictures are never stamped alike: what an encoder hands out in one go while it starts follows in such steps. */
const APART_MS_MIN = 1;

/** When the picture before was taken, and what was said of it. */
export interface StampedFrame {
  readonly at: MonotonicMs;
  readonly utcMicros: number;
}

/** The moment to be stamped: that of the capture, but after the picture before. */
export const momentAfter = (
  before: StampedFrame | undefined,
  capturedAt: MonotonicMs,
): MonotonicMs =>
  before === undefined ? capturedAt : monotonicMs(Math.max(capturedAt, before.at + APART_MS_MIN));

/**
 * What is said of a picture taken at `at`, which is after `before`, when `wall` is believed of that moment. Goes on from
 * the picture before, or says that it does not.
 */
export function frameTimeOf(
  before: StampedFrame | undefined,
  at: MonotonicMs,
  { ms, source, uncertaintyMs }: WallTime,
): FrameTime {
  const isLocked = (source === 'gnss' || source === 'ntp') && uncertaintyMs <= LOCKED_MS_MAX;
  const believed = Math.max(0, Math.round(ms * 1000));
  if (before === undefined) {
    return { utcMicros: believed, isLocked, isStep: false, isBackwards: false };
  }
  const sinceMicros = (at - before.at) * 1000;
  const offMicros = believed - before.utcMicros - sinceMicros;
  const stepMs = Math.min(Math.max(uncertaintyMs, STEP_MS_MIN), STEP_MS_MAX);
  if (Math.abs(offMicros) >= stepMs * 1000) {
    const isBackwards = believed <= before.utcMicros;
    return { utcMicros: believed, isLocked, isStep: true, isBackwards };
  }
  const slewed = Math.sign(offMicros) * Math.min(Math.abs(offMicros), sinceMicros * SLEW);
  const utcMicros = Math.round(before.utcMicros + sinceMicros + slewed);
  return { utcMicros, isLocked, isStep: false, isBackwards: false };
}

/**
 * Writes into each picture when it was taken, as it passes: the media time of its run gives the moment, never too early
 * and too late by the shortest delay of the pipeline (`RunClock`), and what is believed of the wall time then gives UTC.
 */
export class FrameStamper {
  readonly #clock: Pick<Clock, 'monotonicMs'>;
  readonly #wall: FrameWallClock;
  #before: StampedFrame | undefined;

  constructor(clock: Pick<Clock, 'monotonicMs'>, wall: FrameWallClock) {
    this.#clock = clock;
    this.#wall = wall;
  }

  /** For the pictures of one run, from its first on. */
  forRun(): UnitStamp {
    const media = new RunClock();
    return {
      bytesMax: FRAME_TIME_NAL_BYTES,
      nalFor: (pts90k) => {
        media.observe(pts90k, this.#clock.monotonicMs());
        const at = momentAfter(this.#before, media.at(pts90k));
        const time = frameTimeOf(this.#before, at, this.#wall.wallAt(at));
        this.#before = { at, utcMicros: time.utcMicros };
        return frameTimeNal(time);
      },
    };
  }
}

import type { Clock, WallTime } from '../clock.js';
import { monotonicMs, type MonotonicMs } from '../units.js';
import { FRAME_TIME_NAL_BYTES, frameTimeNal, type FrameTime } from './frame-time-sei.js';
import type { UnitStamp } from './gdp-reader.js';
import type { FrameWallClock } from './ports.js';
import { RunClock } from './run-clock.js';

/** A time that may be off by more than this names another picture, three away at 30 a second: it is not called locked. */
const LOCKED_MS_MAX = 100;
/** A smaller difference is the clock being slewed, or held anew by its reference; a larger one is a step. */
const STEP_MS_MIN = 20;
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

/** What is said of a picture taken at `at`, when `wall` is believed of that moment. Never goes back without saying so. */
export function frameTimeOf(
  before: StampedFrame | undefined,
  at: MonotonicMs,
  { ms, source, uncertaintyMs }: WallTime,
): FrameTime {
  const utcMicros = Math.max(0, Math.round(ms * 1000));
  const isLocked = (source === 'gnss' || source === 'ntp') && uncertaintyMs <= LOCKED_MS_MAX;
  if (before === undefined) return { utcMicros, isLocked, isStep: false, isBackwards: false };
  const offMs = (utcMicros - before.utcMicros) / 1000 - (at - before.at);
  const isBackwards = utcMicros <= before.utcMicros;
  return {
    utcMicros,
    isLocked,
    isStep: isBackwards || Math.abs(offMs) >= STEP_MS_MIN,
    isBackwards,
  };
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

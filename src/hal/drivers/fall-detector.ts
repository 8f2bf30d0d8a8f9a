import type { MonotonicMs } from '../../units.js';
import type { ImuSample, Vector3 } from './imu-chip.js';

/*
 * Thresholds marked AN-1023 are those of Analog Devices' application note AN-1023, "Fall Detection Application by Using
 * 3-Axis Accelerometer ADXL345". The others are own figures, chosen on the generated traces of test/support.
 */

/** AN-1023: below it the wearer loses the ground. */
const FREE_FALL_G = 0.75;
/** AN-1023: for at least this long. */
const FREE_FALL_MS_MIN = 30;
/** AN-1023: the strike that ends a fall. */
const STRIKE_G = 2;
/**
 * Own figure: the strike comes within this time of the end of the free fall. AN-1023 has 200 ms, which loses those who
 * go down on their knees first.
 */
const STRIKE_MS_MAX = 500;
/** AN-1023: nobody moves when every axis stays this close to where it was. */
const STILL_G = 0.1875;
/** AN-1023: for this long. */
const STILL_MS = 2_000;
/** AN-1023: lying still begins so that it ends within this time of the strike. */
const SETTLE_MS_MAX = 3_500;
/** AN-1023: how far the gravity of lying is from that before the fall; 0.7 g is an angle of 41°. */
const POSTURE_CHANGE_G = 0.7;

/**
 * Own figure: a trunk does not turn this fast for a whole fall, a camera that is thrown does. Bourke and Lyons (Medical
 * Engineering & Physics 30, 2008) take a trunk for falling from 3.1 rad/s, 178 °/s, on.
 */
const THROWN_DPS_MIN = 400;
/** Own figure: a shorter flight has too few samples for a mean. */
const THROWN_MS_MIN = 100;
/** Own figure: posture before the fall is the mean over about a second, so that a step does not tilt it. */
const POSTURE_MS = 1_000;
/** Own figure: a blow by itself, above what landing from a jump does and within the range of ±16 g. */
const BLOW_G = 12;
/** Own figure: one blow rings for a while. */
const BLOW_HOLD_OFF_MS = 5_000;
/** Own figure: after a gap in the samples nothing is known of what was before. */
const GAP_MS_MAX = 500;

export type FallEvent =
  | {
      readonly kind: 'fall';
      /** When the wearer struck the ground first. */
      readonly at: MonotonicMs;
      readonly peakG: number;
      readonly freeFallMs: number;
      /** Between the posture before and after. */
      readonly tiltDeg: number;
    }
  | { readonly kind: 'blow'; readonly at: MonotonicMs; readonly peakG: number };

type Phase =
  | { readonly name: 'upright' }
  | {
      readonly name: 'falling';
      readonly startedAt: MonotonicMs;
      readonly lastAt: MonotonicMs;
      /** Sum over its samples, and how many there are. */
      readonly turnDps: number;
      readonly samples: number;
    }
  | {
      readonly name: 'struck';
      readonly firstAt: MonotonicMs;
      readonly lastAt: MonotonicMs;
      readonly peakG: number;
      readonly freeFallMs: number;
      readonly stillSince: MonotonicMs;
      readonly stillAt: Vector3;
    }
  /** The camera flew by itself; it bounces where it lands. */
  | { readonly name: 'thrown'; readonly landedAt: MonotonicMs };

export interface FallState {
  readonly phase: Phase;
  /** Gravity before the fall; undefined before the first sample. */
  readonly posture: Vector3 | undefined;
  readonly lastAt: MonotonicMs | undefined;
  readonly blowAt: MonotonicMs | undefined;
}

export interface FallJudgement {
  readonly state: FallState;
  readonly event?: FallEvent;
}

const UPRIGHT: Phase = { name: 'upright' };

export const startFallState: FallState = {
  phase: UPRIGHT,
  posture: undefined,
  lastAt: undefined,
  blowAt: undefined,
};

/**
 * Judges the next sample, at about 100 Hz. A fall is told when the wearer has lain still for 2 s: free fall, then a
 * strike, then stillness in another posture. Whoever gets up, walks on or stands as before has not fallen. A blow is
 * told at once.
 */
export function judgeMotion(state: FallState, sample: ImuSample): FallJudgement {
  const { at, accelG } = sample;
  const passedMs = state.lastAt === undefined ? 0 : at - state.lastAt;
  if (state.posture === undefined || passedMs > GAP_MS_MAX) {
    return { state: { ...startFallState, posture: accelG, lastAt: at, blowAt: state.blowAt } };
  }
  const magnitudeG = Math.hypot(accelG.x, accelG.y, accelG.z);
  const { phase, fall } = nextPhase(state.phase, sample, magnitudeG, state.posture);
  const isQuiet = phase.name === 'upright' && magnitudeG < STRIKE_G;
  const isBlow = magnitudeG >= BLOW_G && at - (state.blowAt ?? -Infinity) >= BLOW_HOLD_OFF_MS;
  const event = isBlow ? ({ kind: 'blow', at, peakG: magnitudeG } as const) : fall;
  return {
    state: {
      phase,
      posture: isQuiet ? towards(state.posture, accelG, passedMs / POSTURE_MS) : state.posture,
      lastAt: at,
      blowAt: isBlow ? at : state.blowAt,
    },
    ...(event === undefined ? {} : { event }),
  };
}

interface Step {
  readonly phase: Phase;
  readonly fall?: FallEvent;
}

function nextPhase(phase: Phase, sample: ImuSample, magnitudeG: number, posture: Vector3): Step {
  switch (phase.name) {
    case 'upright':
      return { phase: magnitudeG < FREE_FALL_G ? startFall(sample) : phase };
    case 'falling':
      return { phase: goOnFalling(phase, sample, magnitudeG) };
    case 'struck':
      return settle(phase, sample, magnitudeG, posture);
    case 'thrown':
      return { phase: sample.at - phase.landedAt > SETTLE_MS_MAX ? UPRIGHT : phase };
  }
}

type Falling = Extract<Phase, { name: 'falling' }>;
type Struck = Extract<Phase, { name: 'struck' }>;

function startFall({ at, gyroDps }: ImuSample): Phase {
  return {
    name: 'falling',
    startedAt: at,
    lastAt: at,
    turnDps: Math.hypot(gyroDps.x, gyroDps.y, gyroDps.z),
    samples: 1,
  };
}

function goOnFalling(phase: Falling, sample: ImuSample, magnitudeG: number): Phase {
  const { at, accelG, gyroDps } = sample;
  if (magnitudeG < FREE_FALL_G) {
    return {
      ...phase,
      lastAt: at,
      turnDps: phase.turnDps + Math.hypot(gyroDps.x, gyroDps.y, gyroDps.z),
      samples: phase.samples + 1,
    };
  }
  const freeFallMs = phase.lastAt - phase.startedAt;
  if (freeFallMs < FREE_FALL_MS_MIN || at - phase.lastAt > STRIKE_MS_MAX) return UPRIGHT;
  if (magnitudeG < STRIKE_G) return phase;
  const isThrown = freeFallMs >= THROWN_MS_MIN && phase.turnDps / phase.samples >= THROWN_DPS_MIN;
  if (isThrown) return { name: 'thrown', landedAt: at };
  return {
    name: 'struck',
    firstAt: at,
    lastAt: at,
    peakG: magnitudeG,
    freeFallMs,
    stillSince: at,
    stillAt: accelG,
  };
}

function settle(phase: Struck, sample: ImuSample, magnitudeG: number, posture: Vector3): Step {
  const { at, accelG } = sample;
  if (magnitudeG >= STRIKE_G) {
    const peakG = Math.max(phase.peakG, magnitudeG);
    return { phase: { ...phase, lastAt: at, peakG, stillSince: at, stillAt: accelG } };
  }
  const isStill = (['x', 'y', 'z'] as const).every(
    (axis) => Math.abs(accelG[axis] - phase.stillAt[axis]) < STILL_G,
  );
  const stillSince = isStill ? phase.stillSince : at;
  if (stillSince + STILL_MS > phase.lastAt + SETTLE_MS_MAX) return { phase: UPRIGHT };
  if (!isStill) return { phase: { ...phase, stillSince: at, stillAt: accelG } };
  if (at - stillSince < STILL_MS) return { phase };
  const changeG = distance(phase.stillAt, posture);
  if (changeG < POSTURE_CHANGE_G) return { phase: UPRIGHT };
  const { firstAt, peakG, freeFallMs } = phase;
  const tiltDeg = angleDeg(phase.stillAt, posture);
  return { phase: UPRIGHT, fall: { kind: 'fall', at: firstAt, peakG, freeFallMs, tiltDeg } };
}

function towards(from: Vector3, to: Vector3, fraction: number): Vector3 {
  const part = Math.min(fraction, 1);
  return {
    x: from.x + (to.x - from.x) * part,
    y: from.y + (to.y - from.y) * part,
    z: from.z + (to.z - from.z) * part,
  };
}

const distance = (a: Vector3, b: Vector3): number => Math.hypot(a.x - b.x, a.y - b.y, a.z - b.z);

function angleDeg(a: Vector3, b: Vector3): number {
  const lengths = Math.hypot(a.x, a.y, a.z) * Math.hypot(b.x, b.y, b.z);
  const cosine = lengths === 0 ? 1 : (a.x * b.x + a.y * b.y + a.z * b.z) / lengths;
  return (Math.acos(Math.min(1, Math.max(-1, cosine))) * 180) / Math.PI;
}

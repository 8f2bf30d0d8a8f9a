import type { MonotonicMs } from '../../units.js';
import type { ImuSample, Vector3 } from './imu-chip.js';

/** As long as an upright wearer holds still between two steps, and long enough for gravity to be most of what is felt. */
const REST_MS = 1_000;
/** AN-1023 of Analog Devices: nobody moves when every axis stays this close to where it was. */
const STILL_G = 0.1875;
/** After a gap in the samples nothing is known of what was before. */
const GAP_MS_MAX = 500;
/** Within 45° of upright, or of upside down. Between the two a camera lies, and says nothing. */
const CLEAR_SHARE = Math.SQRT1_2;

/** An axis of the motion sensor, and which end of it. */
export const AXES = ['x', '-x', 'y', '-y', 'z', '-z'] as const;
export type Axis = (typeof AXES)[number];

/** Samples since the sensor was last moved. */
export interface RestState {
  readonly since: MonotonicMs;
  readonly lastAt: MonotonicMs;
  readonly from: Vector3;
  readonly sum: Vector3;
  readonly samples: number;
}

/** Judges the next sample. `gravity` is the mean, in g, of each second in which the sensor was not moved; it points up. */
export function judgeRest(
  state: RestState | undefined,
  { at, accelG }: ImuSample,
): { readonly state: RestState; readonly gravity?: Vector3 } {
  const begin: RestState = { since: at, lastAt: at, from: accelG, sum: accelG, samples: 1 };
  if (state === undefined || at - state.lastAt > GAP_MS_MAX) return { state: begin };
  const { from, sum } = state;
  const isStill = (['x', 'y', 'z'] as const).every(
    (axis) => Math.abs(accelG[axis] - from[axis]) < STILL_G,
  );
  if (!isStill) return { state: begin };
  const samples = state.samples + 1;
  const next = { x: sum.x + accelG.x, y: sum.y + accelG.y, z: sum.z + accelG.z };
  if (at - state.since < REST_MS) return { state: { ...state, lastAt: at, sum: next, samples } };
  const gravity = { x: next.x / samples, y: next.y / samples, z: next.z / samples };
  return { state: begin, gravity };
}

/** Whether the axis that is up in an upright camera points up, or down; undefined when it does neither clearly. */
export function isUpright(gravity: Vector3, up: Axis): boolean | undefined {
  const axis = up.at(-1) as keyof Vector3;
  const along = up.startsWith('-') ? -gravity[axis] : gravity[axis];
  const share = along / Math.hypot(gravity.x, gravity.y, gravity.z);
  if (share >= CLEAR_SHARE) return true;
  return share <= -CLEAR_SHARE ? false : undefined;
}

import type { MonotonicMs } from '../../units.js';
import type { Edge } from '../ports/gpio.js';

/** An edge of a button, judged. */
export interface ButtonEdge {
  readonly isPressed: boolean;
  readonly at: MonotonicMs;
  /** True when the contact was not quiet before it: written down, but nothing follows from it. */
  readonly isBounce: boolean;
}

export interface DebounceState {
  /** What the button counts as: the direction of the last edge that was no bounce. */
  readonly isPressed: boolean;
  /** The last edge, bounce or not; undefined before the first. */
  readonly last: Edge | undefined;
}

export interface Debounced {
  readonly state: DebounceState;
  readonly edge: ButtonEdge;
}

export const startDebounce = (isPressed: boolean): DebounceState => ({
  isPressed,
  last: undefined,
});

/**
 * A process that is held up sees a bounce late, and sysfs gives it the time at which it was seen. No thumb lets go and
 * presses again within this time, so an edge this soon after one that nobody has seen settle is a bounce as well.
 */
const LATE_BOUNCE_MS = 100;

/**
 * Judges an edge the moment it comes, so that a press is never delayed: it is a bounce when less than
 * `intervalMs` passed since the edge before it, or when it may have been less. Each bounce starts the interval anew.
 * `wasSeenQuiet`: whether the level has been looked at since the edge before it, at least `intervalMs` after that.
 * An edge in the direction that the button has already is passed on like any other, because edges get lost on the
 * way: a release without its press still tells of a press.
 */
export function judgeEdge(
  state: DebounceState,
  edge: Edge,
  intervalMs: number,
  wasSeenQuiet: boolean,
): Debounced {
  const mayBeLate = !wasSeenQuiet && edge.hasKernelTime !== true;
  const bouncesForMs = mayBeLate ? Math.max(intervalMs, LATE_BOUNCE_MS) : intervalMs;
  const isBounce = state.last !== undefined && edge.at - state.last.at < bouncesForMs;
  const isPressed = isBounce ? state.isPressed : edge.isActive;
  return {
    state: { isPressed, last: edge },
    edge: { isPressed: edge.isActive, at: edge.at, isBounce },
  };
}

/**
 * Judges the level read at `at`, when the contact has been quiet. Where it is not what the button counts as, the
 * contact settled the other way or an edge was lost: the edge that says so is made up for, with the time of the last
 * edge when that had the direction, else of the reading. Undefined when there is nothing to make up for.
 */
export function judgeLevel(
  state: DebounceState,
  isActive: boolean,
  at: MonotonicMs,
): Debounced | undefined {
  if (isActive === state.isPressed) return undefined;
  const time = state.last?.isActive === isActive ? state.last.at : at;
  return {
    state: { isPressed: isActive, last: state.last },
    edge: { isPressed: isActive, at: time, isBounce: false },
  };
}

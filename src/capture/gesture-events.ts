import type { MonotonicMs } from '../units.js';
import type { PressEdge } from './ports.js';
import type { PressGesture } from './press-desk.js';
import type { RecorderEvent } from './recorder-events.js';

const FUNCTION_EVENTS = {
  press: 'functionPress',
  tap: 'functionTap',
  hold: 'functionHold',
  longHold: 'functionLongHold',
} as const;

/** What is known of the moment beside the gesture. */
export interface GestureMoment {
  /** When the button went down. */
  readonly pressedAt: MonotonicMs;
  readonly now: MonotonicMs;
  /** The pre-event buffer or the open GOP holds a picture. */
  readonly hasFootage: boolean;
}

/** What a gesture of a button is to the recorder; undefined for one that means nothing on it. */
export function eventOf(
  button: PressEdge['button'],
  { type, press }: PressGesture,
  { pressedAt, now, hasFootage }: GestureMoment,
): RecorderEvent | undefined {
  if (button === 'function') {
    return type === 'holding' ? undefined : { type: FUNCTION_EVENTS[type], press };
  }
  if (button !== 'record') {
    if (type !== 'press') return undefined;
    return { type: 'trigger', trigger: button, press, at: pressedAt, hasFootage };
  }
  if (type === 'press') return { type, press, at: pressedAt, hasFootage };
  return type === 'tap' || type === 'hold' ? { type, press, at: now } : undefined;
}

import type { IndicatorTable, StateName } from '../config/indicators.js';
import { monotonicMs, type MonotonicMs } from '../units.js';
import { lengthMs } from './indicator.js';

/** Words of two states are this far apart: without a pause nobody tells them from one. */
const PAUSE_MS = 1000;
/** These say that all is as the wearer left it: the first reminder comes after the period, not at once. */
const CALM: readonly StateName[] = ['recording', 'asleep'];

/** Which states are reminded of and when. Starts with `noReminders`. */
export interface ReminderState {
  readonly active: readonly StateName[];
  /** When each was said last, or began for one that is calm. */
  readonly saidAt: Readonly<Partial<Record<StateName, MonotonicMs>>>;
  /** Until then the motor and the buzzer say something. */
  readonly busyUntil: MonotonicMs;
}

export const noReminders: ReminderState = { active: [], saidAt: {}, busyUntil: monotonicMs(0) };

/** Other states hold from now on. One that comes back soon is not said more often for it. */
export function withActive(
  state: ReminderState,
  active: readonly StateName[],
  now: MonotonicMs,
): ReminderState {
  const began = active.filter((name) => CALM.includes(name) && !state.active.includes(name));
  return {
    ...state,
    active,
    saidAt: { ...state.saidAt, ...Object.fromEntries(began.map((name) => [name, now])) },
  };
}

/** Something else is said now and takes so long. */
export const withBusy = (state: ReminderState, now: MonotonicMs, ms: number): ReminderState => ({
  ...state,
  busyUntil: monotonicMs(now + ms + PAUSE_MS),
});

/** The next reminder and when it is due, which may be in the past; of several, the strongest state first. */
export function nextReminder(
  { active, saidAt, busyUntil }: ReminderState,
  { states }: IndicatorTable,
  now: MonotonicMs,
): { readonly name: StateName; readonly at: MonotonicMs } | undefined {
  let next: { name: StateName; at: number } | undefined;
  for (const name of active) {
    const row = states[name];
    if (row.everyMs === 0 || lengthMs(row) === 0) continue;
    const said = saidAt[name];
    const at = Math.max(said === undefined ? now : said + row.everyMs, busyUntil, now);
    if (next === undefined || at <= next.at) next = { name, at };
  }
  return next && { name: next.name, at: monotonicMs(next.at) };
}

/** The reminder is being said. */
export function withSaid(
  state: ReminderState,
  { states }: IndicatorTable,
  name: StateName,
  now: MonotonicMs,
): ReminderState {
  const said = { ...state, saidAt: { ...state.saidAt, [name]: now } };
  return withBusy(said, now, lengthMs(states[name]));
}

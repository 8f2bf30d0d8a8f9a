import { monotonicMs, type MonotonicMs } from '../units.js';

/** An encoder that gives no picture for this long has stalled: at 30 a second that is 60 pictures. */
export const STALL_MS = 2000;
/** A pipeline may take this long to its first picture: a camera sensor and an encoder on a loaded board need seconds. */
export const START_MS_MAX = 10_000;
/** A run that gave pictures for this long was a good one; the count of failures starts anew. */
export const GOOD_RUN_MS = 10_000;
/** Waits before the next start: a crash costs no time at first, a broken camera no CPU. */
const RETRY_DELAYS_MS = [0, 1000, 2000, 4000] as const;
/**
 * A new run cures an encoder that has lost its settings, and not a launch line that is wrong: after so many the footage with the
 * long GOPs is worth more than the gaps.
 */
const ENDLESS_GOPS_MAX = 3;
/** After those, the fault is visible and one start a minute is tried. */
const SLOW_RETRY_MS = 60_000;

/** The life of the encoder as the watch sees it. Starts with `beginWatch`. */
export interface WatchState {
  readonly phase: 'waiting' | 'running' | 'killing' | 'off';
  /** When the run starts or has started. */
  readonly startsAt: MonotonicMs;
  /** First picture of this run. */
  readonly firstUnitAt: MonotonicMs | undefined;
  /** Newest picture of any run. */
  readonly lastUnitAt: MonotonicMs | undefined;
  /** Runs that ended since the last good one. */
  readonly failures: number;
  /** Runs ended for a GOP without end, since the last good one. */
  readonly endlessGops: number;
  /** Whether it has been told that there is no video. */
  readonly isLost: boolean;
}

export type WatchEvent =
  | { readonly type: 'unit' }
  | { readonly type: 'ended'; readonly cause: string }
  /** No IDR has come for so long that a power cut would take too much. */
  | { readonly type: 'endlessGop'; readonly cause: string }
  /** Time has passed. */
  | { readonly type: 'tick' }
  | { readonly type: 'off' };

export type WatchEffect =
  | { readonly type: 'start' }
  | { readonly type: 'kill'; readonly cause: string }
  /** Pictures are there, for the first time or again. */
  | { readonly type: 'up' }
  /** There have been none for `STALL_MS`, or the first start failed. */
  | { readonly type: 'lost'; readonly cause: string }
  /** Quick restarts have not helped. */
  | { readonly type: 'failed'; readonly cause: string };

export interface WatchStep {
  readonly state: WatchState;
  readonly effects: readonly WatchEffect[];
}

/** Asks for a start at the first `tick`. */
export const beginWatch = (now: MonotonicMs): WatchState => ({
  phase: 'waiting',
  startsAt: now,
  firstUnitAt: undefined,
  lastUnitAt: undefined,
  failures: 0,
  endlessGops: 0,
  isLost: false,
});

/** When the next `tick` is due; undefined when time alone changes nothing. */
export function nextTick(state: WatchState): MonotonicMs | undefined {
  const due = [waitOver(state), silenceOver(state), lossOver(state)].filter(
    (at) => at !== undefined,
  );
  return due.length === 0 ? undefined : monotonicMs(Math.min(...due));
}

const waitOver = ({ phase, startsAt }: WatchState): number | undefined =>
  phase === 'waiting' ? startsAt : undefined;

/** When the running encoder will have been silent for too long. */
function silenceOver({ phase, startsAt, firstUnitAt, lastUnitAt }: WatchState): number | undefined {
  if (phase !== 'running') return undefined;
  if (firstUnitAt === undefined || lastUnitAt === undefined) return startsAt + START_MS_MAX;
  return lastUnitAt + STALL_MS;
}

/** When it will have to be told that there is no video; before the first picture ever, only a failed start tells. */
const lossOver = ({ phase, lastUnitAt, isLost }: WatchState): number | undefined =>
  phase === 'off' || isLost || lastUnitAt === undefined ? undefined : lastUnitAt + STALL_MS;

/** Decides what happens to the encoder. `now` never goes back. */
export function stepWatch(state: WatchState, event: WatchEvent, now: MonotonicMs): WatchStep {
  if (state.phase === 'off') return { state, effects: [] };
  switch (event.type) {
    case 'unit':
      return onUnit(state, now);
    case 'ended':
      return onEnded(state, event.cause, now);
    case 'endlessGop':
      return onEndlessGop(state, event.cause);
    case 'tick':
      return onTick(state, now);
    case 'off':
      return { state: { ...state, phase: 'off' }, effects: [] };
  }
}

function onEndlessGop(state: WatchState, cause: string): WatchStep {
  if (state.phase !== 'running' || state.endlessGops >= ENDLESS_GOPS_MAX) {
    return { state, effects: [] };
  }
  return {
    state: { ...state, phase: 'killing', endlessGops: state.endlessGops + 1 },
    effects: [{ type: 'kill', cause }],
  };
}

/** Pictures that a run still gives while it is being killed do not mean that it is well. */
function onUnit(state: WatchState, now: MonotonicMs): WatchStep {
  if (state.phase !== 'running') return { state, effects: [] };
  const firstUnitAt = state.firstUnitAt ?? now;
  const isNews = state.isLost || state.lastUnitAt === undefined;
  return {
    state: {
      ...state,
      firstUnitAt,
      lastUnitAt: now,
      ...(now - firstUnitAt >= GOOD_RUN_MS ? { failures: 0, endlessGops: 0 } : {}),
      isLost: false,
    },
    effects: isNews ? [{ type: 'up' }] : [],
  };
}

/** A run without one picture never gets the start that costs no time: it would fail in a tight loop. */
function onEnded(state: WatchState, cause: string, now: MonotonicMs): WatchStep {
  const hadUnits = state.firstUnitAt !== undefined;
  const step = hadUnits ? state.failures : Math.max(1, state.failures);
  const delayMs = RETRY_DELAYS_MS[step];
  const isLost = state.isLost || !hadUnits || delayMs === undefined;
  const effects: WatchEffect[] = [];
  if (isLost && !state.isLost) effects.push({ type: 'lost', cause });
  if (delayMs === undefined) effects.push({ type: 'failed', cause });
  return {
    state: {
      ...state,
      phase: 'waiting',
      startsAt: monotonicMs(now + (delayMs ?? SLOW_RETRY_MS)),
      firstUnitAt: undefined,
      failures: step + 1,
      isLost,
    },
    effects,
  };
}

function onTick(state: WatchState, now: MonotonicMs): WatchStep {
  const isDue = (at: number | undefined): boolean => at !== undefined && at <= now;
  const effects: WatchEffect[] = [];
  let next = state;
  if (isDue(lossOver(state))) {
    next = { ...next, isLost: true };
    effects.push({ type: 'lost', cause: `no picture for ${STALL_MS} ms` });
  }
  if (isDue(silenceOver(state))) {
    const limitMs = state.firstUnitAt === undefined ? START_MS_MAX : STALL_MS;
    next = { ...next, phase: 'killing' };
    effects.push({ type: 'kill', cause: `no picture for ${limitMs} ms` });
  }
  if (isDue(waitOver(state))) {
    next = { ...next, phase: 'running', startsAt: now };
    effects.push({ type: 'start' });
  }
  return { state: next, effects };
}

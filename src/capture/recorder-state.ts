import type { ErrorCode } from '../errors.js';
import { monotonicMs, type MonotonicMs } from '../units.js';
import { stepFunctionButton } from './function-button.js';
import type { RecorderMode, Trigger } from './ports.js';
import { decided, marked, refused } from './recorder-events.js';
import type {
  PowerLimit,
  RecorderEffect,
  RecorderEvent,
  RecorderPolicy,
  RecorderState,
  RecorderStep,
} from './recorder-events.js';

/** A stop is refused for this long after a fall or the start of another camera, unless it is confirmed. */
export const GUARD_MS = 60_000;
/** A second hold within this time confirms. */
export const CONFIRM_MS = 10_000;
/** Two presses within this time are a double press. */
export const DOUBLE_PRESS_MS = 600;

/** What the wearer is shown. While recording the light tells by itself whether pictures become durable. */
export function modeOf(state: RecorderState): RecorderMode {
  const { activity, video, storage, isClosed, isAsleep } = state;
  if (isClosed) return 'idle';
  if (activity !== 'none') return activity;
  if (isAsleep) return 'asleep';
  if (storage === 'failed' || video === 'lost' || video === 'failed') return 'fault';
  return video === 'up' ? 'buffering' : 'idle';
}

/**
 * Decides. Every press of a button, and of whatever presses in its place, gets one `decide`, at once or, where its length
 * matters, with its tap or hold. The press that began a recording is decided at once, so its hold cannot end it.
 */
export function stepRecorder(
  state: RecorderState,
  event: RecorderEvent,
  policy: RecorderPolicy,
): RecorderStep {
  const step = decide(state, event, policy);
  const mode = modeOf(step.state);
  if (mode === modeOf(state)) return step;
  return { ...step, effects: [...step.effects, { type: 'mode', mode, reason: reasonOf(event) }] };
}

function decide(state: RecorderState, event: RecorderEvent, policy: RecorderPolicy): RecorderStep {
  switch (event.type) {
    case 'videoUp':
      return { state: { ...state, video: 'up' }, effects: [] };
    case 'videoLost':
      return { state: { ...state, video: 'lost' }, effects: [] };
    case 'videoFailed':
      return { state: { ...state, video: 'failed' }, effects: [] };
    case 'press':
      return onRecordPress(state, event, policy);
    case 'trigger':
      return onTrigger(state, event);
    case 'begun':
      return onBegun(state, event);
    case 'beginFailed':
      return {
        state: { ...state, storage: 'failed' },
        effects: [...refused(event.press, 'refused-storage'), faultOf(event)],
      };
    case 'rolled':
      return { state: { ...state, rec: event.rec }, effects: [] };
    case 'tap':
    case 'hold':
      return event.press === state.undecided ? onPressEnd(state, event, policy) : none(state);
    case 'functionPress':
    case 'functionTap':
    case 'functionHold':
    case 'functionLongHold':
    case 'functionRelease':
      return stepFunctionButton(state, event, policy);
    case 'postEventOver':
      return state.activity === 'post-event' ? ended(state, [], policy) : none(state);
    case 'peersOver':
      return state.guardedBy === 'peer'
        ? { state: { ...state, guardedUntil: undefined, guardedBy: undefined }, effects: [] }
        : none(state);
    case 'pickingOver':
      return picked(state, policy);
    case 'limit':
      return onLimit(state, event.limit, policy);
    case 'storageFailed':
      return onStorageFailed(state, event);
    case 'storageOk':
      return { state: { ...state, storage: 'ok' }, effects: [] };
    case 'close':
      return onClose(state, policy);
  }
}

type PressEvent = Extract<RecorderEvent, { type: 'press' | 'trigger' }>;

function onRecordPress(
  state: RecorderState,
  event: PressEvent,
  { startsOn }: RecorderPolicy,
): RecorderStep {
  const { press, at } = event;
  const isStart = state.activity === 'none' && !state.isClosed && state.limit === undefined;
  const isFirst = state.firstPressAt === undefined || at - state.firstPressAt > DOUBLE_PRESS_MS;
  if (isStart && startsOn === 'double-press' && isFirst) {
    return { state: { ...state, firstPressAt: at }, effects: [decided(press, 'first-press')] };
  }
  return onPress({ ...state, firstPressAt: undefined }, event, 'press');
}

function onTrigger(
  state: RecorderState,
  event: Extract<RecorderEvent, { type: 'trigger' }>,
): RecorderStep {
  const { trigger, at, press } = event;
  if (state.activity !== 'recording') return onPress(state, event, trigger);
  return { state: guarded(state, trigger, at), effects: marked(press) };
}

/** A wearer who lies on the ground, or beside one who does, must not end the recording by a reflex. */
function guarded(state: RecorderState, trigger: Trigger, at: MonotonicMs): RecorderState {
  if (trigger !== 'fall' && trigger !== 'peer') return state;
  const { guardedUntil: until, guardedBy: by } = state;
  const guardedBy = by === 'fall' && until !== undefined && at < until ? 'fall' : trigger;
  const guardedUntil = monotonicMs(at + GUARD_MS);
  return { ...state, guardedUntil, guardedBy, confirmUntil: undefined };
}

function onPress(state: RecorderState, event: PressEvent, trigger: Trigger): RecorderStep {
  const { press, at, hasFootage } = event;
  if (state.isClosed) return { state, effects: refused(press, 'refused-fault') };
  if (state.limit !== undefined) {
    const outcome = state.limit === 'battery' ? 'refused-battery' : 'refused-heat';
    return { state, effects: refused(press, outcome) };
  }
  if (state.activity === 'recording') return { state: { ...state, undecided: press }, effects: [] };
  if (state.activity === 'post-event') {
    return {
      state: guarded({ ...state, activity: 'recording' }, trigger, at),
      effects: [
        { type: 'cancelPostEvent' },
        decided(press, 'started'),
        { type: 'signal', kind: 'started' },
      ],
    };
  }
  if (state.isAsleep) {
    return {
      state: { ...state, isAsleep: false, video: 'starting' },
      effects: [{ type: 'wake' }, { type: 'begin', press, trigger }],
    };
  }
  if (state.video === 'failed' && !hasFootage) {
    return { state, effects: refused(press, 'refused-no-video') };
  }
  return { state, effects: [{ type: 'begin', press, trigger }] };
}

function onBegun(
  state: RecorderState,
  { press, rec, trigger, at }: Extract<RecorderEvent, { type: 'begun' }>,
): RecorderStep {
  return {
    state: guarded(
      { ...state, activity: 'recording', rec, storage: 'ok', isMuted: false },
      trigger,
      at,
    ),
    effects: [decided(press, 'started'), { type: 'signal', kind: 'started' }],
  };
}

/** A press during a recording has turned out to be a tap or a hold. */
function onPressEnd(
  before: RecorderState,
  { type, press, at }: Extract<RecorderEvent, { type: 'tap' | 'hold' }>,
  policy: RecorderPolicy,
): RecorderStep {
  const state: RecorderState = { ...before, undecided: undefined };
  if (state.activity === 'none') {
    // The recording ended while the button was down: there is nothing left to mark or to stop.
    const outcome = state.storage === 'failed' ? 'refused-storage' : 'held';
    return { state, effects: refused(press, outcome) };
  }
  if (type === 'tap') return { state, effects: marked(press) };
  const isGuarded = state.guardedUntil !== undefined && at < state.guardedUntil;
  const isConfirmed = state.confirmUntil !== undefined && at <= state.confirmUntil;
  if (isGuarded && !isConfirmed) {
    return {
      state: { ...state, confirmUntil: monotonicMs(at + CONFIRM_MS) },
      effects: refused(press, 'refused-guarded'),
    };
  }
  const stopped: RecorderEffect[] = [
    decided(press, 'stopped'),
    { type: 'signal', kind: 'stopped' },
  ];
  return policy.hasPostEvent
    ? {
        state: { ...state, activity: 'post-event', guardedUntil: undefined },
        effects: [...stopped, { type: 'armPostEvent' }],
      }
    : ended(state, stopped, policy);
}

/** The recording is over; mute ends with it, and its category may be chosen now. */
function ended(
  state: RecorderState,
  before: readonly RecorderEffect[],
  policy: RecorderPolicy,
): RecorderStep {
  const over = picked(state, policy);
  const { rec } = state;
  const canPick = rec !== undefined && policy.categories.length > 0 && !state.isClosed;
  return {
    state: {
      ...over.state,
      activity: 'none',
      rec: undefined,
      isMuted: false,
      isMuteHeld: false,
      guardedUntil: undefined,
      confirmUntil: undefined,
      picking: canPick ? { rec, choice: undefined } : undefined,
    },
    effects: [
      ...over.effects,
      ...before,
      ...(state.isMuted ? [{ type: 'mute', isMuted: false, press: undefined } as const] : []),
      { type: 'stop' },
      ...(canPick ? [{ type: 'pick', choice: undefined } as const] : []),
    ],
  };
}

/** Whatever is chosen so far for the recording before counts. */
function picked(state: RecorderState, { categories }: RecorderPolicy): RecorderStep {
  const { picking } = state;
  if (picking === undefined) return none(state);
  const { rec, choice } = picking;
  const category = choice === undefined ? null : (categories[choice] ?? null);
  return {
    state: { ...state, picking: undefined },
    effects: [{ type: 'category', rec, category }],
  };
}

function onLimit(
  before: RecorderState,
  limit: PowerLimit | undefined,
  policy: RecorderPolicy,
): RecorderStep {
  const state: RecorderState = { ...before, limit };
  if (limit === undefined || state.activity === 'none') return { state, effects: [] };
  const effects: RecorderEffect[] = [
    { type: 'cancelPostEvent' },
    { type: 'signal', kind: 'stopped' },
  ];
  return ended(state, effects, policy);
}

function onStorageFailed(
  state: RecorderState,
  event: { readonly code: ErrorCode; readonly detail: string },
): RecorderStep {
  const failed: RecorderState = {
    ...state,
    activity: 'none',
    rec: undefined,
    isMuted: false,
    isMuteHeld: false,
    guardedUntil: undefined,
    storage: 'failed',
  };
  if (state.activity === 'none') return { state: failed, effects: [faultOf(event)] };
  return {
    state: failed,
    effects: [
      { type: 'cancelPostEvent' },
      { type: 'abandon' },
      { type: 'signal', kind: 'refused' },
      faultOf(event),
    ],
  };
}

function onClose(state: RecorderState, policy: RecorderPolicy): RecorderStep {
  const { undecided, functionPress } = state;
  const closed: RecorderState = {
    ...state,
    isClosed: true,
    undecided: undefined,
    functionPress: undefined,
  };
  const effects: RecorderEffect[] = [];
  if (undecided !== undefined) effects.push(decided(undecided, 'held'));
  if (functionPress !== undefined) effects.push(decided(functionPress, 'held'));
  if (state.activity === 'none') {
    const over = picked(closed, policy);
    return { state: over.state, effects: [...effects, ...over.effects] };
  }
  effects.push({ type: 'cancelPostEvent' });
  return ended(closed, effects, policy);
}

const none = (state: RecorderState): RecorderStep => ({ state, effects: [] });

const faultOf = ({ code, detail }: { code: ErrorCode; detail: string }): RecorderEffect => ({
  type: 'fault',
  code,
  detail,
});

/** What the log says beside a change of mode. */
function reasonOf(event: RecorderEvent): string {
  switch (event.type) {
    case 'videoUp':
      return 'pictures';
    case 'videoLost':
    case 'videoFailed':
      return event.cause;
    case 'beginFailed':
    case 'storageFailed':
      return event.code;
    case 'begun':
      return 'start';
    case 'postEventOver':
      return 'post-event over';
    case 'storageOk':
      return 'storage ok';
    case 'limit':
      return event.limit ?? 'limit over';
    case 'trigger':
      return event.trigger;
    default:
      return event.type;
  }
}

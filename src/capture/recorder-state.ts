import type { ErrorCode } from '../errors.js';
import type { PressOutcome, RecorderMode } from './ports.js';

/** What the recorder knows that decides what a press does. Starts with `startingRecorder`. */
export interface RecorderState {
  readonly activity: 'none' | 'recording' | 'post-event';
  /** `lost`: no pictures, and it is being restarted; `failed`: quick restarts did not help, it is tried once a minute. */
  readonly video: 'starting' | 'up' | 'lost' | 'failed';
  readonly storage: 'ok' | 'failed';
  readonly isClosed: boolean;
  /** A press during a recording, which is a mark or a stop, depending on how long it lasts. */
  readonly undecided: number | undefined;
}

export const startingRecorder: RecorderState = {
  activity: 'none',
  video: 'starting',
  storage: 'ok',
  isClosed: false,
  undecided: undefined,
};

export type RecorderEvent =
  | { readonly type: 'videoUp' }
  | { readonly type: 'videoLost' | 'videoFailed'; readonly cause: string }
  /** The record button went down. `hasFootage`: the pre-event buffer or the open GOP holds a picture. */
  | { readonly type: 'press'; readonly press: number; readonly hasFootage: boolean }
  /** It came up before it was a hold, or became a hold. */
  | { readonly type: 'tap' | 'hold'; readonly press: number }
  /** A fall was felt: it starts what a press starts and marks what runs, and stops nothing. */
  | { readonly type: 'fall'; readonly press: number; readonly hasFootage: boolean }
  /** The function button went down. */
  | { readonly type: 'functionPress'; readonly press: number }
  /** The answer of the storage to `begin`. */
  | { readonly type: 'begun'; readonly press: number }
  | {
      readonly type: 'beginFailed';
      readonly press: number;
      readonly code: ErrorCode;
      readonly detail: string;
    }
  | { readonly type: 'postEventOver' }
  | { readonly type: 'storageFailed'; readonly code: ErrorCode; readonly detail: string }
  | { readonly type: 'storageOk' }
  | { readonly type: 'close' };

export type RecorderEffect =
  /** Ask the storage for a recording; answered by `begun` or `beginFailed`. */
  | { readonly type: 'begin'; readonly press: number }
  | { readonly type: 'mark'; readonly press: number }
  /** End the recording with the GOP of this moment. */
  | { readonly type: 'stop' }
  /** The recording cannot go on; what is written stays for recovery. */
  | { readonly type: 'abandon' }
  | { readonly type: 'armPostEvent' | 'cancelPostEvent' }
  | { readonly type: 'decide'; readonly edge: number; readonly outcome: PressOutcome }
  | { readonly type: 'signal'; readonly kind: 'started' | 'marked' | 'stopped' | 'refused' }
  | { readonly type: 'mode'; readonly mode: RecorderMode; readonly reason: string }
  | { readonly type: 'fault'; readonly code: ErrorCode; readonly detail: string };

export interface RecorderStep {
  readonly state: RecorderState;
  readonly effects: readonly RecorderEffect[];
}

/** What the wearer is shown. While recording the light tells by itself whether pictures become durable. */
export function modeOf({ activity, video, storage, isClosed }: RecorderState): RecorderMode {
  if (isClosed) return 'idle';
  if (activity !== 'none') return activity;
  if (storage === 'failed' || video === 'lost' || video === 'failed') return 'fault';
  return video === 'up' ? 'buffering' : 'idle';
}

/**
 * Decides. Every press of the record button, of the function button and of a fall gets one `decide`, at once or, for a press
 * during a recording, with its `tap` or `hold`. The press that began a recording is decided at once, so its hold can
 * not end it. `hasPostEvent` says whether a recording goes on for a while after its stop.
 */
export function stepRecorder(
  state: RecorderState,
  event: RecorderEvent,
  hasPostEvent: boolean,
): RecorderStep {
  const step = decide(state, event, hasPostEvent);
  const mode = modeOf(step.state);
  if (mode === modeOf(state)) return step;
  return { ...step, effects: [...step.effects, { type: 'mode', mode, reason: reasonOf(event) }] };
}

function decide(state: RecorderState, event: RecorderEvent, hasPostEvent: boolean): RecorderStep {
  switch (event.type) {
    case 'videoUp':
      return { state: { ...state, video: 'up' }, effects: [] };
    case 'videoLost':
      return { state: { ...state, video: 'lost' }, effects: [] };
    case 'videoFailed':
      return { state: { ...state, video: 'failed' }, effects: [] };
    case 'press':
      return onPress(state, event.press, event.hasFootage);
    case 'fall':
      return state.activity === 'recording'
        ? { state, effects: marked(event.press) }
        : onPress(state, event.press, event.hasFootage);
    case 'begun':
      return {
        state: { ...state, activity: 'recording', storage: 'ok' },
        effects: [decided(event.press, 'started'), { type: 'signal', kind: 'started' }],
      };
    case 'beginFailed':
      return {
        state: { ...state, storage: 'failed' },
        effects: [...refused(event.press, 'refused-storage'), faultOf(event)],
      };
    case 'tap':
    case 'hold':
      return event.press === state.undecided ? onPressEnd(state, event, hasPostEvent) : none(state);
    case 'functionPress':
      return state.activity === 'none' || state.isClosed
        ? { state, effects: refused(event.press, 'held') }
        : { state, effects: marked(event.press) };
    case 'postEventOver':
      return state.activity === 'post-event'
        ? { state: { ...state, activity: 'none' }, effects: [{ type: 'stop' }] }
        : none(state);
    case 'storageFailed':
      return onStorageFailed(state, event);
    case 'storageOk':
      return { state: { ...state, storage: 'ok' }, effects: [] };
    case 'close':
      return onClose(state);
  }
}

function onPress(state: RecorderState, press: number, hasFootage: boolean): RecorderStep {
  if (state.isClosed) return { state, effects: refused(press, 'refused-fault') };
  if (state.activity === 'recording') return { state: { ...state, undecided: press }, effects: [] };
  if (state.activity === 'post-event') {
    return {
      state: { ...state, activity: 'recording' },
      effects: [
        { type: 'cancelPostEvent' },
        decided(press, 'started'),
        { type: 'signal', kind: 'started' },
      ],
    };
  }
  if (state.video === 'failed' && !hasFootage) {
    return { state, effects: refused(press, 'refused-no-video') };
  }
  return { state, effects: [{ type: 'begin', press }] };
}

/** A press during a recording has turned out to be a tap or a hold. */
function onPressEnd(
  before: RecorderState,
  { type, press }: { readonly type: 'tap' | 'hold'; readonly press: number },
  hasPostEvent: boolean,
): RecorderStep {
  const state: RecorderState = { ...before, undecided: undefined };
  if (state.activity === 'none') {
    // The recording ended while the button was down: there is nothing left to mark or to stop.
    const outcome = state.storage === 'failed' ? 'refused-storage' : 'held';
    return { state, effects: refused(press, outcome) };
  }
  if (type === 'tap') return { state, effects: marked(press) };
  const stopped: RecorderEffect[] = [
    decided(press, 'stopped'),
    { type: 'signal', kind: 'stopped' },
  ];
  return hasPostEvent
    ? {
        state: { ...state, activity: 'post-event' },
        effects: [...stopped, { type: 'armPostEvent' }],
      }
    : { state: { ...state, activity: 'none' }, effects: [...stopped, { type: 'stop' }] };
}

function onStorageFailed(
  state: RecorderState,
  event: { readonly code: ErrorCode; readonly detail: string },
): RecorderStep {
  const failed: RecorderState = { ...state, activity: 'none', storage: 'failed' };
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

function onClose(state: RecorderState): RecorderStep {
  const { undecided } = state;
  const effects: RecorderEffect[] = [];
  if (undecided !== undefined) effects.push(decided(undecided, 'held'));
  if (state.activity !== 'none') effects.push({ type: 'cancelPostEvent' }, { type: 'stop' });
  return {
    state: { ...state, activity: 'none', isClosed: true, undecided: undefined },
    effects,
  };
}

const none = (state: RecorderState): RecorderStep => ({ state, effects: [] });

const decided = (edge: number, outcome: PressOutcome): RecorderEffect => ({
  type: 'decide',
  edge,
  outcome,
});

/** A press that is not done must be felt. */
const refused = (press: number, outcome: PressOutcome): RecorderEffect[] => [
  decided(press, outcome),
  { type: 'signal', kind: 'refused' },
];

const marked = (press: number): RecorderEffect[] => [
  { type: 'mark', press },
  decided(press, 'mark'),
  { type: 'signal', kind: 'marked' },
];

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
    default:
      return event.type;
  }
}

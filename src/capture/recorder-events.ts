import type { ErrorCode } from '../errors.js';
import type { MonotonicMs } from '../units.js';
import type { SignalKind } from '../config/indicators.js';
import type { PressOutcome, RecorderMode, Trigger } from './ports.js';

// What the recorder decides about and with: `stepRecorder` and `stepFunctionButton` take and give these.

/** What the agency lets the wearer do, and how. */
export interface RecorderPolicy {
  /** A recording goes on for a while after its stop. */
  readonly hasPostEvent: boolean;
  readonly startsOn: 'press' | 'double-press';
  /** What a short press of the function button does while recording: mute as long as it is down, mute and unmute, or mark. */
  readonly mute: 'held' | 'toggle' | 'off';
  readonly allowsStealth: boolean;
  readonly allowsSleep: boolean;
  /** Names to choose from after a stop; none for no choice. */
  readonly categories: readonly string[];
}

/** What keeps a recording from going on, whatever the wearer wants. */
export type PowerLimit = 'battery' | 'thermal';

/** What the recorder knows that decides what a press does. Starts with `startingRecorder`. */
export interface RecorderState {
  readonly activity: 'none' | 'recording' | 'post-event';
  /** Number of the recording that runs. */
  readonly rec: number | undefined;
  /** `lost`: no pictures, and it is being restarted; `failed`: quick restarts did not help, it is tried once a minute. */
  readonly video: 'starting' | 'up' | 'lost' | 'failed';
  readonly storage: 'ok' | 'failed';
  readonly isClosed: boolean;
  readonly isAsleep: boolean;
  readonly isMuted: boolean;
  readonly isStealthy: boolean;
  readonly limit: PowerLimit | undefined;
  /** A press during a recording, which is a mark or a stop, depending on how long it lasts. */
  readonly undecided: number | undefined;
  /** A press of the function button whose meaning is open. */
  readonly functionPress: number | undefined;
  /** True while the function button mutes by being down. */
  readonly isMuteHeld: boolean;
  /** Until then a stop must be confirmed, because something other than the wearer wants the recording. */
  readonly guardedUntil: MonotonicMs | undefined;
  /** What wants it: the fall counts, where both do. */
  readonly guardedBy: 'fall' | 'peer' | undefined;
  /** Until then a hold confirms one that was refused. */
  readonly confirmUntil: MonotonicMs | undefined;
  /** First of two presses that start. */
  readonly firstPressAt: MonotonicMs | undefined;
  /** The recording that was stopped last while its category can still be chosen, and what is chosen. */
  readonly picking: { readonly rec: number; readonly choice: number | undefined } | undefined;
}

export const startingRecorder: RecorderState = {
  activity: 'none',
  rec: undefined,
  video: 'starting',
  storage: 'ok',
  isClosed: false,
  isAsleep: false,
  isMuted: false,
  isStealthy: false,
  limit: undefined,
  undecided: undefined,
  functionPress: undefined,
  isMuteHeld: false,
  guardedUntil: undefined,
  guardedBy: undefined,
  confirmUntil: undefined,
  firstPressAt: undefined,
  picking: undefined,
};

export type RecorderEvent =
  | { readonly type: 'videoUp' }
  | { readonly type: 'videoLost' | 'videoFailed'; readonly cause: string }
  /** The record button went down. `hasFootage`: the pre-event buffer or the open GOP holds a picture. */
  | {
      readonly type: 'press';
      readonly press: number;
      readonly at: MonotonicMs;
      readonly hasFootage: boolean;
    }
  /** It came up before it was a hold, or became a hold. */
  | { readonly type: 'tap' | 'hold'; readonly press: number; readonly at: MonotonicMs }
  /** Something starts what a press starts and marks what runs, and stops nothing. */
  | {
      readonly type: 'trigger';
      readonly trigger: Exclude<Trigger, 'press' | 'roll'>;
      readonly press: number;
      readonly at: MonotonicMs;
      readonly hasFootage: boolean;
    }
  | FunctionEvent
  /** The answer of the storage to `begin`. */
  | {
      readonly type: 'begun';
      readonly press: number;
      readonly rec: number;
      readonly trigger: Trigger;
      readonly at: MonotonicMs;
    }
  | {
      readonly type: 'beginFailed';
      readonly press: number;
      readonly code: ErrorCode;
      readonly detail: string;
    }
  /** The recording goes on under another number. */
  | { readonly type: 'rolled'; readonly rec: number }
  | { readonly type: 'postEventOver' }
  /** No other camera that started this one records any more: a stop needs no confirmation for their sake. */
  | { readonly type: 'peersOver' }
  | { readonly type: 'pickingOver' }
  /** A limit is reached, or none is any more. */
  | { readonly type: 'limit'; readonly limit: PowerLimit | undefined }
  | { readonly type: 'storageFailed'; readonly code: ErrorCode; readonly detail: string }
  | { readonly type: 'storageOk' }
  | { readonly type: 'close' };

/** What the function button does. */
export type FunctionEvent =
  | { readonly type: 'functionPress' | 'functionTap'; readonly press: number }
  /** Down for the time of a stop; down for so long that it is no slip. */
  | { readonly type: 'functionHold' | 'functionLongHold'; readonly press: number }
  | { readonly type: 'functionRelease' };

export type RecorderEffect =
  /** Ask the storage for a recording; answered by `begun` or `beginFailed`. */
  | { readonly type: 'begin'; readonly press: number; readonly trigger: Trigger }
  | { readonly type: 'mark'; readonly press: number }
  /** End the recording with the GOP of this moment. */
  | { readonly type: 'stop' }
  /** The recording cannot go on; what is written stays for recovery. */
  | { readonly type: 'abandon' }
  | { readonly type: 'armPostEvent' | 'cancelPostEvent' }
  /** Stop the encoder and forget the buffer; start it again. */
  | { readonly type: 'sleep' | 'wake' }
  /** From the moment of `press` on where there is one, else from now on. */
  | { readonly type: 'mute'; readonly isMuted: boolean; readonly press: number | undefined }
  | { readonly type: 'stealth'; readonly isStealthy: boolean }
  /** Wait for a choice, `choice` being what is chosen so far, by its number from 0. */
  | { readonly type: 'pick'; readonly choice: number | undefined }
  /** The choice is made, or none is. */
  | { readonly type: 'category'; readonly rec: number; readonly category: string | null }
  | { readonly type: 'decide'; readonly edge: number; readonly outcome: PressOutcome }
  | { readonly type: 'signal'; readonly kind: SignalKind }
  | { readonly type: 'mode'; readonly mode: RecorderMode; readonly reason: string }
  | { readonly type: 'fault'; readonly code: ErrorCode; readonly detail: string };

export interface RecorderStep {
  readonly state: RecorderState;
  readonly effects: readonly RecorderEffect[];
}

export const decided = (edge: number, outcome: PressOutcome): RecorderEffect => ({
  type: 'decide',
  edge,
  outcome,
});

/** A press that is not done must be felt. */
export const refused = (press: number, outcome: PressOutcome): RecorderEffect[] => [
  decided(press, outcome),
  { type: 'signal', kind: 'refused' },
];

export const marked = (press: number): RecorderEffect[] => [
  { type: 'mark', press },
  decided(press, 'mark'),
  { type: 'signal', kind: 'marked' },
];

import type {
  IndicatorTable,
  LightPattern,
  SignalRow,
  StateName,
  StateRow,
} from '../config/indicators.js';
import { stateNames } from '../config/indicators.js';
import type { Shown } from './ports.js';

/** The lights that a wearer reads, by what they are for. A board may lack `fault`. */
export interface Lights {
  /** Red: pictures are becoming durable. */
  readonly record: LightPattern;
  /** Green: the pre-event buffer is filling; a press will be recorded. */
  readonly status: LightPattern;
  /** Amber: something is wrong, or runs low, or footage is leaving in the dock. */
  readonly fault: LightPattern;
}

/** The recording light goes out when the last durable write is older than this: with a fragment a second, two are late. */
export const DURABLE_MS_MAX = 3000;
/** Pause between the pulses of a signal that is counted: short enough for 8, long enough to tell them apart. */
const COUNT_PAUSE_MS = 200;
/** Most pulses of such a signal. */
export const COUNT_MAX = 8;

/** What the indicators depend on beside the recorder. */
export interface IndicatorFacts {
  /** Every part of the board works and the check of the camera passed. */
  readonly isReady: boolean;
  readonly dock: 'none' | 'uploading' | 'uploaded';
  /** How much can still be recorded: less than an hour, or half of one. */
  readonly storage: 'ample' | 'hour' | 'half-hour';
  readonly isBatteryLow: boolean;
  readonly isClockUnset: boolean;
}

export const fineFacts: IndicatorFacts = {
  isReady: true,
  dock: 'none',
  storage: 'ample',
  isBatteryLow: false,
  isClockUnset: false,
};

/** The rows of the table that hold now, from the weakest to the strongest; none in stealth, which shows nothing. */
export function activeStates(shown: Shown, facts: IndicatorFacts): StateName[] {
  if (shown.isStealthy) return [];
  const { mode } = shown;
  const isRecording = mode === 'recording' || mode === 'post-event';
  const isAwake = mode !== 'idle' && mode !== 'asleep';
  const isHeld = mode === 'asleep' || mode === 'buffering';
  const holds: Readonly<Record<StateName, boolean>> = {
    idle: mode === 'idle',
    asleep: mode === 'asleep',
    buffering: mode === 'buffering',
    picking: mode === 'buffering' && shown.isPicking,
    uploaded: isHeld && facts.dock === 'uploaded',
    uploading: isHeld && facts.dock === 'uploading',
    // Post-event and a late card are told on top of it, so that its reminder goes on through both.
    recording: isRecording,
    postEvent: mode === 'post-event',
    storageHour: isAwake && facts.storage === 'hour',
    storageHalfHour: isAwake && facts.storage === 'half-hour',
    batteryLow: mode !== 'idle' && facts.isBatteryLow,
    clockUnset: isAwake && facts.isClockUnset,
    notReady: isAwake && !facts.isReady,
    muted: isRecording && shown.isMuted,
    notDurable: isRecording && !shown.isDurable,
    fault: mode === 'fault',
  };
  return stateNames.filter((name) => holds[name]);
}

/** What each light shows: the word of the strongest state that names it. */
export function lightsFor({ states }: IndicatorTable, active: readonly StateName[]): Lights {
  let lights: Lights = { record: 'off', status: 'off', fault: 'off' };
  for (const name of active) {
    const { record, status, fault } = states[name];
    lights = {
      record: record ?? lights.record,
      status: status ?? lights.status,
      fault: fault ?? lights.fault,
    };
  }
  return lights;
}

/** A pattern of one pulse, `count` times; any other as it is. */
export function repeated(pulsesMs: readonly number[], count: number): number[] {
  const [pulseMs, ...rest] = pulsesMs;
  if (pulseMs === undefined || rest.length > 0) return [...pulsesMs];
  const times = Math.min(Math.max(1, count), COUNT_MAX);
  return Array.from({ length: 2 * times - 1 }, (_, index) =>
    index % 2 === 0 ? pulseMs : COUNT_PAUSE_MS,
  );
}

/** How long a word takes to be said. */
export const lengthMs = ({ vibrationMs, toneMs }: SignalRow | StateRow): number =>
  Math.max(sum(vibrationMs), sum(toneMs));

const sum = (values: readonly number[]): number => values.reduce((a, b) => a + b, 0);

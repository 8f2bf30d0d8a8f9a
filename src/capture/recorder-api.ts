import type { Clock } from '../clock.js';
import type { ErrorCode } from '../errors.js';
import type { VideoSource } from '../hal/ports/video.js';
import type { Logger } from '../log.js';
import type { MonotonicMs } from '../units.js';
import type {
  FrameWallClock,
  Indicator,
  Journal,
  PreEventFacts,
  PressOrigin,
  PressOutcome,
  RecorderMode,
  RecordingSink,
  Trigger,
} from './ports.js';
import type { BufferLimits } from './pre-event-buffer.js';
import type { AudioSettings } from './recordings.js';
import type { RecorderPolicy } from './recorder-events.js';
import type { StartStep } from './recordings.js';
import type { Rotation } from './rotation.js';

export interface RecorderPorts {
  readonly clock: Clock;
  readonly video: VideoSource;
  readonly sink: RecordingSink;
  readonly journal: Journal;
  readonly indicator: Indicator;
  readonly log: Logger;
  /** Gives each picture the time that is written into it; left out, none is. */
  readonly frameClock?: FrameWallClock | undefined;
  /** Asked when a recording begins: how its pictures are turned. Left out, they are not. */
  readonly rotation?: () => Rotation;
}

export interface RecorderSettings {
  /** Launch line of the pipeline, for pictures only. */
  readonly launch: string;
  /** What the encoder was asked for; without it its bit rate is not watched. */
  readonly bitrateKbps?: number;
  /** The same with the microphone; left out without one or when it is off. */
  readonly launchWithAudio?: string | undefined;
  /** Whether what was heard before a press may be kept and recorded. Not when left out. */
  readonly isPreEventAudio?: boolean;
  readonly preEventMs: number;
  /** A recording goes on for this long after its stop; 0 for not at all. */
  readonly postEventMs: number;
  readonly segmentMs: number;
  readonly debounceIntervalMs: number;
  /** How long the record button is held to stop. */
  readonly holdMs: number;
  readonly longHoldMs: number;
  /** The longest recording; it goes on under another number then. */
  readonly recordingMsMax: number;
  readonly policy: Omit<RecorderPolicy, 'hasPostEvent'>;
  /** Limit of the pre-event buffer in memory. */
  readonly bufferBytesMax: number;
  /** Limit of what waits for the card, the whole buffer at a press included: see `queueBytesFor`. */
  readonly queueBytesMax: number;
}

/** What the settings leave to the pre-event buffer. */
export const bufferLimitsOf = ({ preEventMs, bufferBytesMax }: RecorderSettings): BufferLimits => ({
  ms: preEventMs,
  bytes: bufferBytesMax,
});

/** What the settings say of sound. */
export const audioSettingsOf = ({
  launchWithAudio,
  isPreEventAudio,
}: RecorderSettings): AudioSettings => ({
  isOn: launchWithAudio !== undefined,
  isInPreEvent: isPreEventAudio === true,
});

/** What happens, for who shows or measures it. Listeners only take note; what they throw is logged. */
export interface RecorderListener {
  modeChanged?(mode: RecorderMode): void;
  /** What a press came to, and of what; bounces and releases are not told. */
  pressDecided?(outcome: PressOutcome, origin: PressOrigin): void;
  /** What the log is told as a fault. */
  faulted?(fault: { readonly code: ErrorCode; readonly detail: string }): void;
  recordingStarted?(facts: {
    readonly rec: number;
    readonly trigger: Trigger;
    readonly preEvent: PreEventFacts;
  }): void;
  /** Milliseconds from the press edge to a step of the recording that it started. */
  reached?(step: StartStep, rec: number, latencyMs: number): void;
  segmentSealed?(segment: { readonly rec: number; readonly seq: number }): void;
  /** From `at` on nothing is lit, felt or heard, or all is again. */
  stealthChanged?(isStealthy: boolean, at: MonotonicMs): void;
  /** A category was chosen for a recording that has ended, or none was. */
  categoryChosen?(choice: { readonly rec: number; readonly category: string | null }): void;
  /** All segments are sealed. Not called for a recording that failed. */
  recordingStopped?(facts: { readonly rec: number; readonly durationMs: number }): void;
}

/** What the camera is doing now. */
export interface RecorderStatus {
  readonly mode: RecorderMode;
  readonly isMuted: boolean;
  readonly isStealthy: boolean;
  /** Number of the recording that is running. */
  readonly rec: number | null;
  readonly recordingMs: number;
  readonly bufferedMs: number;
  readonly bufferedBytes: number;
  /** Bytes that the storage has not answered for. */
  readonly waitingBytes: number;
  /** Access units since the start of the process. */
  readonly frames: number;
  /** Lives of the encoder so far; more than 1 means restarts. */
  readonly runs: number;
  readonly isDurable: boolean;
  /** Since the last durable write of the running recording. */
  readonly lastDurableMsAgo: number | null;
}

/** A card that stops answering for this long loses nothing: SD cards pause for seconds when they erase. */
const CARD_PAUSE_MS = 30_000;
/** Peaks of an encoder at constant bit rate over such a time. */
const PEAK_FACTOR = 1.5;
/** Enough for the whole pre-event buffer and a pause of the card. */
export const queueBytesFor = (bufferBytesMax: number, bitrateKbps: number): number =>
  bufferBytesMax + Math.ceil((CARD_PAUSE_MS * bitrateKbps * PEAK_FACTOR) / 8);

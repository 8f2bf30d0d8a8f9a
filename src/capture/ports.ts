import type { SignalKind } from '../config/indicators.js';
import type { WallTime } from '../clock.js';
import type { MonotonicMs, Pts90k } from '../units.js';
import type { Rotation } from './rotation.js';

/** Picture format of one run, from the caps packet of its stream. Constant for the life of the run. */
export interface VideoFormat {
  /** AVCDecoderConfigurationRecord, ISO/IEC 14496-15 §5.3.3.1. */
  readonly avcC: Buffer;
  readonly width: number;
  readonly height: number;
}

/** One AAC frame and when it was heard. */
export interface AudioFrame {
  readonly data: Buffer;
  /** Media time of the first sample it decodes to, on the clock of its run. */
  readonly start90k: Pts90k;
  /** The same moment on the monotonic clock, never too early, up to the delay of the pipeline too late. */
  readonly capturedAt: MonotonicMs;
}

/** What the microphone gave since the fragment before. */
export interface FragmentAudio {
  /** AudioSpecificConfig, ISO/IEC 14496-3 §1.6.2.1. The init of the fragment declares a track of it. */
  readonly config: Buffer;
  /** In order; most are of the time of the fragment, the newest of that time may come with the next. */
  readonly frames: readonly AudioFrame[];
}

/** One GOP as a finished moof + mdat, with the facts needed to place it in any segment. */
export interface Fragment {
  /** Which life of the pipeline it comes from, counted from 1 within a boot. Times of two runs are unrelated. */
  readonly run: number;
  readonly format: VideoFormat;
  /** moof box whose decode time and sequence number are still those of a fragment on its own. */
  readonly moof: Buffer;
  /** mdat box, header included. Shared between the pre-event buffer and the writer, never copied, never changed. */
  readonly mdat: Buffer;
  /** ftyp + moov that a segment starting with this fragment begins with. */
  readonly init: Buffer;
  readonly start90k: Pts90k;
  readonly duration90k: number;
  readonly frames: number;
  /** When the last access unit of the GOP arrived. */
  readonly arrivedAt: MonotonicMs;
  /** Undefined in a run without a microphone, and until it has said its format. */
  readonly audio?: FragmentAudio | undefined;
}

/** Why a recording holds less pre-event than was asked. `none` when it holds all of it. */
export type PreEventShortfall = 'none' | 'boot' | 'memory' | 'pipeline-restart' | 'sleep';

/** What a recording began with. `roll`: the recording before it had its longest time and goes on in this one. */
export type Trigger = 'press' | 'fall' | 'command' | 'peer' | 'roll';

export interface PreEventFacts {
  readonly askedMs: number;
  readonly gotMs: number;
  readonly reason: PreEventShortfall;
}

/** Why a segment ends. `power-loss` is never said by a running recorder, only by recovery. */
export type SegmentEnd = 'normal' | 'storage-full' | 'stall';

/** What is known when a segment opens. */
export interface SegmentOpening {
  /** Recording number within this boot, from `RecordingSink.beginRecording`. */
  readonly rec: number;
  /** Position in the recording, from 0. */
  readonly seq: number;
  readonly run: number;
  readonly format: VideoFormat;
  /** ftyp + moov, turned by `rotation`; the writer puts it before the first fragment. */
  readonly init: Buffer;
  /** How players turn the pictures; the same in the whole recording. */
  readonly rotation: Rotation;
  /** Media time of the first access unit in its run; inside the segment time starts at 0. */
  readonly start90k: Pts90k;
  /** When the first access unit arrived, to one frame, and its media time from the start of the recording. */
  readonly startedAt: MonotonicMs;
  readonly mediaMs: number;
  /** Time without pictures between the previous segment of the recording and this one; 0 when it joins exactly. */
  readonly gapBeforeMs: number;
  /** Only in the first segment of a recording. */
  readonly preEvent?: PreEventFacts;
  readonly trigger?: Trigger;
}

/** A fragment placed in its segment: decode time relative to the segment's start, sequence number set. */
export interface PlacedFragment {
  readonly parts: readonly Buffer[];
  /** Start of the fragment from the start of the segment. */
  readonly offset90k: number;
  readonly duration90k: number;
  readonly frames: number;
}

/** A moment the wearer marked, on the monotonic clock and as media time from the start of the recording. */
export interface Mark {
  readonly at: MonotonicMs;
  readonly mediaMs: number;
}

/** Why there is no sound: the wearer muted it, or there was none to be had. */
export type AudioIntervalKind = 'mute' | 'audio-lost';

/**
 * A part of a recording whose sound was replaced by silence. Whole milliseconds from the start of the recording; a mute
 * is silent to the sample in between, a loss lies within.
 */
export interface AudioInterval {
  readonly kind: AudioIntervalKind;
  readonly fromMs: number;
  readonly toMs: number;
}

export interface SegmentClosing {
  readonly end: SegmentEnd;
  /** True for the last segment of the recording. */
  readonly isLast: boolean;
  readonly marks: readonly Mark[];
  /** Of this segment, in order; one that goes on is continued in the next. */
  readonly audio: readonly AudioInterval[];
}

export interface OpenSegment {
  /**
   * Resolves when all but the newest 64 KiB of the fragment is durable; a signed head over it follows. Calls may
   * overlap: fragments keep their order, and neighbours may become durable together.
   */
  append(fragment: PlacedFragment): Promise<void>;
  /** Writes the final chunk, the sealed metadata and the signed manifest; the segment is immutable afterwards. */
  seal(closing: SegmentClosing): Promise<void>;
  /** Gives the segment up as a power cut would: nothing more is written, recovery seals it at the next start. */
  abandon(): Promise<void>;
}

/** What capture needs from storage. Storage satisfies it by shape; it does not import this file. */
export interface RecordingSink {
  /** The number of a new recording, never given twice in this boot. */
  beginRecording(): Promise<number>;
  /**
   * Rejects with `storage/disk-full` when there is no room for a segment. The segment before it may still be open, so
   * that it can be sealed as the last one in that case; seals are asked for in the order of the segments.
   */
  openSegment(opening: SegmentOpening): Promise<OpenSegment>;
}

/** What is believed of wall time, for the pictures. */
export interface FrameWallClock {
  /** The wall time of a moment of this boot, as far as is known now. Called for each picture. */
  wallAt(at: MonotonicMs): WallTime;
}

/** What presses: a button, or in its place a fall, a signed command, another camera. */
export type PressOrigin = 'record' | 'function' | 'fall' | 'command' | 'peer';

/** Which edge of which button, when, before anything is decided about it. */
export interface PressEdge {
  readonly button: PressOrigin;
  readonly isPressed: boolean;
  readonly at: MonotonicMs;
  /** True when the contact was not, or may not have been, quiet before it. */
  readonly isBounce?: boolean;
}

/** What became of an edge. Every edge gets exactly one. */
export type PressOutcome =
  | 'started'
  | 'mark'
  | 'stopped'
  /** A press that came to nothing: there was nothing to mark or to stop. */
  | 'held'
  /** The end of a press, which was decided by itself. */
  | 'released'
  | 'bounce'
  /** The first of two presses that start. */
  | 'first-press'
  | 'mute-on'
  | 'mute-off'
  | 'stealth-on'
  | 'stealth-off'
  | 'slept'
  | 'woke'
  /** A step through the categories. */
  | 'category'
  | 'refused-no-video'
  | 'refused-storage'
  | 'refused-fault'
  /** A stop that must be confirmed by another hold. */
  | 'refused-guarded'
  | 'refused-battery'
  | 'refused-heat';

/** Facts for the device log. */
export type JournalFact =
  | { readonly type: 'mode'; readonly mode: RecorderMode; readonly reason: string }
  | { readonly type: 'fault'; readonly code: string; readonly detail: string }
  | {
      readonly type: 'gap';
      readonly rec: number | null;
      readonly gapMs: number;
      readonly cause: string;
    }
  /** From `at` on, at `mediaMs` of the recording. */
  | {
      readonly type: 'mute';
      readonly rec: number;
      readonly isMuted: boolean;
      readonly at: MonotonicMs;
      readonly mediaMs: number;
    }
  | { readonly type: 'stealth'; readonly isStealthy: boolean }
  /** Null when none was chosen. */
  | { readonly type: 'category'; readonly rec: number; readonly category: string | null }
  /** The recording `from` had its longest time and goes on as `rec`, without a frame between them. */
  | { readonly type: 'rolled'; readonly rec: number; readonly from: number };

export type RecorderMode = 'idle' | 'asleep' | 'buffering' | 'recording' | 'post-event' | 'fault';

/** The device log as capture sees it. */
export interface Journal {
  /** Durable before it resolves; the number names the edge in `decided`. */
  pressed(edge: PressEdge): Promise<number>;
  decided(edge: number, outcome: PressOutcome, latencyMs: number): Promise<void>;
  record(fact: JournalFact): Promise<void>;
}

/** What the recorder tells of itself by its lights. */
export interface Shown {
  readonly mode: RecorderMode;
  /** The newest durable write of the running recording is younger than `DURABLE_MS_MAX`. */
  readonly isDurable: boolean;
  readonly isMuted: boolean;
  /** Nothing is lit, felt or heard. */
  readonly isStealthy: boolean;
  /** The wearer is asked for the category of the recording that ended. */
  readonly isPicking: boolean;
}

/** What the wearer sees and feels. Which light that is, is the board's matter. */
export interface Indicator {
  show(shown: Shown): void;
  /**
   * A short word, felt and heard once. `count` repeats it where it is counted: the number of a category, the seconds of a
   * hold. `stealthOn` comes before the `show` that is stealthy, `stealthOff` after the one that is not; between them every
   * signal is swallowed.
   */
  signal(kind: SignalKind, count?: number): void;
}

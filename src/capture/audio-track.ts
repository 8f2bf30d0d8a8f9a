import { monotonicMs, ticksToMs, type MonotonicMs } from '../units.js';
import type { AudioFrame, AudioIntervalKind } from './ports.js';

/** Samples of one AAC frame, and how long it lasts at 48 kHz: 21.33 ms, exactly 1920 ticks. */
export const AUDIO_FRAME_SAMPLES = 1024;
export const AUDIO_FRAME_90K = 1920;
/** What an AAC frame is made of was heard during this long: its own time and that of the next frame. */
const HEARD_90K = 2 * AUDIO_FRAME_90K;
/**
 * A frame may stand this far from its own time, 16 ms, before one is left out or a silent one put in. More than half a
 * frame, so that what was corrected once is not corrected back.
 */
const SLACK_90K = (AUDIO_FRAME_90K * 3) / 4;
/** One silent AAC-LC frame of one channel, as avenc_aac makes it of digital silence. */
export const SILENT_FRAME = Buffer.from('01182007', 'hex');

/** Times in which nothing may be heard; `to` is undefined while it lasts. Oldest first. */
export interface Mute {
  readonly from: MonotonicMs;
  readonly to: MonotonicMs | undefined;
}

/** One frame of the track: as it came, or a silent one in its place. */
export interface LaidFrame {
  readonly data: Buffer;
  readonly start90k: number;
  readonly kind: 'heard' | AudioIntervalKind;
}

/** How far the track of a recording has been laid. */
export interface AudioTrackState {
  /** The run whose clock the times are of; 0 before the first. */
  readonly run: number;
  /** Nothing stands before it. */
  readonly base90k: number;
  /** Where the next frame stands; undefined until the first frame of the run has come or is overdue. */
  readonly next90k: number | undefined;
  /** What the newest frame is. */
  readonly newest: LaidFrame['kind'];
}

export const emptyTrack: AudioTrackState = {
  run: 0,
  base90k: 0,
  next90k: undefined,
  newest: 'heard',
};

/** The frames that have come, and the time that they are laid for. */
export interface AudioArrival {
  readonly run: number;
  readonly frames: readonly AudioFrame[];
  /** Where the sound of a run may begin, when it has not: the start of these pictures, or the press. */
  readonly base90k: number;
  /** What has not come up to here is not waited for: some time before the end of the pictures. */
  readonly due90k: number;
  readonly end90k: number;
  /** When, on the monotonic clock, the moment `end90k` was. */
  readonly endAt: MonotonicMs;
  readonly mutes: readonly Mute[];
}

/**
 * Lays frames one after the other without a hole or an overlap. What is missing between two frames, and what has not
 * come in time, is filled with silent frames; what comes too late for its place is left out; a frame that holds anything
 * heard while muted is replaced by a silent one.
 */
export function layAudio(
  state: AudioTrackState,
  arrival: AudioArrival,
): { readonly state: AudioTrackState; readonly laid: readonly LaidFrame[] } {
  const laid: LaidFrame[] = [];
  const isSameRun = state.run === arrival.run;
  const base90k = isSameRun ? state.base90k : arrival.base90k;
  let next90k = isSameRun ? state.next90k : undefined;
  const put = (data: Buffer, at: MonotonicMs, otherwise: LaidFrame['kind']): void => {
    const start90k = next90k ?? base90k;
    const isMute = isMuted(arrival.mutes, at);
    laid.push({ data: isMute ? SILENT_FRAME : data, start90k, kind: isMute ? 'mute' : otherwise });
    next90k = start90k + AUDIO_FRAME_90K;
  };
  const fill = (count: number): void => {
    for (let index = 0; index < count; index += 1) {
      const start90k = next90k ?? base90k;
      const at = monotonicMs(arrival.endAt - ticksToMs(arrival.end90k - start90k));
      put(SILENT_FRAME, at, 'audio-lost');
    }
  };
  for (const { data, start90k, capturedAt } of arrival.frames) {
    if (next90k === undefined && start90k < base90k) continue;
    next90k ??= start90k;
    const ahead90k = start90k - next90k;
    if (ahead90k < -SLACK_90K) continue;
    if (ahead90k > SLACK_90K) fill(Math.round(ahead90k / AUDIO_FRAME_90K));
    put(data, capturedAt, 'heard');
  }
  fill(Math.max(0, Math.ceil((arrival.due90k - (next90k ?? base90k)) / AUDIO_FRAME_90K)));
  const newest = laid.at(-1)?.kind ?? state.newest;
  return { state: { run: arrival.run, base90k, next90k, newest }, laid };
}

/** Whether anything of what was heard from `at` on for the length of a frame's sound is muted. */
function isMuted(mutes: readonly Mute[], at: MonotonicMs): boolean {
  const end = at + ticksToMs(HEARD_90K);
  return mutes.some(({ from, to }) => end > from && (to === undefined || at < to));
}

/** A stretch of the track without its sound; times as those of the frames. */
export interface SilentStretch {
  readonly kind: AudioIntervalKind;
  readonly from90k: number;
  readonly to90k: number;
}

/**
 * The silent stretches of frames that follow a frame of kind `before`. A mute begins one frame after its first silent
 * one, because the half of the frame before fades out over that: from there on it is silent to the sample.
 */
export function silentStretches(
  laid: readonly LaidFrame[],
  before: LaidFrame['kind'],
): readonly SilentStretch[] {
  let last = before;
  const stretches: SilentStretch[] = [];
  for (const { kind, start90k } of laid) {
    const isFading = kind === 'mute' && last === 'heard';
    last = kind;
    if (kind === 'heard' || isFading) continue;
    addStretch(stretches, { kind, from90k: start90k, to90k: start90k + AUDIO_FRAME_90K });
  }
  return stretches;
}

/** Puts a stretch at the end of a list; one that follows its like without a hole makes that longer. */
export function addStretch(stretches: SilentStretch[], stretch: SilentStretch): void {
  const last = stretches.at(-1);
  if (last?.kind === stretch.kind && last.to90k === stretch.from90k) {
    stretches[stretches.length - 1] = { ...last, to90k: stretch.to90k };
  } else stretches.push(stretch);
}

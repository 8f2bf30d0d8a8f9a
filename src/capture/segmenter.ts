import { monotonicMs, msToTicks, TICKS_PER_SECOND, ticksToMs, type MonotonicMs } from '../units.js';
import { audioBoxes, toSamples } from './audio-boxes.js';
import {
  AUDIO_FRAME_SAMPLES,
  emptyTrack,
  layAudio,
  silentStretches,
  type AudioTrackState,
  type LaidFrame,
  type Mute,
  type SilentStretch,
} from './audio-track.js';
import { gapBetween90k, joinsExactly } from './fragments.js';
import { placeMoof } from './mp4-boxes.js';
import type { Fragment, PlacedFragment, SegmentOpening } from './ports.js';

/** What a fragment becomes: perhaps the first of a new segment, and its place in the segment. */
export interface Placement {
  /** Audio that still belongs to the segment that is over now; only beside `opening`. */
  readonly tail?: PlacedFragment;
  readonly tailSilence: readonly SilentStretch[];
  /** Present when the fragment opens a segment; the segment before it, if any, is over. */
  readonly opening?: Omit<SegmentOpening, 'rec' | 'preEvent' | 'rotation'>;
  readonly placed: PlacedFragment;
  /** Where the sound of `placed` is silent, in ticks from the start of the recording. */
  readonly silence: readonly SilentStretch[];
}

/** What of the sound a recording takes. */
export interface AudioRules {
  /** Nothing heard before is taken. */
  readonly from: MonotonicMs;
  readonly mutes: readonly Mute[];
  /** Whether there should be sound: its absence is a loss then. */
  readonly isExpected: boolean;
}

export const ALL_AUDIO: AudioRules = { from: monotonicMs(0), mutes: [], isExpected: false };

/** Where a recording stands. */
export interface SegmenterState {
  /** Segments opened so far. */
  readonly segments: number;
  /** The newest fragment placed, undefined before the first. */
  readonly newest: Fragment | undefined;
  /** moof boxes and media time in the open segment. */
  readonly moofs: number;
  readonly segment90k: number;
  /** From the start of the recording to the end of the newest fragment, gaps included. */
  readonly timeline90k: number;
  /** Start of the open segment in its run, and in the recording. */
  readonly start90k: number;
  readonly startsAt90k: number;
  readonly track: AudioTrackState;
  /** Samples in the open segment before the next frame; undefined before its first. */
  readonly nextSample: number | undefined;
}

export const emptyRecording: SegmenterState = {
  segments: 0,
  newest: undefined,
  moofs: 0,
  segment90k: 0,
  timeline90k: 0,
  start90k: 0,
  startsAt90k: 0,
  track: emptyTrack,
  nextSample: undefined,
};

/**
 * Gives the next fragment of a recording its place. A segment ends when it has `segmentMs` or more, and whenever the
 * next fragment does not join exactly: another run, another format, or a hole in the media time. Its time starts at 0,
 * and its fragments follow each other without a hole or an overlap; so do its audio frames, which go to the segment in
 * whose time they start, however late they came.
 */
export function placeFragment(
  state: SegmenterState,
  fragment: Fragment,
  segmentMs: number,
  rules: AudioRules = ALL_AUDIO,
): { readonly state: SegmenterState; readonly placement: Placement } {
  const { newest } = state;
  const gapBeforeMs = newest ? Math.round(ticksToMs(gapBetween90k(newest, fragment))) : 0;
  const opens =
    newest === undefined ||
    !joinsExactly(newest, fragment) ||
    state.segment90k >= msToTicks(segmentMs);
  const { run, format, init, start90k, duration90k } = fragment;
  const startsAt90k = state.timeline90k + msToTicks(gapBeforeMs);
  const segment = opens
    ? { start90k, startsAt90k, moofs: 0, segment90k: 0, nextSample: undefined }
    : state;
  const isNext = opens && gapBeforeMs === 0 && newest?.run === run && newest.audio !== undefined;
  const track = layTrack(state.track, fragment, rules, isNext ? start90k : 0);
  const older = isNext ? track.laid.filter((frame) => frame.start90k < start90k) : [];
  const tail = putAudio(state, older, state.track.newest);
  const before = older.at(-1)?.kind ?? state.track.newest;
  const own = track.laid.slice(older.length).filter((frame) => frame.start90k >= segment.start90k);
  const withPictures = { ...segment, moofs: segment.moofs + 1 };
  const audio = putAudio(withPictures, own, before);
  const moof = placeMoof(fragment.moof, segment.segment90k, withPictures.moofs);
  const placed = {
    parts: [moof, fragment.mdat, ...audio.parts],
    offset90k: segment.segment90k,
    duration90k,
    frames: fragment.frames,
  };
  const timeline90k = startsAt90k + duration90k;
  const { frames } = fragment;
  const frames90k = frames > 0 ? (duration90k * (frames - 1)) / frames : 0;
  const startedAt = monotonicMs(fragment.arrivedAt - ticksToMs(frames90k));
  const place = { start90k, startedAt, mediaMs: ticksToMs(startsAt90k), gapBeforeMs };
  const opening = { seq: state.segments, run, format, init, ...place };
  const tailPiece = { parts: tail.parts, offset90k: state.segment90k, duration90k: 0, frames: 0 };
  return {
    state: {
      segments: opens ? state.segments + 1 : state.segments,
      newest: fragment,
      moofs: withPictures.moofs + audio.moofs,
      segment90k: segment.segment90k + duration90k,
      timeline90k,
      start90k: segment.start90k,
      startsAt90k: segment.startsAt90k,
      track: track.state,
      nextSample: audio.nextSample,
    },
    placement: {
      placed,
      silence: [...missing(fragment, rules, timeline90k), ...audio.silence],
      tailSilence: tail.silence,
      ...(tail.parts.length > 0 ? { tail: tailPiece } : {}),
      ...(opens ? { opening } : {}),
    },
  };
}

/** What of a fragment is to have sound: until when it lasts on the monotonic clock, and from where on it is wanted. */
function wantedOf(
  { start90k, duration90k, arrivedAt, frames }: Fragment,
  { from }: AudioRules,
): { readonly endAt: MonotonicMs; readonly end90k: number; readonly wanted90k: number } {
  // The newest picture has arrived when it began; the fragment ends one picture later.
  const endAt = monotonicMs(arrivedAt + ticksToMs(duration90k / Math.max(1, frames)));
  const end90k = start90k + duration90k;
  return { endAt, end90k, wanted90k: Math.max(start90k, end90k - msToTicks(endAt - from)) };
}

/** The loss of a fragment that should have sound and whose run has no microphone. */
function missing(
  fragment: Fragment,
  rules: AudioRules,
  timeline90k: number,
): readonly SilentStretch[] {
  const { end90k, wanted90k } = wantedOf(fragment, rules);
  if (fragment.audio !== undefined || !rules.isExpected || wanted90k >= end90k) return [];
  const from90k = timeline90k - (end90k - wanted90k);
  return [{ kind: 'audio-lost', from90k, to90k: timeline90k }];
}

/** Sound that comes later than this after the pictures of its time is not waited for. */
const LATE_90K = TICKS_PER_SECOND;

/**
 * Lays what has come of the sound; nothing for a fragment whose init declares no track for it. A segment that ends at
 * `seam90k` is not left open for what has not come by then.
 */
function layTrack(
  state: AudioTrackState,
  fragment: Fragment,
  rules: AudioRules,
  seam90k: number,
): ReturnType<typeof layAudio> {
  const { audio, run } = fragment;
  const { endAt, end90k, wanted90k } = wantedOf(fragment, rules);
  if (audio === undefined || wanted90k >= end90k) return { state, laid: [] };
  return layAudio(state, {
    run,
    frames: audio.frames.filter(({ capturedAt }) => capturedAt >= rules.from),
    base90k: wanted90k,
    due90k: Math.max(seam90k, end90k - LATE_90K),
    end90k,
    endAt,
    mutes: rules.mutes,
  });
}

interface PutAudio {
  readonly parts: readonly Buffer[];
  readonly moofs: number;
  readonly nextSample: number | undefined;
  readonly silence: readonly SilentStretch[];
}

/** Frames as boxes of a segment, and where they are silent in the recording. */
function putAudio(
  segment: Pick<SegmenterState, 'start90k' | 'startsAt90k' | 'moofs' | 'nextSample'>,
  frames: readonly LaidFrame[],
  before: LaidFrame['kind'],
): PutAudio {
  const [first] = frames;
  if (first === undefined) {
    return { parts: [], moofs: 0, nextSample: segment.nextSample, silence: [] };
  }
  const start = segment.nextSample ?? toSamples(first.start90k - segment.start90k);
  const shift90k = segment.startsAt90k - segment.start90k;
  return {
    ...audioBoxes(frames, start, segment.moofs + 1),
    nextSample: start + frames.length * AUDIO_FRAME_SAMPLES,
    silence: silentStretches(frames, before).map(({ kind, from90k, to90k }) => {
      return { kind, from90k: from90k + shift90k, to90k: to90k + shift90k };
    }),
  };
}

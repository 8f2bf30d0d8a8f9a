import { monotonicMs, msToTicks, ticksToMs } from '../units.js';
import { gapBetween90k, joinsExactly } from './fragments.js';
import { placeMoof } from './mp4-boxes.js';
import type { Fragment, PlacedFragment, SegmentOpening } from './ports.js';

/** What a fragment becomes: perhaps the first of a new segment, and its place in the segment. */
export interface Placement {
  /** Present when the fragment opens a segment; the segment before it, if any, is over. */
  readonly opening?: Omit<SegmentOpening, 'rec' | 'preEvent'>;
  readonly placed: PlacedFragment;
}

/** Where a recording stands. */
export interface SegmenterState {
  /** Segments opened so far. */
  readonly segments: number;
  /** The newest fragment placed, undefined before the first. */
  readonly newest: Fragment | undefined;
  /** Fragments and media time in the open segment. */
  readonly fragments: number;
  readonly segment90k: number;
  /** From the start of the recording to the end of the newest fragment, gaps included. */
  readonly timeline90k: number;
}

export const emptyRecording: SegmenterState = {
  segments: 0,
  newest: undefined,
  fragments: 0,
  segment90k: 0,
  timeline90k: 0,
};

/**
 * Gives the next fragment of a recording its place. A segment ends when it has `segmentMs` or more, and whenever the
 * next fragment does not join exactly: another run, another format, or a hole in the media time. Its time starts at 0,
 * and its fragments follow each other without a hole or an overlap.
 */
export function placeFragment(
  state: SegmenterState,
  fragment: Fragment,
  segmentMs: number,
): { readonly state: SegmenterState; readonly placement: Placement } {
  const { newest } = state;
  const gapBeforeMs = newest ? Math.round(ticksToMs(gapBetween90k(newest, fragment))) : 0;
  const opens =
    newest === undefined ||
    !joinsExactly(newest, fragment) ||
    state.segment90k >= msToTicks(segmentMs);
  const offset90k = opens ? 0 : state.segment90k;
  const fragments = opens ? 1 : state.fragments + 1;
  const { run, format, init, start90k, duration90k, frames } = fragment;
  const placed = {
    parts: [placeMoof(fragment.moof, offset90k, fragments), fragment.mdat],
    offset90k,
    duration90k,
    frames,
  };
  const frames90k = frames > 0 ? (duration90k * (frames - 1)) / frames : 0;
  const startedAt = monotonicMs(fragment.arrivedAt - ticksToMs(frames90k));
  const mediaMs = ticksToMs(state.timeline90k) + gapBeforeMs;
  const place = { start90k, startedAt, mediaMs, gapBeforeMs };
  const opening = { seq: state.segments, run, format, init, ...place };
  return {
    state: {
      segments: opens ? state.segments + 1 : state.segments,
      newest: fragment,
      fragments,
      segment90k: offset90k + duration90k,
      timeline90k: state.timeline90k + msToTicks(gapBeforeMs) + duration90k,
    },
    placement: opens ? { opening, placed } : { placed },
  };
}

import { msToTicks } from '../units.js';
import { sameFormat } from './gdp-reader.js';
import type { Fragment } from './ports.js';

export const bytesOfFragment = ({ moof, mdat, audio }: Fragment): number =>
  moof.length + mdat.length + (audio?.frames ?? []).reduce((sum, { data }) => sum + data.length, 0);

/** The fragment without what was heard; a segment that begins with it still has room for sound. */
export const withoutSound = (fragment: Fragment): Fragment =>
  fragment.audio ? { ...fragment, audio: { ...fragment.audio, frames: [] } } : fragment;

/** Whether segments that begin with either have the same tracks. */
const sameAudio = (a: Fragment, b: Fragment): boolean =>
  a.audio && b.audio ? a.audio.config.equals(b.audio.config) : a.audio === b.audio;

/**
 * Time without pictures between two neighbours, judged by media time within a run and by arrival across runs, whose
 * clocks are unrelated. 0 when the second begins where the first ends.
 */
export function gapBetween90k(before: Fragment, after: Fragment): number {
  const gap90k =
    before.run === after.run
      ? after.start90k - before.start90k - before.duration90k
      : msToTicks(after.arrivedAt - before.arrivedAt) - after.duration90k;
  return Math.max(0, gap90k);
}

/** Whether the second may follow the first in one segment: same run, same tracks, not a tick between them. */
export const joinsExactly = (before: Fragment, after: Fragment): boolean =>
  before.run === after.run &&
  after.start90k === before.start90k + before.duration90k &&
  sameFormat(before.format, after.format) &&
  sameAudio(before, after);

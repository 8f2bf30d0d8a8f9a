import { msToTicks } from '../units.js';
import { sameFormat } from './gdp-reader.js';
import type { Fragment } from './ports.js';

export const bytesOfFragment = ({ moof, mdat }: Fragment): number => moof.length + mdat.length;

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

/** Whether the second may follow the first in one segment: same run, same format, not a tick between them. */
export const joinsExactly = (before: Fragment, after: Fragment): boolean =>
  before.run === after.run &&
  after.start90k === before.start90k + before.duration90k &&
  sameFormat(before.format, after.format);

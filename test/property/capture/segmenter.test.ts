import test from 'ava';
import fc from 'fast-check';
import { muxGop } from '../../../src/capture/mp4.js';
import {
  emptyRecording,
  placeFragment,
  type SegmenterState,
} from '../../../src/capture/segmenter.js';
import { monotonicMs, pts90k } from '../../../src/units.js';
import { accessUnits, bareFragment, FORMAT } from '../../support/synthetic-video.js';

const { moof } = await muxGop(accessUnits(2), FORMAT, 6000);

/** GOPs of several runs: lengths in ticks, and the pause before each run in milliseconds. */
const runs = fc.array(
  fc.record({
    pauseMs: fc.integer({ min: 0, max: 5000 }),
    lengths: fc.array(fc.integer({ min: 1500, max: 95_000 }), { minLength: 1, maxLength: 30 }),
  }),
  { minLength: 1, maxLength: 4 },
);

test('durations add up, offsets start at 0 and join exactly, and no segment is longer than asked and a GOP', (t) => {
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 20_000 }), (plan, segmentMs) => {
      let state: SegmenterState = emptyRecording;
      let now = 0;
      let total90k = 0;
      let gaps90k = 0;
      let seq = -1;
      let nextOffset90k = 0;
      let startedWith = 0;
      for (const [index, { pauseMs, lengths }] of plan.entries()) {
        now += pauseMs;
        let start90k = 1234 * index;
        for (const [position, duration90k] of lengths.entries()) {
          now += duration90k / 90;
          const fragment = bareFragment({
            moof,
            run: index + 1,
            start90k: pts90k(start90k),
            duration90k,
            arrivedAt: monotonicMs(now),
          });
          start90k += duration90k;
          const step = placeFragment(state, fragment, segmentMs);
          state = step.state;
          const { opening, placed } = step.placement;
          if (opening) {
            seq += 1;
            t.is(opening.seq, seq);
            t.is(opening.start90k, fragment.start90k);
            t.true(Number.isInteger(opening.gapBeforeMs));
            if (position > 0) t.is(opening.gapBeforeMs, 0);
            else if (index > 0) t.true(Math.abs(opening.gapBeforeMs - pauseMs) <= 1);
            gaps90k += opening.gapBeforeMs * 90;
            nextOffset90k = 0;
            startedWith = total90k;
          } else t.true(position > 0, 'a run never goes on in the segment of another');
          t.is(placed.offset90k, nextOffset90k);
          t.true(placed.offset90k < segmentMs * 90);
          nextOffset90k += duration90k;
          total90k += duration90k;
          t.is(state.segment90k, total90k - startedWith);
          t.is(state.timeline90k, total90k + gaps90k);
        }
      }
      t.is(state.segments, seq + 1);
    }),
  );
});

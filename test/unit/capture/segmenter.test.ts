import test from 'ava';
import { muxGop } from '../../../src/capture/mp4.js';
import { readMoof } from '../../../src/capture/mp4-boxes.js';
import type { Fragment } from '../../../src/capture/ports.js';
import { emptyRecording, placeFragment, type Placement } from '../../../src/capture/segmenter.js';
import { monotonicMs, pts90k } from '../../../src/units.js';
import { accessUnits, bareFragment, FORMAT } from '../../support/synthetic-video.js';

const { moof, mdat, init } = await muxGop(accessUnits(30), FORMAT, 90_000);

/** One second of video that begins at second `n` of its run. */
const second = (n: number, fields: Partial<Fragment> = {}): Fragment =>
  bareFragment({
    moof,
    mdat,
    init,
    start90k: pts90k(n * 90_000),
    arrivedAt: monotonicMs(n * 1000),
    ...fields,
  });

const place = (fragments: readonly Fragment[], segmentMs = 3000): Placement[] => {
  let state = emptyRecording;
  return fragments.map((fragment) => {
    const step = placeFragment(state, fragment, segmentMs);
    state = step.state;
    return step.placement;
  });
};

const openings = (placements: readonly Placement[]): (number | null)[][] =>
  placements.flatMap(({ opening }, index) =>
    opening ? [[index, opening.seq, opening.run, opening.start90k, opening.gapBeforeMs]] : [],
  );

test('a segment is as long as asked, to the next fragment', (t) => {
  const placements = place([5, 6, 7, 8, 9, 10, 11].map((n) => second(n)));
  t.deepEqual(openings(placements), [
    [0, 0, 1, 450_000, 0],
    [3, 1, 1, 720_000, 0],
    [6, 2, 1, 990_000, 0],
  ]);
  t.deepEqual(
    placements.map(({ placed }) => placed.offset90k),
    [0, 90_000, 180_000, 0, 90_000, 180_000, 0],
  );
});

test('the moof is placed in a copy; the mdat is the very same', (t) => {
  const before = Buffer.from(moof);
  const placements = place([second(5), second(6)]);
  const [placed] = placements[1]?.placed.parts ?? [];
  const tables = readMoof(placed ?? Buffer.alloc(0));
  t.is(tables.decodeTime90k, 90_000);
  t.is(tables.sequence, 2);
  t.is(placements[1]?.placed.parts[1], mdat);
  t.deepEqual(moof, before);
});

test('a new run opens a segment and tells how long there were no pictures', (t) => {
  const placements = place([
    second(0),
    second(1),
    second(0, { run: 2, arrivedAt: monotonicMs(3400) }),
  ]);
  t.deepEqual(openings(placements), [
    [0, 0, 1, 0, 0],
    [2, 1, 2, 0, 1400],
  ]);
});

test('a hole in the media time opens a segment and is told to the millisecond', (t) => {
  const placements = place([
    second(0),
    bareFragment({ ...second(2), start90k: pts90k(90_000 + 63_000) }),
  ]);
  t.deepEqual(openings(placements)[1], [1, 1, 1, 153_000, 700]);
});

test('another format opens a segment without a gap', (t) => {
  const placements = place([second(0), second(1, { format: { ...FORMAT, width: 640 } })]);
  t.deepEqual(openings(placements)[1], [1, 1, 1, 90_000, 0]);
  t.is(placements[1]?.opening?.format.width, 640);
});

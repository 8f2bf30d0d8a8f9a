import test from 'ava';
import { makeTimeline, pictureMoments } from '../../../src/cli/timeline.js';
import type { TimelineSegment } from '../../../src/cli/timeline.js';
import type { MetadataLine } from '../../../src/evidence/metadata.js';
import { monotonicMs, wallTimeMs } from '../../../src/units.js';

const NOON = Date.UTC(2026, 10, 24, 12);

const segment = (
  seq: number,
  offsetMs: number,
  durationMs: number,
  lines: readonly MetadataLine[] = [],
): TimelineSegment => ({
  ...{ ref: { boot: 1, rec: 2, seq }, manifest: undefined, offsetMs, durationMs },
  lines: [{ type: 'start', mono: 1_000 + offsetMs, media_ms: offsetMs }, ...lines],
});

test('marks, mutes and triggers stand at their time in the MP4, never outside of their segment', (t) => {
  const { events } = makeTimeline(
    [
      segment(0, 0, 2_000, [
        { type: 'mark', mono: 1_500, media_ms: 500 },
        { type: 'interval', kind: 'mute', from_ms: 1_500, to_ms: 9_000 },
      ]),
      segment(1, 2_000, 2_000, [
        { type: 'trigger', kind: 'peer', mono: 3_250, by: 'lapel-2' },
        { type: 'interval', kind: 'stealth', from_ms: 0, to_ms: 2_500 },
      ]),
    ],
    [],
  );
  t.deepEqual(
    events.map(({ kind, fromMs, toMs }) => [kind, fromMs, toMs]),
    [
      ['mark', 500, 500],
      ['mute', 1_500, 2_000],
      ['stealth', 2_000, 2_500],
      ['trigger', 2_250, 2_250],
    ],
  );
  t.is(events[3]?.what, 'another camera started, signed by lapel-2');
});

test('a trigger at a seam, which both segments tell of, is shown once, in the pictures of its time', (t) => {
  const trigger = { type: 'trigger', kind: 'start', mono: 3_050 } as const;
  const { events } = makeTimeline(
    [segment(0, 0, 2_000, [trigger]), segment(1, 2_000, 2_000, [trigger])],
    [],
  );
  t.deepEqual(
    events.map(({ kind, fromMs, what }) => [kind, fromMs, what]),
    [['trigger', 2_050, 'recording started']],
  );
  const early = { ...trigger, mono: 2_990 };
  const before = makeTimeline(
    [segment(0, 0, 2_000, [early]), segment(1, 2_000, 2_000, [early])],
    [],
  );
  t.is(before.events.filter(({ fromMs }) => fromMs === 1_990).length, 1);
});

test('time without pictures is a gap, and the segments that are not there are named', (t) => {
  const { events, durationMs } = makeTimeline(
    [segment(1, 1_000, 2_000), segment(2, 3_000, 1_000), segment(5, 9_000, 500)],
    [],
  );
  t.is(durationMs, 9_500);
  t.deepEqual(
    events.map(({ fromMs, toMs, what }) => [fromMs, toMs, what]),
    [
      [0, 1_000, 'no pictures: segment 0 is not in this export'],
      [4_000, 9_000, 'no pictures: segments 3 to 4 are not in this export'],
    ],
  );
  t.deepEqual(makeTimeline([segment(0, 0, 1_000), segment(1, 1_030, 10)], []).events, []);
});

test('a moment is dated by what is known of the boot, and not at all by a clock that nobody set', (t) => {
  const anchor = (source: 'gnss' | 'unset') => ({
    at: monotonicMs(1_000),
    wall: { ms: wallTimeMs(NOON), source, uncertaintyMs: 500 },
  });
  const segments = [segment(0, 0, 2_000), segment(1, 60_000, 2_000)];
  t.is(makeTimeline(segments, [anchor('gnss')]).wallAt(60_500)?.ms, wallTimeMs(NOON + 60_500));
  t.is(makeTimeline(segments, [anchor('unset')]).wallAt(0), undefined);
  t.is(makeTimeline(segments, []).wallAt(0), undefined);
  t.is(makeTimeline([], []).wallAt(0), undefined);
});

test('pictures are of the start, each minute, each mark and each trigger; minutes make room for marks', (t) => {
  const mark = { kind: 'mark', what: 'marked', toMs: 0 } as const;
  const events = [
    { ...mark, fromMs: 61_000 },
    { ...mark, kind: 'trigger' as const, fromMs: 30_000 },
    { ...mark, kind: 'mute' as const, fromMs: 10 },
  ];
  const moments = pictureMoments({ durationMs: 150_000, events }, 100);
  t.deepEqual(
    moments.map(({ atMs, label }) => [atMs, label]),
    [
      [0, 'start'],
      [30_000, 'trigger'],
      [60_000, 'minute 1'],
      [61_000, 'mark'],
      [120_000, 'minute 2'],
    ],
  );
  const few = pictureMoments({ durationMs: 43_200_000, events }, 50);
  t.true(few.length <= 50);
  t.is(few.filter(({ label }) => label === 'mark' || label === 'trigger').length, 2);
  t.is(few[0]?.atMs, 0);
  t.deepEqual(
    pictureMoments({ durationMs: 60_000, events: [] }, 9).map(({ atMs }) => atMs),
    [0],
    'no minute begins where the recording ends',
  );
});

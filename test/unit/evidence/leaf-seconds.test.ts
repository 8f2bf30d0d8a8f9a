import test from 'ava';
import { countLeaves, describePlace, secondsOf } from '../../../src/evidence/leaf-seconds.js';
import { readManifest } from '../../../src/evidence/manifest.js';
import { makeCamera, makeSegment } from '../../support/sealed-recording.js';

const base = readManifest(makeSegment(makeCamera(), { bytes: 10 }).envelope);

/**
 * An MP4 of 4 s: header to byte 1,000, then fragments of a second at bytes 1,000, 60,000, 131,071 and 196,608.
 * Leaf 1 holds bytes 0 to 65,535, leaf 2 to 131,071, leaf 3 to 196,607, leaf 4 the rest: the third fragment starts with
 * the last byte of leaf 2, the fourth with the first of leaf 4.
 */
const manifest = {
  ...base,
  fragments: [
    [0, 1000],
    [90_000, 60_000],
    [180_000, 131_071],
    [270_000, 196_608],
  ] as [number, number][],
  media: { ...base.media, duration90k: 360_000 },
};
const span = (first: number, last: number): unknown => {
  const { second, lastSecond } = secondsOf(manifest, first, last) ?? {};
  return [second, lastSecond];
};

test('damage to the age header or the MP4 header touches everything', (t) => {
  t.deepEqual(span(0, 0), [0, 4]);
  t.deepEqual(span(1, 1), [0, 4]);
});

test('damage touches the fragments whose bytes it holds, whole', (t) => {
  t.deepEqual(span(2, 2), [1, 3]);
  t.deepEqual(span(3, 3), [2, 3]);
  t.deepEqual(span(4, 4), [3, 4]);
  t.deepEqual(span(2, 3), [1, 3]);
  t.deepEqual(span(9, 9), [3, 4]);
});

test('a manifest without an index of fragments tells no seconds', (t) => {
  t.is(secondsOf({ ...manifest, fragments: [] }, 1, 1), undefined);
});

test('an end before the last fragment is not believed', (t) => {
  const short = { ...manifest, media: { ...manifest.media, duration90k: 0 } };
  t.deepEqual(secondsOf(short, 4, 4), { second: 3, lastSecond: 3 });
});

test('places read like a sentence', (t) => {
  t.is(describePlace(3, 3, undefined), 'leaf 3');
  t.is(describePlace(3, 5, { second: 1.5, lastSecond: 2 }), 'leaves 3 to 5, second 1.5 to 2');
  t.is(countLeaves(1), '1 leaf');
  t.is(countLeaves(0), '0 leaves');
});

import test from 'ava';
import {
  decodeBundle,
  encodeBundle,
  parseTilePath,
  tilePath,
  tilesOf,
} from '../../../src/evidence/tiles.js';

test('paths of tiles are those of the C2SP examples', (t) => {
  t.is(tilePath({ level: 0, index: 1_234_067, width: 256 }), 'tile/0/x001/x234/067');
  t.is(tilePath({ level: 'entries', index: 0, width: 17 }), 'tile/entries/000.p/17');
  t.deepEqual(parseTilePath('tile/0/x001/x234/067'), { level: 0, index: 1_234_067, width: 256 });
  t.deepEqual(parseTilePath('tile/63/999.p/255'), { level: 63, index: 999, width: 255 });
});

test('a path in any other form is none', (t) => {
  const wrong = [
    'tile/0/67',
    'tile/0/1234067',
    'tile/00/067',
    'tile/64/067',
    'tile/0/x000/067',
    'tile/0/001/067',
    'tile/0/x067',
    'tile/0/067.p/0',
    'tile/0/067.p/256',
    'tile/0/067.p/017',
    'tile/0/067/',
    '/tile/0/067',
    'tile/0/x001/x001/x001/x001/001',
    'tile/data/067',
  ];
  for (const path of wrong) t.is(parseTilePath(path), undefined, path);
});

test('a tree of 70,000 leaves has the tiles that the specification counts', (t) => {
  const tiles = [...tilesOf(70_000)];
  const of = (level: number | 'entries') => tiles.filter((tile) => tile.level === level);
  const widths = (level: number | 'entries') =>
    of(level)
      .map(({ width }) => width)
      .filter((width) => width < 256);
  t.deepEqual([of(0).length, widths(0)], [274, [112]]);
  t.deepEqual([of(1).length, widths(1)], [2, [17]]);
  t.deepEqual([of(2).length, widths(2)], [1, [1]]);
  t.deepEqual([of('entries').length, widths('entries')], [274, [112]]);
  t.is(tiles.length, 274 + 2 + 1 + 274);
});

test('a tree of 256 leaves has a full tile and one of width 1 above it; an empty one has none', (t) => {
  t.deepEqual([...tilesOf(256)].map(tilePath), [
    'tile/0/000',
    'tile/1/000.p/1',
    'tile/entries/000',
  ]);
  t.deepEqual([...tilesOf(0)], []);
});

test('a bundle gives back its entries; one that is cut, or too long, is malformed', (t) => {
  const entries = [Buffer.from('a'), Buffer.alloc(0), Buffer.alloc(65_535, 7)];
  const bundle = encodeBundle(entries);
  t.deepEqual(bundle.subarray(0, 3), Buffer.from([0, 1, 0x61]));
  t.deepEqual(decodeBundle(bundle), entries);
  t.deepEqual(decodeBundle(Buffer.alloc(0)), []);
  for (const cut of [bundle.subarray(0, 1), bundle.subarray(0, 2), bundle.subarray(0, -1)]) {
    t.throws(() => decodeBundle(cut), { code: 'evidence/malformed' });
  }
  t.throws(() => encodeBundle([Buffer.alloc(65_536)]), { code: 'evidence/malformed' });
  t.throws(() => decodeBundle(Buffer.alloc(257 * 2)), { code: 'evidence/malformed' });
});

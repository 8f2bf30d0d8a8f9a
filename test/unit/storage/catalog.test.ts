import test from 'ava';
import { CameraError } from '../../../src/errors.js';
import { formatSegmentRef, parseSegmentRef } from '../../../src/units.js';
import type { SegmentRef } from '../../../src/units.js';
import { Catalog } from '../../../src/storage/catalog.js';
import { openDatabase } from '../../../src/storage/database.js';

const refOf = (text: string): SegmentRef => {
  const ref = parseSegmentRef(text);
  if (ref === undefined) throw new Error(`bad reference ${text}`);
  return ref;
};

const rowOf = (text: string, bytes = 100) => ({
  ref: refOf(text),
  bytes,
  ending: 'normal',
  manifest: `manifest of ${text}`,
  digest: 'd'.repeat(64),
});

const refsOf = (rows: readonly { ref: SegmentRef }[]): readonly string[] =>
  rows.map(({ ref }) => formatSegmentRef(ref));

const open = () => {
  const db = openDatabase(':memory:');
  return { db, catalog: new Catalog(db) };
};

test('every boot gets a number above all before it and above all directories on the card', (t) => {
  const { catalog } = open();
  t.is(catalog.beginBoot(0), 1);
  t.is(catalog.beginBoot(0), 2);
  t.is(catalog.beginBoot(41), 42);
  t.is(catalog.beginBoot(7), 43);
});

test('recordings are numbered from 1 within each boot', (t) => {
  const { catalog } = open();
  t.deepEqual([catalog.beginRecording(5), catalog.beginRecording(5)], [1, 2]);
  t.is(catalog.beginRecording(6), 1);
});

test('a segment is found as it was added, once', (t) => {
  const { catalog } = open();
  const row = rowOf('3/2/1');
  t.true(catalog.add(row));
  t.false(catalog.add({ ...row, bytes: 999 }), 'a known segment keeps its row');
  t.deepEqual(catalog.find(row.ref), {
    ...row,
    ...{ offers: 0, receipt: undefined, isMarked: undefined, stage: 'sealed' },
  });
  t.is(catalog.find(refOf('3/2/2')), undefined);
});

test('segments and recordings come in the order of their numbers, not of their texts', (t) => {
  const { catalog } = open();
  for (const text of ['1/10/0', '1/9/10', '1/9/9', '10/1/0', '2/1/0']) catalog.add(rowOf(text));
  t.deepEqual(refsOf(catalog.ofRecording(1, 9)), ['1/9/9', '1/9/10']);
  t.deepEqual(catalog.recordings(), [
    { boot: 1, rec: 9 },
    { boot: 1, rec: 10 },
    { boot: 2, rec: 1 },
    { boot: 10, rec: 1 },
  ]);
  t.deepEqual(refsOf(catalog.pending(3)), ['1/9/9', '1/9/10', '1/10/0']);
});

test('a receipt takes a segment off the pending ones, is kept, and never replaced', (t) => {
  const { catalog } = open();
  for (const text of ['1/1/0', '1/1/1']) catalog.add(rowOf(text));
  t.true(catalog.receipted(refOf('1/1/0'), 'first receipt'));
  t.false(catalog.receipted(refOf('1/1/0'), 'second receipt'));
  t.false(catalog.receipted(refOf('9/9/9'), 'receipt of a stranger'));
  t.is(catalog.find(refOf('1/1/0'))?.receipt, 'first receipt');
  t.deepEqual(refsOf(catalog.pending(10)), ['1/1/1']);
});

test('a segment that is offered again and again yields to newer ones, and comes back after them', (t) => {
  const { catalog } = open();
  for (const text of ['1/1/0', '1/1/1', '2/1/0']) catalog.add(rowOf(text));
  const offer = (text: string, times: number): void => {
    for (let n = 0; n < times; n += 1) catalog.offered([refOf(text)]);
  };
  offer('1/1/0', 7);
  t.deepEqual(
    refsOf(catalog.pending(1)),
    ['1/1/0'],
    'a link that breaks off does not upset the order',
  );
  offer('1/1/0', 1);
  t.deepEqual(refsOf(catalog.pending(3)), ['1/1/1', '2/1/0', '1/1/0']);
  offer('1/1/1', 8);
  offer('2/1/0', 8);
  t.deepEqual(refsOf(catalog.pending(3)), ['1/1/0', '1/1/1', '2/1/0'], 'it is never given up');
});

test('totals count what there is, what was offered and what waits', (t) => {
  const { catalog } = open();
  t.deepEqual(catalog.totals(), {
    segments: 0,
    bytes: 0,
    offered: 0,
    receipted: 0,
    pendingSegments: 0,
    pendingBytes: 0,
    deletedSegments: 0,
  });
  catalog.add(rowOf('1/1/0', 10));
  catalog.add(rowOf('1/1/1', 20));
  catalog.add(rowOf('1/1/2', 40));
  catalog.offered([refOf('1/1/0'), refOf('1/1/1')]);
  catalog.offered([refOf('1/1/1')]);
  catalog.receipted(refOf('1/1/0'), 'receipt');
  t.is(catalog.find(refOf('1/1/1'))?.offers, 2);
  t.deepEqual(catalog.totals(), {
    segments: 3,
    bytes: 70,
    offered: 2,
    receipted: 1,
    pendingSegments: 2,
    pendingBytes: 60,
    deletedSegments: 0,
  });
});

test('a row that holds something else is storage/corrupt, not a guess', (t) => {
  const { db, catalog } = open();
  catalog.add(rowOf('1/1/0'));
  db.run('CREATE TABLE copy AS SELECT * FROM segments');
  db.run('DROP TABLE segments');
  db.run('ALTER TABLE copy RENAME TO segments');
  db.run('UPDATE segments SET manifest = NULL');
  t.is(
    t.throws(() => catalog.find(refOf('1/1/0')), { instanceOf: CameraError }).code,
    'storage/corrupt',
  );
  db.run("UPDATE segments SET bytes = 'many'");
  t.is(t.throws(() => catalog.pending(1), { instanceOf: CameraError }).code, 'storage/corrupt');
});

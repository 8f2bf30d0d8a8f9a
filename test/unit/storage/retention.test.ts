import test from 'ava';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import { SEGMENT_FILES } from '../../../src/storage/layout.js';
import { formatSegmentRef } from '../../../src/units.js';
import type { SegmentRef } from '../../../src/units.js';
import { newDevice, startBoot } from '../../support/boot-fixture.js';
import { fastSigner } from '../../support/fast-signer.js';
import { rejectsWith } from '../../support/reject-code.js';
import { logOf, Shelf } from '../../support/shelf.js';
import type { ShelfOptions } from '../../support/shelf.js';

const receiver = fastSigner();

async function open(options: Partial<ShelfOptions> = {}) {
  const fs = new SimFileSystem();
  const boot = await startBoot({ device: newDevice(), fs });
  const shelf = new Shelf({ boot, fs, receiver, retainMs: 1000, now: () => 1000, ...options });
  return { fs, boot, shelf };
}

const only = (refs: readonly SegmentRef[]): SegmentRef => {
  const [ref] = refs;
  if (ref === undefined) throw new Error('no segment');
  return ref;
};

const BY_HAND = { by: 'local', reason: 'case 12' };

test('after its receipt and its time a segment is deleted: first the intent is in the log, then all files go, then that', async (t) => {
  const { fs, boot, shelf } = await open();
  const ref = only(await shelf.seal());
  await shelf.outgoing.offered([ref]);
  await shelf.receipt(ref);
  const seen: string[] = [];
  fs.faults.beforeStep = ({ kind, path }) => {
    if (kind === 'unlink') {
      seen.push(`${path.split('/').at(-1) ?? ''} ${shelf.wordsOf(ref).at(-1) ?? ''}`);
    }
  };
  await shelf.begin();
  const names = ['0.age', '0.leaves', '0.heads', '0.meta.age', '0.dsse'];
  t.deepEqual(
    seen,
    names.map((name) => `${name} deletable`),
  );
  t.deepEqual(await shelf.filesOf(ref), []);
  t.deepEqual(shelf.wordsOf(ref), ['segment', 'offered', 'receipt', 'deletable', 'deleted']);
  t.is(boot.catalog.find(ref)?.stage, 'deleted');
  t.like(boot.catalog.totals(), { segments: 0, bytes: 0, receipted: 0, deletedSegments: 1 });
});

test('without a receipt nothing is deleted, however full the card is and however long it waits', async (t) => {
  const { shelf } = await open({ wantedFreeBytes: () => Infinity, now: () => 1e15 });
  const refs = await shelf.seal('--');
  await shelf.outgoing.offered(refs);
  await shelf.begin();
  for (const ref of refs) t.deepEqual(await shelf.filesOf(ref), [...SEGMENT_FILES]);
});

test('without the right to delete nothing is deleted', async (t) => {
  const { shelf } = await open({ isDeleting: false });
  const ref = only(await shelf.seal());
  await shelf.receipt(ref);
  await shelf.begin();
  t.deepEqual(await shelf.filesOf(ref), [...SEGMENT_FILES]);
  t.is(shelf.retention.plan(0).deletions.length, 1, 'it is planned all the same');
});

test('a receipt in the catalog that does not hold deletes nothing, is told once, and counts as none', async (t) => {
  const { shelf } = await open({ wantedFreeBytes: () => Infinity });
  const cases: readonly (readonly [string, (ref: SegmentRef) => Promise<void>])[] = [
    ['signed by a stranger', (ref) => shelf.receipt(ref, {}, fastSigner())],
    ['of another receiver', (ref) => shelf.receipt(ref, { rx: 'rx-2' })],
    ['of another camera', (ref) => shelf.receipt(ref, { device: 'cam-2' })],
    ['of another segment', (ref) => shelf.receipt(ref, { seg: '7/7/7' })],
    ['of another manifest', (ref) => shelf.receipt(ref, { man: '0'.repeat(64) })],
    ['of another ciphertext', (ref) => shelf.receipt(ref, { root: '0'.repeat(64) })],
    ['of another size', (ref) => shelf.receipt(ref, { size: 1 })],
  ];
  const refs: SegmentRef[] = [];
  for (const [, keep] of cases) {
    const ref = only(await shelf.seal());
    await keep(ref);
    refs.push(ref);
  }
  await shelf.begin();
  await shelf.retention.look();
  for (const [index, ref] of refs.entries()) {
    const what = cases[index]?.[0] ?? '';
    t.deepEqual(await shelf.filesOf(ref), [...SEGMENT_FILES], what);
    const told = shelf
      .faults()
      .filter((fault) => fault.includes(`${formatSegmentRef(ref)} has no`));
    t.is(told.length, 1, what);
    t.regex(told[0] ?? '', /^evidence\/bad-signature .* is kept: /, what);
  }
  t.is(shelf.retention.plan(0).kept['no-receipt'].segments, cases.length);
});

test('a receipt of other files than those on the card deletes nothing', async (t) => {
  const { fs, boot, shelf } = await open();
  const [first, second, third] = await shelf.seal('---');
  if (!first || !second || !third) throw new Error('three segments');
  for (const ref of [first, second, third]) await shelf.receipt(ref);
  const { layout } = boot.ctx;
  const file = await fs.openWritable(layout.segment(first, '.age'));
  await file.append([Buffer.from('more')]);
  await file.close();
  const other = await fs.readFile(layout.segment(third, '.dsse'), 100_000);
  await fs.writeAtomic(layout.segment(second, '.dsse'), other);
  await shelf.begin();
  t.deepEqual(await shelf.filesOf(first), [...SEGMENT_FILES]);
  t.deepEqual(await shelf.filesOf(second), [...SEGMENT_FILES]);
  t.deepEqual(await shelf.filesOf(third), []);
});

test('what is on hold stays, as a recording or as a segment, and goes when the last hold has ended', async (t) => {
  const { shelf } = await open();
  const [a, b] = await shelf.seal('--');
  const [c] = await shelf.seal('-');
  if (!a || !b || !c) throw new Error('three segments');
  for (const ref of [a, b, c]) await shelf.receipt(ref);
  await shelf.retention.hold({ target: '1/1', ...BY_HAND });
  await shelf.retention.hold({ target: '1/1/1', by: 'fleet-1', reason: 'court' });
  await shelf.retention.hold({ target: '1/1/1', by: 'fleet-1', reason: 'court' });
  await shelf.begin();
  t.deepEqual(
    await Promise.all([a, b, c].map(async (ref) => (await shelf.filesOf(ref)).length)),
    [5, 5, 0],
  );
  await shelf.retention.release({ target: '1/1', by: 'stranger', reason: 'no hold of mine' });
  await shelf.retention.release({ target: '1/1', ...BY_HAND });
  await shelf.retention.look();
  t.deepEqual(
    await Promise.all([a, b].map(async (ref) => (await shelf.filesOf(ref)).length)),
    [0, 5],
  );
  const words = logOf(shelf.boot.db).flatMap((entry) =>
    entry.type === 'hold' || entry.type === 'release' ? [`${entry.type} ${entry.target}`] : [],
  );
  t.deepEqual(words, ['hold 1/1', 'hold 1/1/1', 'release 1/1']);
  t.deepEqual(shelf.retention.holds(), [{ target: '1/1/1', by: 'fleet-1', reason: 'court' }]);
  await rejectsWith(t, 'storage/not-found', () =>
    shelf.retention.hold({ target: '9/9', ...BY_HAND }),
  );
});

test('a mark protects its segment and both neighbours: they go last, and only for space', async (t) => {
  let wanted = 0;
  const { fs, shelf } = await open({ wantedFreeBytes: () => wanted });
  const refs = await shelf.seal('--m--');
  for (const ref of refs) await shelf.receipt(ref);
  const left = async (): Promise<string> => {
    const there = await Promise.all(refs.map(async (ref) => (await shelf.filesOf(ref)).length > 0));
    return refs.flatMap(({ seq }, index) => (there[index] ? [seq] : [])).join('');
  };
  await shelf.begin();
  t.is(await left(), '123', 'by age go those that are not beside the mark');
  for (const expected of ['23', '3', '']) {
    wanted = (await fs.freeBytes('/card')) + 1;
    await shelf.retention.look();
    t.is(await left(), expected, 'of a mark that is gone the neighbour is still protected');
  }
});

test('a hold that comes while a deletion waits for the card wins as long as the ciphertext is there', async (t) => {
  const { fs, shelf } = await open();
  const ref = only(await shelf.seal());
  await shelf.receipt(ref);
  fs.faults.isReadOnly = true;
  await shelf.begin();
  t.deepEqual(shelf.wordsOf(ref).slice(-2), ['receipt', 'deletable']);
  t.regex(shelf.faults().join(), /^storage\/read-only space could not be freed/);
  await shelf.retention.look();
  t.is(shelf.faults().length, 1, 'told once');
  await shelf.retention.hold({ target: '1/1', ...BY_HAND });
  fs.faults.isReadOnly = false;
  await shelf.retention.look();
  t.deepEqual(shelf.wordsOf(ref).slice(-2), ['deletable', 'kept']);
  t.deepEqual(await shelf.filesOf(ref), [...SEGMENT_FILES]);
  await shelf.retention.release({ target: '1/1', ...BY_HAND });
  await shelf.retention.look();
  t.deepEqual(shelf.wordsOf(ref).slice(-3), ['kept', 'deletable', 'deleted']);
});

test('a deletion whose ciphertext is gone is finished, hold or not: there is nothing left to keep', async (t) => {
  const { fs, boot, shelf } = await open();
  const ref = only(await shelf.seal());
  await shelf.receipt(ref);
  let syncs = 0;
  fs.faults.failsSync = (location) => location.endsWith('/1/1') && (syncs += 1) === 2;
  await shelf.begin();
  t.deepEqual(
    await shelf.filesOf(ref),
    [],
    'the second sync failed: nobody knows what a cut would leave',
  );
  t.is(boot.catalog.find(ref)?.stage, 'deletable');
  await shelf.retention.hold({ target: '1/1', ...BY_HAND });
  await shelf.retention.look();
  t.is(boot.catalog.find(ref)?.stage, 'deleted');
  t.deepEqual(shelf.wordsOf(ref).slice(-2), ['deletable', 'deleted']);
});

test('nothing is deleted before recovery is through, nor at all when it fails', async (t) => {
  const { shelf } = await open();
  const ref = only(await shelf.seal());
  await shelf.receipt(ref);
  await shelf.retention.look();
  t.deepEqual(await shelf.filesOf(ref), [...SEGMENT_FILES]);
  shelf.retention.start(Promise.reject(new Error('the card is gone')));
  await Promise.resolve();
  await shelf.retention.look();
  t.deepEqual(await shelf.filesOf(ref), [...SEGMENT_FILES]);
});

test('more than one look deletes goes in several, and a look comes every minute', async (t) => {
  let now = 0;
  const { boot, shelf } = await open({ now: () => now });
  const refs = await shelf.seal('-'.repeat(40), 100);
  for (const ref of refs) await shelf.receipt(ref);
  await shelf.begin();
  t.is(boot.catalog.totals().segments, 40);
  now = 1000;
  await boot.clock.advance(60_000);
  for (let n = 0; n < 100 && boot.catalog.totals().segments > 0; n += 1) {
    await shelf.retention.look();
  }
  t.is(boot.catalog.totals().deletedSegments, 40);
  await shelf.retention.close();
});

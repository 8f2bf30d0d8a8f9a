import test from 'ava';
import { parseEnvelopeFile } from '../../../src/evidence/dsse.js';
import { openEntry } from '../../../src/evidence/log-entry.js';
import { openManifest } from '../../../src/evidence/manifest.js';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import { readEntries } from '../../../src/storage/device-log.js';
import { RecordingStore } from '../../../src/storage/recording-store.js';
import type { SealedSegment } from '../../../src/storage/segment-facts.js';
import { formatSegmentRef } from '../../../src/units.js';
import { newDevice, startBoot } from '../../support/boot-fixture.js';
import { recoverCard } from '../../support/card-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from '../../support/fake-media.js';
import { rejectsWith } from '../../support/reject-code.js';

const NONE = '0'.repeat(64);
const RESERVE_BYTES = 1_000_000;

async function open(onSealed?: (segment: SealedSegment) => void) {
  const fs = new SimFileSystem();
  const device = newDevice();
  const boot = await startBoot({ device, fs });
  const sealed: SealedSegment[] = [];
  const options = {
    reserveBytes: RESERVE_BYTES,
    onSealed: onSealed ?? ((segment: SealedSegment) => void sealed.push(segment)),
  };
  const store = new RecordingStore(boot.ctx, boot.catalog, boot.entries, options);
  const manifestOf = async (rec: number, seq: number) => {
    const file = boot.ctx.layout.segment({ boot: 1, rec, seq }, '.dsse');
    const envelope = parseEnvelopeFile((await fs.readFile(file, 100_000)).toString());
    return openManifest(envelope, boot.ctx.identity.signer.publicKey);
  };
  const logged = () =>
    readEntries(boot.db, 0, 100).map(({ envelope }) =>
      openEntry(envelope, boot.ctx.identity.signer.publicKey),
    );
  return { ...boot, device, fs, store, sealed, manifestOf, logged };
}

type Bench = Awaited<ReturnType<typeof open>>;

/** Opens a segment with one fragment in it. */
async function segment({ store }: Bench, rec: number, seq: number) {
  const opened = await store.openSegment(fakeFacts({ rec, seq }));
  await opened.append(fakePiece(0));
  return opened;
}

test('recordings are numbered, and a number is durable before anything is written under it', async (t) => {
  const bench = await open();
  t.is(await bench.store.beginRecording(), 1);
  t.is(await bench.store.beginRecording(), 2);
  t.is(bench.db.get('SELECT MAX(rec) AS rec FROM recordings')?.['rec'], 2);
  t.deepEqual(await bench.fs.list(bench.ctx.layout.recording(1, 1)), []);
});

test('manifests of a recording name the one before and the last one says so', async (t) => {
  const bench = await open();
  for (const seq of [0, 1, 2]) {
    await (await segment(bench, 1, seq)).seal(fakeEnding({ isLast: seq === 2 }));
  }
  const digests = bench.sealed.map(({ digest }) => digest);
  const manifests = await Promise.all([0, 1, 2].map((seq) => bench.manifestOf(1, seq)));
  t.deepEqual(
    manifests.map(({ prev }) => prev),
    [NONE, digests[0], digests[1]],
  );
  t.deepEqual(
    manifests.map(({ last }) => last),
    [false, false, true],
  );
});

test('segments sealed at the same time are sealed in the order of the calls', async (t) => {
  const bench = await open();
  const segments = await Promise.all([0, 1, 2].map((seq) => segment(bench, 1, seq)));
  await Promise.all(segments.map((opened, seq) => opened.seal(fakeEnding({ isLast: seq === 2 }))));
  t.deepEqual(
    bench.sealed.map(({ ref }) => ref.seq),
    [0, 1, 2],
  );
  t.is((await bench.manifestOf(1, 2)).prev, bench.sealed[1]?.digest ?? '');
});

test('two recordings at the same time have chains of their own', async (t) => {
  const bench = await open();
  await (await segment(bench, 1, 0)).seal(fakeEnding({ isLast: false }));
  await (await segment(bench, 2, 0)).seal(fakeEnding({ isLast: true }));
  await (await segment(bench, 1, 1)).seal(fakeEnding({ isLast: true }));
  t.is((await bench.manifestOf(2, 0)).prev, NONE);
  t.is((await bench.manifestOf(1, 1)).prev, bench.sealed[0]?.digest ?? '');
});

test('a sealed segment is in the catalog and in the log when its seal resolves', async (t) => {
  const bench = await open();
  await (await segment(bench, 1, 0)).seal(fakeEnding({ end: 'stall' }));
  const [sealed] = bench.sealed;
  const manifest = await bench.manifestOf(1, 0);
  t.like(bench.catalog.find({ boot: 1, rec: 1, seq: 0 }), {
    bytes: manifest.file.size,
    ending: 'stall',
    digest: sealed?.digest,
  });
  t.like(bench.logged(), [
    {
      type: 'segment',
      seg: '1/1/0',
      man: sealed?.digest,
      size: manifest.file.size,
      root: manifest.file.root,
      last: true,
    },
  ]);
});

test('a log that does not take a segment does not end its recording; the next start enters it', async (t) => {
  const bench = await open();
  const opened = await segment(bench, 1, 0);
  bench.db.run('ALTER TABLE entries RENAME TO away');
  await t.notThrowsAsync(() => opened.seal(fakeEnding({ isLast: false })));
  t.is(bench.catalog.totals().segments, 0, 'in neither');
  t.deepEqual(bench.sealed, [], 'nobody is sent to a row that is not there');
  bench.db.run('ALTER TABLE away RENAME TO entries');
  await (await segment(bench, 1, 1)).seal(fakeEnding());
  t.deepEqual(
    bench.sealed.map(({ ref }) => ref.seq),
    [1],
  );
  const { db, fs, device } = bench;
  const next = await recoverCard({ device, fs, db, boot: 2 });
  t.is(next.summary.indexed, 1);
  t.deepEqual(
    next.catalog.pending(9).map(({ ref }) => formatSegmentRef(ref)),
    ['1/1/0', '1/1/1'],
  );
});

test('a catalog that does not take a segment is told as a fault of the device', async (t) => {
  const bench = await open();
  const opened = await segment(bench, 1, 0);
  bench.db.run('ALTER TABLE segments RENAME TO away');
  await t.notThrowsAsync(() => opened.seal(fakeEnding()));
  const [entry, ...others] = bench.logged();
  t.like(entry, { type: 'fault', code: 'storage/io' });
  t.deepEqual(others, []);
  t.true(entry?.type === 'fault' && entry.detail.startsWith('1/1/0 is sealed but not in the'));
});

test('a listener that throws does not make a sealed segment a failed one', async (t) => {
  const bench = await open(() => {
    throw new Error('a bug of the listener');
  });
  const opened = await segment(bench, 1, 0);
  await t.notThrowsAsync(() => opened.seal(fakeEnding()));
});

test('a seal that fails keeps every segment after it from being sealed out of order', async (t) => {
  const bench = await open();
  const [first, second] = [await segment(bench, 1, 0), await segment(bench, 1, 1)];
  bench.fs.faults.failsSync = (location) => location.endsWith('/1/0.meta.age');
  const results = [
    first.seal(fakeEnding({ isLast: false })),
    second.seal(fakeEnding({ isLast: true })),
  ];
  for (const result of results) await rejectsWith(t, 'storage/io', () => result);
  t.deepEqual(bench.sealed, []);
  t.is(bench.fs.openFiles, 0, 'the files of both are closed');
  await (await segment(bench, 2, 0)).seal(fakeEnding());
  t.deepEqual(
    bench.sealed.map(({ ref }) => formatSegmentRef(ref)),
    ['1/2/0'],
  );
});

test('a recording starts down to the reserve and not below it', async (t) => {
  const bench = await open();
  const capacity = (free: number): void => {
    bench.fs.faults.capacityBytes = used + free;
  };
  const used = 8 * 2 ** 30 - (await bench.fs.freeBytes('/'));
  capacity(RESERVE_BYTES);
  t.is(await bench.store.beginRecording(), 1);
  capacity(RESERVE_BYTES - 1);
  const error = await rejectsWith(t, 'storage/disk-full', () => bench.store.beginRecording());
  t.regex(error.message, /1 MiB/);
  t.is(bench.db.get('SELECT COUNT(*) AS n FROM recordings')?.['n'], 1, 'no number is used up');
});

test('a running recording may use the reserve to end well', async (t) => {
  const bench = await open();
  bench.fs.faults.capacityBytes = RESERVE_BYTES / 2;
  await (await segment(bench, 1, 0)).seal(fakeEnding({ end: 'storage-full' }));
  t.is((await bench.manifestOf(1, 0)).end, 'storage-full');
});

import test from 'ava';
import { parseEnvelope, payloadDigest } from '../../../src/evidence/dsse.js';
import { openEntry } from '../../../src/evidence/log-entry.js';
import { readManifest } from '../../../src/evidence/manifest.js';
import { sealReceipt } from '../../../src/evidence/receipt.js';
import { openSessionKey } from '../../../src/evidence/session-key.js';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import { readEntries } from '../../../src/storage/device-log.js';
import { Outgoing } from '../../../src/storage/outgoing.js';
import { RecordingStore } from '../../../src/storage/recording-store.js';
import type { SealedSegment } from '../../../src/storage/segment-facts.js';
import { formatSegmentRef } from '../../../src/units.js';
import { DEVICE, newDevice, startBoot } from '../../support/boot-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from '../../support/fake-media.js';
import { fastSigner } from '../../support/fast-signer.js';
import { rejectsWith } from '../../support/reject-code.js';

/** A card with `count` sealed segments of one recording. */
async function open(count: number) {
  const device = newDevice();
  const fs = new SimFileSystem();
  const boot = await startBoot({ device, fs });
  const segments: SealedSegment[] = [];
  const options = {
    reserveBytes: 0,
    onSealed: (segment: SealedSegment) => void segments.push(segment),
  };
  const store = new RecordingStore(boot.ctx, boot.catalog, boot.entries, options);
  for (let seq = 0; seq < count; seq += 1) {
    const segment = await store.openSegment(fakeFacts({ seq }));
    await segment.append(fakePiece(0, 100_000));
    await segment.seal(fakeEnding({ isLast: seq === count - 1 }));
  }
  const warnings: unknown[] = [];
  const log = { ...boot.ctx.log, warn: (_: object, text: string) => void warnings.push(text) };
  const ctx = { ...boot.ctx, log };
  const outgoing = new Outgoing(ctx, boot.catalog, boot.entries);
  const receiver = fastSigner();
  const receiptFor = (segment: SealedSegment | undefined) => {
    if (segment === undefined) throw new Error('no such segment');
    const manifest = readManifest(segment.envelope);
    return sealReceipt(
      {
        device: DEVICE,
        seg: formatSegmentRef(segment.ref),
        man: segment.digest,
        root: manifest.file.root,
        size: manifest.file.size,
        log: null,
        stores: [{ id: 'disk', kind: 'fs', durable: true }],
        rx: 'rx-1',
        ts: 0,
        nonce: '0'.repeat(32),
      },
      receiver,
    );
  };
  const receiptsLogged = () =>
    readEntries(boot.db, 0, 100)
      .map(({ envelope }) => openEntry(envelope, boot.ctx.identity.signer.publicKey))
      .filter(({ type }) => type === 'receipt');
  const faultsLogged = () =>
    readEntries(boot.db, 0, 100).flatMap(({ envelope }) => {
      const entry = openEntry(envelope, boot.ctx.identity.signer.publicKey);
      return entry.type === 'fault' ? [`${entry.code}: ${entry.detail}`] : [];
    });
  return {
    ...boot,
    warnings,
    faultsLogged,
    fs,
    device,
    segments,
    outgoing,
    receiptFor,
    receiptsLogged,
  };
}

const REF = { boot: 1, rec: 1, seq: 0 };

test('segments without a receipt are pending, oldest first, up to the limit', async (t) => {
  const { outgoing, segments } = await open(3);
  const pending = await outgoing.pending(2);
  t.deepEqual(
    pending.map(({ ref }) => ref.seq),
    [0, 1],
  );
  t.deepEqual(pending[0]?.manifest, segments[0]?.envelope);
  t.is(pending[0]?.bytes, segments[0]?.bytes);
  t.deepEqual(await outgoing.backlog(), {
    segments: 3,
    bytes: segments.reduce((sum, { bytes }) => sum + bytes, 0),
  });
});

for (const [what, manifest] of [
  ['no JSON', 'x'],
  ['an envelope of nothing', '{"payload":"e30=","payloadType":"x","signatures":[]}'],
] as const) {
  test(`a row whose manifest is ${what} holds up no other segment, and is told once`, async (t) => {
    const bench = await open(3);
    bench.db.run('UPDATE segments SET manifest = ? WHERE seq < 2', manifest);
    for (let n = 0; n < 2; n += 1) {
      const pending = await bench.outgoing.pending(1);
      t.deepEqual(
        pending.map(({ ref }) => ref.seq),
        [2],
      );
    }
    t.is(bench.warnings.length, 2);
    t.is(bench.faultsLogged().length, 2);
    t.regex(
      bench.faultsLogged()[0] ?? '',
      /^storage\/corrupt: the catalog's manifest of 1\/1\/0 cannot be read/,
    );
  });
}

test('a log that does not take the fault of a row holds up no upload', async (t) => {
  const bench = await open(2);
  bench.db.run("UPDATE segments SET manifest = 'x' WHERE seq = 0");
  bench.db.run('ALTER TABLE entries RENAME TO away');
  t.is((await bench.outgoing.pending(5)).length, 1);
  t.is(bench.warnings.length, 1);
});

test('a receipt takes a segment off the backlog and is in the log with its digest', async (t) => {
  const { outgoing, segments, receiptFor, receiptsLogged, catalog } = await open(2);
  const receipt = receiptFor(segments[0]);
  await outgoing.receipted(REF, receipt);
  t.deepEqual(
    (await outgoing.pending(10)).map(({ ref }) => ref.seq),
    [1],
  );
  t.is((await outgoing.backlog()).segments, 1);
  t.deepEqual(parseEnvelope(catalog.find(REF)?.receipt ?? ''), receipt);
  t.like(receiptsLogged(), [
    { seg: '1/1/0', man: segments[0]?.digest, rx: 'rx-1', receipt: payloadDigest(receipt) },
  ]);
});

test('a receipt that comes twice, even at the same time, is kept once', async (t) => {
  const { outgoing, segments, receiptFor, receiptsLogged, catalog } = await open(1);
  const receipt = receiptFor(segments[0]);
  await Promise.all([outgoing.receipted(REF, receipt), outgoing.receipted(REF, receipt)]);
  await outgoing.receipted(REF, receiptFor(segments[0]));
  t.is(receiptsLogged().length, 1);
  t.deepEqual(parseEnvelope(catalog.find(REF)?.receipt ?? ''), receipt);
});

test('a receipt for a segment that the card does not know is dropped', async (t) => {
  const { outgoing, segments, receiptFor, receiptsLogged } = await open(1);
  await outgoing.receipted({ boot: 9, rec: 9, seq: 9 }, receiptFor(segments[0]));
  t.deepEqual(receiptsLogged(), []);
});

test('a receipt that the log does not take can come again', async (t) => {
  const { outgoing, segments, receiptFor, receiptsLogged, db } = await open(1);
  const receipt = receiptFor(segments[0]);
  db.run('ALTER TABLE entries RENAME TO away');
  await rejectsWith(t, 'storage/io', () => outgoing.receipted(REF, receipt));
  db.run('ALTER TABLE away RENAME TO entries');
  t.is((await outgoing.backlog()).segments, 1);
  await outgoing.receipted(REF, receipt);
  t.is((await outgoing.backlog()).segments, 0);
  t.is(receiptsLogged().length, 1);
});

test('offers are counted', async (t) => {
  const { outgoing, catalog } = await open(1);
  await outgoing.offered([REF]);
  await outgoing.offered([REF]);
  t.is(catalog.find(REF)?.offers, 2);
});

test('a sealed segment is read as it stands on the card', async (t) => {
  const { outgoing, fs, ctx } = await open(1);
  const file = (end: '.age' | '.leaves' | '.heads' | '.meta.age'): Promise<Buffer> =>
    fs.readFile(ctx.layout.segment(REF, end), 1_000_000);
  const segment = await outgoing.open(REF);
  const age = await file('.age');
  const target = Buffer.alloc(age.length + 2);
  await segment.readInto(target, 1, age.length, 0);
  t.true(target.subarray(1, -1).equals(age));
  await segment.readInto(target, 0, 10, 50_000);
  t.true(target.subarray(0, 10).equals(age.subarray(50_000, 50_010)));
  t.deepEqual(await segment.leaves(), await file('.leaves'));
  t.deepEqual(await segment.heads(), await file('.heads'));
  t.deepEqual(await segment.meta(), await file('.meta.age'));
  const error = await rejectsWith(t, 'storage/corrupt', () =>
    segment.readInto(target, 0, 10, age.length - 4),
  );
  t.regex(error.message, /1\/1\/0\.age ends 6 bytes early/);
  await segment.close();
});

test('a segment without heads or metadata says so, one without ciphertext is not opened', async (t) => {
  const { outgoing, fs, ctx } = await open(1);
  await fs.rename(ctx.layout.segment(REF, '.heads'), '/heads');
  await fs.rename(ctx.layout.segment(REF, '.meta.age'), '/meta');
  const segment = await outgoing.open(REF);
  t.is(await segment.heads(), undefined);
  t.is(await segment.meta(), undefined);
  await segment.close();
  await rejectsWith(t, 'storage/not-found', () => outgoing.open({ ...REF, seq: 7 }));
});

test('the certificate of a boot is given as it stands on the card', async (t) => {
  const { outgoing, device, ctx } = await open(1);
  const certificate = await outgoing.certificate(1);
  const opened = openSessionKey(certificate, device.deviceKey.publicKey);
  t.deepEqual(opened.publicKey, ctx.identity.signer.publicKey);
  await rejectsWith(t, 'storage/not-found', () => outgoing.certificate(2));
});

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { LEAF_BYTES } from '../../../src/evidence/age-container.js';
import { parseEnvelopeFile, payloadDigest } from '../../../src/evidence/dsse.js';
import { openManifest } from '../../../src/evidence/manifest.js';
import type { Manifest } from '../../../src/evidence/manifest.js';
import { HASH_BYTES, rootOfLeaves, sha256Hex } from '../../../src/evidence/merkle-tree.js';
import type { VerdictState } from '../../../src/evidence/verdict.js';
import { CameraError } from '../../../src/errors.js';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import type { SegmentFile } from '../../../src/storage/layout.js';
import { Recovery } from '../../../src/storage/recovery.js';
import { SegmentWriter } from '../../../src/storage/segment-writer.js';
import { openDatabase } from '../../../src/storage/database.js';
import { formatSegmentRef } from '../../../src/units.js';
import type { SegmentRef } from '../../../src/units.js';
import {
  CONFIG_DIGEST,
  FIRMWARE_DIGEST,
  newDevice,
  startBoot,
} from '../../support/boot-fixture.js';
import type { BootFixture, DeviceFixture } from '../../support/boot-fixture.js';
import { entriesOf, filesBelow, judge, recoverCard, storeOf } from '../../support/card-fixture.js';
import { SECOND_90K, fakeEnding, fakeFacts, fakePiece } from '../../support/fake-media.js';
import { rejectsWith } from '../../support/reject-code.js';

const NONE = '0'.repeat(64);
const REF: SegmentRef = { boot: 1, rec: 1, seq: 0 };
const FILE_MAX = 64 * 1024 * 1024;

/** A card on which boot 1 has recorded. */
interface Card extends BootFixture {
  readonly device: DeviceFixture;
  readonly fs: SimFileSystem;
}

async function newCard(): Promise<Card> {
  const device = newDevice();
  const fs = new SimFileSystem();
  return { ...(await startBoot({ device, fs })), device, fs };
}

const pathOf = (ref: SegmentRef, file: SegmentFile): string =>
  `/card/ev/${formatSegmentRef(ref)}${file}`;
const read = (fs: SimFileSystem, ref: SegmentRef, file: SegmentFile): Promise<Buffer> =>
  fs.readFile(pathOf(ref, file), FILE_MAX);
const replace = async (fs: SimFileSystem, location: string, content: Buffer): Promise<void> => {
  await fs.writeAtomic(location, content);
};

/** Records segment `ref` in `pieces` fragments of 100 kB, one a second, and leaves it open. */
async function leaveOpen(card: Card, ref: SegmentRef = REF, pieces = 4): Promise<SegmentWriter> {
  const writer = await SegmentWriter.open(
    card.ctx,
    fakeFacts({
      rec: ref.rec,
      seq: ref.seq,
      run: 2,
      start90k: 270_000,
      ...(ref.seq === 0 ? { preEvent: { askedMs: 5000, gotMs: 4000, reason: 'memory' } } : {}),
    }),
  );
  for (let n = 0; n < pieces; n += 1) {
    await writer.append(fakePiece(n, 100_000));
    await card.clock.advance(1000);
  }
  return writer;
}

/** The next boot on what is left, with the catalog and log that there were. */
const recover = (card: Card, fs: SimFileSystem = card.fs) =>
  recoverCard({ device: card.device, fs, db: card.db, boot: 2 });

async function manifestOf(
  fs: SimFileSystem,
  boot: BootFixture,
  ref: SegmentRef = REF,
): Promise<{ manifest: Manifest; digest: string }> {
  const envelope = parseEnvelopeFile((await read(fs, ref, '.dsse')).toString());
  const manifest = openManifest(envelope, boot.ctx.identity.signer.publicKey);
  return { manifest, digest: payloadDigest(envelope) };
}

/** The faults that recovery told, as `code: detail`. */
const faultsOf = (boot: BootFixture): readonly string[] =>
  entriesOf(boot).flatMap((entry) =>
    entry.type === 'fault' ? [`${entry.code}: ${entry.detail}`] : [],
  );

async function isJudged(
  t: ExecutionContext,
  card: Card,
  fs: SimFileSystem,
  state: VerdictState,
  ref: SegmentRef = REF,
): Promise<void> {
  const verdict = await judge(fs, '/card', card.device, ref);
  t.is(verdict.state, state, verdict.problems.map(({ message }) => message).join('; '));
}

test('a segment that a cut left open is sealed with what is whole, what was signed, and what it showed', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const fs = card.fs.cut({ keeps: 'none' });
  const age = await read(fs, REF, '.age');
  const boot = await recover(card, fs);
  const { manifest, digest } = await manifestOf(fs, boot);
  const leaves = await read(fs, REF, '.leaves');
  t.deepEqual(await read(fs, REF, '.age'), age, 'the ciphertext is as it was');
  const n = leaves.length / HASH_BYTES;
  t.is(n, 7); // header and 6 whole chunks of 400,700 bytes
  t.like(manifest, {
    key: boot.ctx.identity.signer.keyId,
    sealed_by: 2,
    ...REF,
    last: true,
    prev: NONE,
    file: { n, size: age.length, root: rootOfLeaves(leaves).toString('hex') },
    plain: null,
    meta: null,
    media: {
      codec: 'avc1.42c015',
      width: 1280,
      height: 720,
      run: 2,
      start90k: 270_000,
      gap_before_ms: 0,
      duration90k: 4 * SECOND_90K,
      frames: 120,
    },
    fragments: [],
    pre_event: { asked_ms: 5000, got_ms: 4000, reason: 'memory' },
    end: 'power-loss',
    mono: [1000, 4000],
    time: { source: 'unset', uncertainty_ms: 0 },
    cfg: CONFIG_DIGEST,
    fw: FIRMWARE_DIGEST,
  });
  t.is(manifest.recovered?.signed, n);
  t.is(manifest.recovered?.tail, 0);
  t.deepEqual(boot.summary, {
    recovered: [REF],
    indexed: 0,
    quarantined: [],
    failed: [],
    missing: [],
  });
  t.like(entriesOf(boot), [
    { type: 'recovered', seg: '1/1/0', man: digest, ...manifest.recovered },
  ]);
  t.like(boot.catalog.find(REF), { ending: 'power-loss', digest, bytes: age.length });
  await isJudged(t, card, fs, 'ok-with-missing');
});

test('whole chunks after the newest head are the tail, a part of a chunk is the cut', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const fs = card.fs.cut({ keeps: 'all' });
  const age = await fs.openWritable(pathOf(REF, '.age'));
  await age.append([Buffer.alloc(2 * LEAF_BYTES + 500, 7)]);
  await age.close();
  const boot = await recover(card, fs);
  const { manifest } = await manifestOf(fs, boot);
  t.like(manifest.recovered, { signed: 7, tail: 2 });
  t.is(manifest.file.n, 9);
  t.is(
    (await read(fs, REF, '.age')).length - manifest.file.size,
    500,
    'the rest stays on the card',
  );
  t.is((await read(fs, REF, '.leaves')).length, 9 * HASH_BYTES);
  await isJudged(t, card, fs, 'ok-with-missing');
});

test('a segment that only lacked its manifest is whole, with its final chunk and its marks', async (t) => {
  const card = await newCard();
  const writer = await leaveOpen(card);
  card.fs.faults.failsSync = (location) => location.endsWith('.dsse.tmp');
  const ending = fakeEnding({ marks: [{ at: 1, mediaMs: 2 }] });
  await rejectsWith(t, 'storage/io', () => writer.seal(ending, NONE));
  const fs = card.fs.cut({ keeps: 'none' });
  const boot = await recover(card, fs);
  const { manifest } = await manifestOf(fs, boot);
  t.is(manifest.file.size, (await read(fs, REF, '.age')).length);
  t.true(manifest.file.size % LEAF_BYTES > manifest.file.head, 'the final chunk is short');
  t.is(manifest.meta, sha256Hex(await read(fs, REF, '.meta.age')));
  t.like(manifest.recovered, { signed: 7, tail: 1 });
  await isJudged(t, card, fs, 'ok-with-missing');
});

test('metadata that was cut goes to quarantine', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  await card.fs.writeAtomic(pathOf(REF, '.meta.age'), Buffer.from('age-encryption.org/v1\n'));
  const boot = await recover(card);
  t.is((await manifestOf(card.fs, boot)).manifest.meta, null);
  t.deepEqual(boot.summary.quarantined, ['/card/quarantine/ev/1/1/0.meta.age']);
  await isJudged(t, card, card.fs, 'ok-with-missing');
});

test('a short leaf list is completed', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const list = await read(card.fs, REF, '.leaves');
  await replace(card.fs, pathOf(REF, '.leaves'), list.subarray(0, 3 * HASH_BYTES + 5));
  const boot = await recover(card);
  t.deepEqual(await read(card.fs, REF, '.leaves'), list);
  t.deepEqual(boot.summary.quarantined, []);
  t.deepEqual(faultsOf(boot), []);
});

test('a leaf list that is missing is made anew', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const list = await read(card.fs, REF, '.leaves');
  await card.fs.rename(pathOf(REF, '.leaves'), '/list');
  await recover(card);
  t.deepEqual(await read(card.fs, REF, '.leaves'), list);
});

test('a leaf list that is ahead of the ciphertext is shortened, its former content kept', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const list = await read(card.fs, REF, '.leaves');
  const ahead = Buffer.concat([list, Buffer.alloc(70, 1)]);
  await replace(card.fs, pathOf(REF, '.leaves'), ahead);
  const boot = await recover(card);
  t.deepEqual(await read(card.fs, REF, '.leaves'), list);
  const kept = '/card/quarantine/ev/1/1/0.leaves';
  t.deepEqual(boot.summary.quarantined, [kept]);
  t.deepEqual(await card.fs.readFile(kept, FILE_MAX), ahead);
  t.deepEqual(faultsOf(boot), [
    'storage/power-loss: ev/1/1/0.leaves lists leaves that are not on the card',
  ]);
});

test('a leaf list that contradicts leaves under a head is no work of a cut', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const list = await read(card.fs, REF, '.leaves');
  const wrong = Buffer.from(list);
  wrong[2 * HASH_BYTES] = (wrong[2 * HASH_BYTES] ?? 0) ^ 1;
  await replace(card.fs, pathOf(REF, '.leaves'), wrong);
  const boot = await recover(card);
  t.deepEqual(await read(card.fs, REF, '.leaves'), list);
  t.deepEqual(faultsOf(boot), [
    'storage/corrupt: ev/1/1/0.leaves lists leaves that are not on the card',
  ]);
});

test('a list that is longer than any is moved as it is', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const list = await read(card.fs, REF, '.leaves');
  const file = await card.fs.openWritable(pathOf(REF, '.leaves'));
  const LIST_MAX = 16 * 1024 * 1024;
  await file.append([Buffer.alloc(LIST_MAX + 1 - list.length)]);
  await file.close();
  const boot = await recover(card);
  t.deepEqual(await read(card.fs, REF, '.leaves'), list);
  t.is(await card.fs.size('/card/quarantine/ev/1/1/0.leaves'), LIST_MAX + 1);
  t.deepEqual(boot.summary.recovered, [REF]);
});

const tornLines: Readonly<Record<string, (line: Buffer) => Buffer>> = {
  'a part of a line': (line) => line.subarray(0, 300),
  'a line whose newline is missing': (line) => line.subarray(0, -1),
  'zeros where a page was lost, and the newline after them': (line) =>
    Buffer.concat([Buffer.alloc(line.length - 10), line.subarray(-10)]),
  'nothing but zeros': (line) => Buffer.alloc(line.length),
  'bytes that are no text': () => Buffer.from('fffe00c0', 'hex'),
};
for (const [what, tear] of Object.entries(tornLines)) {
  test(`of a .heads file that ends in ${what}, the whole lines stay and the rest is kept aside`, async (t) => {
    const card = await newCard();
    await leaveOpen(card, REF, 3);
    const before = await read(card.fs, REF, '.heads');
    const lastLine = before.subarray(before.lastIndexOf('\n', before.length - 2) + 1);
    const torn = Buffer.concat([before, tear(lastLine)]);
    await replace(card.fs, pathOf(REF, '.heads'), torn);
    const boot = await recover(card);
    const after = await read(card.fs, REF, '.heads');
    // A line that lacks only its newline is a whole head: this one says again what the line before it says.
    const isWhole = what.includes('newline is missing');
    t.deepEqual(after, isWhole ? Buffer.concat([before, lastLine]) : before);
    t.deepEqual(await card.fs.readFile('/card/quarantine/ev/1/1/0.heads', FILE_MAX), torn);
    t.deepEqual(faultsOf(boot), ['storage/power-loss: ev/1/1/0.heads ended inside a line']);
    t.like((await manifestOf(card.fs, boot)).manifest.recovered, { tail: 0 });
    await isJudged(t, card, card.fs, 'ok-with-missing');
  });
}

test('damage inside .heads stays where it is, for the verifier to see', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const heads = await read(card.fs, REF, '.heads');
  heads[100] = 0xff;
  await replace(card.fs, pathOf(REF, '.heads'), heads);
  const boot = await recover(card);
  t.deepEqual(await read(card.fs, REF, '.heads'), heads);
  t.is((await manifestOf(card.fs, boot)).manifest.recovered?.tail, 0);
  await isJudged(t, card, card.fs, 'not-ok');
});

test('a .heads file that is longer than any is read from its start and left alone', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const heads = await read(card.fs, REF, '.heads');
  const HEADS_MAX = 4 * 1024 * 1024;
  const long = Buffer.concat([heads, Buffer.alloc(HEADS_MAX, 'x')]);
  await replace(card.fs, pathOf(REF, '.heads'), long);
  const boot = await recover(card);
  t.deepEqual(await read(card.fs, REF, '.heads'), long);
  t.like((await manifestOf(card.fs, boot)).manifest.recovered, { signed: 7, tail: 0 });
});

/** Files of a segment that no head vouches for, as they come to quarantine. */
async function isPutAside(
  t: ExecutionContext,
  card: Card,
  before: ReadonlyMap<string, Buffer>,
): Promise<void> {
  t.deepEqual(await filesBelow(card.fs, '/card/quarantine/ev/1/1'), before, 'the bytes are kept');
  t.deepEqual(await card.fs.list('/card/ev/1/1'), []);
  t.is(card.catalog.totals().segments, 0, 'nothing of it is offered');
}

test('a segment without any head is not sealed: its files are in quarantine, and that is told', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  await card.fs.rename(pathOf(REF, '.heads'), '/heads');
  const before = await filesBelow(card.fs, '/card/ev/1/1');
  const boot = await recover(card);
  await isPutAside(t, card, before);
  t.deepEqual(boot.summary.recovered, []);
  t.deepEqual(faultsOf(boot), [
    'storage/power-loss: ev/1/1/0.age has no valid head by the key of its boot',
    'storage/power-loss: ev/1/1/0.leaves has no valid head by the key of its boot',
  ]);
});

test('footage of another camera that was put on the card is never signed', async (t) => {
  const card = await newCard();
  const stranger = await newCard();
  await leaveOpen(stranger);
  const before = await filesBelow(stranger.fs, '/card/ev/1/1');
  await card.fs.makeDirectory('/card/ev/1/1');
  for (const [name, content] of before) await replace(card.fs, `/card/ev/1/1/${name}`, content);
  const boot = await recover(card);
  await isPutAside(t, card, before);
  t.true(faultsOf(boot).every((fault) => fault.startsWith('storage/corrupt: ev/1/1/0.')));
  t.is(faultsOf(boot).length, 3);
});

test('heads of another segment vouch for nothing', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  await leaveOpen(card, { ...REF, rec: 2 });
  await replace(card.fs, pathOf(REF, '.heads'), await read(card.fs, { ...REF, rec: 2 }, '.heads'));
  const boot = await recover(card);
  t.deepEqual(boot.summary.recovered, [{ ...REF, rec: 2 }]);
  t.false(await card.fs.exists(pathOf(REF, '.dsse')));
});

test('heads that are signed but fit nothing on the card vouch for nothing', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const age = await read(card.fs, REF, '.age');
  age[1000] = (age[1000] ?? 0) ^ 1;
  await replace(card.fs, pathOf(REF, '.age'), age);
  const boot = await recover(card);
  t.deepEqual(boot.summary.recovered, []);
  t.is(faultsOf(boot)[0], 'storage/corrupt: 1/1/0: 4 signed heads do not fit the card');
});

test('without the certificate of its boot nothing is sealed, and the certificate is told once', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  await leaveOpen(card, { ...REF, rec: 2 });
  await card.fs.writeAtomic('/card/ev/1/session.dsse', Buffer.from('{}\n'));
  const boot = await recover(card);
  t.deepEqual(boot.summary.recovered, []);
  t.is(boot.summary.quarantined.length, 6);
  const told = faultsOf(boot).filter((fault) => fault.includes('session certificate'));
  t.is(told.length, 1);
  t.regex(told[0] ?? '', /^storage\/corrupt: session certificate of boot 1: /);
});

test('when the card does not give the certificate, the recording waits for the next start', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  card.fs.faults.failsRead = (location) => location === '/card/ev/1/session.dsse';
  const boot = await recover(card);
  t.deepEqual(boot.summary.failed, [REF]);
  t.deepEqual(boot.summary.quarantined, []);
  delete card.fs.faults.failsRead;
  const next = await recoverCard({ device: card.device, fs: card.fs, db: card.db, boot: 3 });
  t.deepEqual(next.summary.recovered, [REF]);
});

test('the certificate of another boot is not that of this one', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const other = await startBoot({ device: card.device, boot: 7 });
  const certificate = await other.ctx.fs.readFile('/card/ev/7/session.dsse', FILE_MAX);
  await replace(card.fs, '/card/ev/1/session.dsse', certificate);
  const boot = await recover(card);
  t.is(
    faultsOf(boot)[0],
    'storage/corrupt: session certificate of boot 1: it is that of another boot',
  );
});

test('a leaf that was changed under a head is told, and the verifier sees it', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const age = await read(card.fs, REF, '.age');
  age[4 * LEAF_BYTES] = (age[4 * LEAF_BYTES] ?? 0) ^ 1;
  await replace(card.fs, pathOf(REF, '.age'), age);
  const boot = await recover(card);
  const { manifest } = await manifestOf(card.fs, boot);
  t.true((manifest.recovered?.signed ?? 0) <= 4, 'only an older head fits');
  t.is(manifest.file.n, 7);
  t.true(faultsOf(boot).includes('storage/corrupt: 1/1/0: 2 signed heads do not fit the card'));
  await isJudged(t, card, card.fs, 'not-ok');
});

test('signed leaves that are gone are told', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const age = await read(card.fs, REF, '.age');
  await replace(card.fs, pathOf(REF, '.age'), age.subarray(0, 3 * LEAF_BYTES));
  const boot = await recover(card);
  t.is((await manifestOf(card.fs, boot)).manifest.file.n, 3);
  t.true(faultsOf(boot).some((fault) => fault.includes('signed heads do not fit the card')));
  await isJudged(t, card, card.fs, 'ok-with-missing');
});

test('a cut before the first whole chunk leaves nothing to play: the files are in quarantine', async (t) => {
  const card = await newCard();
  const writer = await SegmentWriter.open(card.ctx, fakeFacts());
  await writer.append(fakePiece(0, 1000));
  const before = await filesBelow(card.fs, '/card/ev/1/1');
  const boot = await recover(card);
  t.deepEqual(await card.fs.list('/card/ev/1/1'), []);
  t.deepEqual(await filesBelow(card.fs, '/card/quarantine/ev/1/1'), before);
  t.deepEqual([...boot.summary.quarantined].sort(), [
    '/card/quarantine/ev/1/1/0.age',
    '/card/quarantine/ev/1/1/0.heads',
    '/card/quarantine/ev/1/1/0.leaves',
  ]);
  t.deepEqual(boot.summary.recovered, []);
  t.is(boot.catalog.totals().segments, 0);
  t.is(faultsOf(boot).length, 3);
});

for (const [what, content] of [
  ['empty', Buffer.alloc(0)],
  ['cut in its header', Buffer.from('age-encryption.org/v1\n-> X25519 abc')],
  ['no age file', Buffer.alloc(200_000, 'x')],
] as const) {
  test(`a ciphertext that is ${what} goes to quarantine`, async (t) => {
    const card = await newCard();
    await card.fs.makeDirectory('/card/ev/1/1');
    await card.fs.writeAtomic(pathOf(REF, '.age'), content);
    const boot = await recover(card);
    t.deepEqual(boot.summary.quarantined, ['/card/quarantine/ev/1/1/0.age']);
  });
}

test('of two segments that a cut left open, each names the one before and only the newest is the last', async (t) => {
  const card = await newCard();
  const store = storeOf(card);
  const first = await store.openSegment(fakeFacts({ seq: 0 }));
  await first.append(fakePiece(0, 100_000));
  await first.seal(fakeEnding({ isLast: false }));
  await leaveOpen(card, { ...REF, seq: 1 });
  await leaveOpen(card, { ...REF, seq: 2 });
  const fs = card.fs.cut({ keeps: 'none' });
  const boot = await recover(card, fs);
  t.deepEqual(
    boot.summary.recovered.map(({ seq }) => seq),
    [1, 2],
  );
  const sealed = await manifestOf(fs, card);
  const [one, two] = [
    await manifestOf(fs, boot, { ...REF, seq: 1 }),
    await manifestOf(fs, boot, { ...REF, seq: 2 }),
  ];
  t.deepEqual([one.manifest.prev, two.manifest.prev], [sealed.digest, one.digest]);
  t.deepEqual([one.manifest.last, two.manifest.last], [false, true]);
});

test('segments are taken in the order of their numbers, not of their names', async (t) => {
  const card = await newCard();
  for (const seq of [9, 10]) await leaveOpen(card, { ...REF, seq }, 1);
  const boot = await recover(card);
  t.deepEqual(
    boot.summary.recovered.map(({ seq }) => seq),
    [9, 10],
  );
  const nine = await manifestOf(card.fs, boot, { ...REF, seq: 9 });
  t.is((await manifestOf(card.fs, boot, { ...REF, seq: 10 })).manifest.prev, nine.digest);
});

test('a second recovery changes nothing and says nothing', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  await card.fs.writeAtomic('/card/ev/notes.txt', Buffer.from('not ours'));
  const first = await recover(card);
  const before = await filesBelow(card.fs, '/card');
  const second = await recoverCard({ device: card.device, fs: card.fs, db: card.db, boot: 3 });
  t.deepEqual(second.summary, {
    recovered: [],
    indexed: 0,
    quarantined: [],
    failed: [],
    missing: [],
  });
  t.deepEqual(entriesOf(second), []);
  const after = await filesBelow(card.fs, '/card');
  after.delete('ev/3/session.dsse');
  t.deepEqual(after, before);
  t.is(first.summary.recovered.length, 1);
});

test('the directory of the present boot is not looked at', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  await card.fs.writeAtomic('/card/ev/1/strange', Buffer.from('x'));
  const before = await filesBelow(card.fs, '/card');
  const key = card.device.deviceKey.publicKey;
  const summary = await new Recovery(card.ctx, card.catalog, card.entries, key).run();
  t.deepEqual(summary, { recovered: [], indexed: 0, quarantined: [], failed: [], missing: [] });
  t.deepEqual(await filesBelow(card.fs, '/card'), before);
});

test('a directory of a boot that has not been goes to quarantine', async (t) => {
  const card = await newCard();
  await card.fs.makeDirectory('/card/ev/9999999999/1');
  const boot = await recover(card);
  t.deepEqual(boot.summary.quarantined, ['/card/quarantine/ev/9999999999']);
  t.deepEqual(faultsOf(boot), ['storage/corrupt: ev/9999999999 is of a boot that has not been']);
});

test('what is not named like evidence goes to quarantine under its own path, and is told', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const strangers = [
    'notes.txt',
    '1/lost',
    '1/01/0.age',
    '1/1/0.mp4',
    '1/1/dir/file',
    '1/1/0.age.tmp',
  ];
  for (const name of strangers) {
    await card.fs.makeDirectory(`/card/ev/${name}`.replace(/\/[^/]*$/, ''));
    await card.fs.writeAtomic(`/card/ev/${name}`, Buffer.from(name));
  }
  const boot = await recover(card);
  for (const name of strangers) {
    t.is((await card.fs.readFile(`/card/quarantine/ev/${name}`, FILE_MAX)).toString(), name);
    t.false(await card.fs.exists(`/card/ev/${name}`));
  }
  t.deepEqual(faultsOf(boot), [
    'storage/corrupt: ev/notes.txt is not named like evidence',
    'storage/corrupt: ev/1/01 is not named like evidence',
    'storage/corrupt: ev/1/lost is not named like evidence',
    'storage/power-loss: ev/1/1/0.age.tmp was cut before it was complete',
    'storage/corrupt: ev/1/1/0.mp4 is not named like evidence',
    'storage/corrupt: ev/1/1/dir is not named like evidence',
  ]);
});

test('two things of one name both find a place in quarantine', async (t) => {
  const card = await newCard();
  for (const [boot, text] of [
    [2, 'first'],
    [3, 'second'],
    [4, 'third'],
  ] as const) {
    await card.fs.writeAtomic('/card/ev/notes.txt', Buffer.from(text));
    await recoverCard({ device: card.device, fs: card.fs, db: card.db, boot });
  }
  const kept = await filesBelow(card.fs, '/card/quarantine');
  t.deepEqual(
    [...kept].map(([name, content]) => [name, content.toString()]),
    [
      ['ev/notes.txt', 'first'],
      ['ev/notes.txt.1', 'second'],
      ['ev/notes.txt.2', 'third'],
    ],
  );
});

test('a name that the file system cannot spell is told and holds up nothing', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  await card.fs.writeAtomic('/card/ev/1/1/gone', Buffer.from('x'));
  const { fs } = card;
  const rename = fs.rename.bind(fs);
  fs.rename = (from, to) =>
    from.endsWith('gone')
      ? Promise.reject(new CameraError('storage/not-found', 'no such name'))
      : rename(from, to);
  const boot = await recover(card);
  t.deepEqual(boot.summary.recovered, [REF]);
  t.deepEqual(boot.summary.quarantined, []);
  t.is(faultsOf(boot)[1], 'storage/corrupt: ev/1/1/gone cannot be moved: no such name');
});

test('sealed segments that the catalog has lost are entered into catalog and log again', async (t) => {
  const card = await newCard();
  const store = storeOf(card);
  for (const seq of [0, 1]) {
    const segment = await store.openSegment(fakeFacts({ seq }));
    await segment.append(fakePiece(0, 100_000));
    await segment.seal(fakeEnding({ isLast: seq === 1 }));
  }
  await leaveOpen(card, { ...REF, rec: 2 });
  await recover(card);
  const before = await filesBelow(card.fs, '/card/ev/1');
  const rebuilt = await recoverCard({ device: card.device, fs: card.fs, boot: 3 });
  t.deepEqual(rebuilt.summary, {
    recovered: [],
    indexed: 3,
    quarantined: [],
    failed: [],
    missing: [],
  });
  t.deepEqual(await filesBelow(card.fs, '/card/ev/1'), before);
  // But for marks, which only who may read the footage can tell any more.
  const rows = card.catalog.pending(10).map((row) => ({ ...row, isMarked: undefined }));
  t.deepEqual(rebuilt.catalog.pending(10), rows);
  t.like(entriesOf(rebuilt), [
    { type: 'segment', seg: '1/1/0', last: false },
    { type: 'segment', seg: '1/1/1', last: true },
    { type: 'recovered', seg: '1/2/0', signed: 7, tail: 0 },
  ]);
});

test('a sealed segment without its manifest gets it back from the catalog, not a second one', async (t) => {
  const card = await newCard();
  const segment = await storeOf(card).openSegment(fakeFacts());
  await segment.append(fakePiece(0, 100_000));
  await segment.seal(fakeEnding());
  const before = await filesBelow(card.fs, '/card/ev/1');
  await card.fs.rename(pathOf(REF, '.dsse'), '/stolen');
  const boot = await recover(card);
  t.deepEqual(await filesBelow(card.fs, '/card/ev/1'), before);
  t.deepEqual(boot.summary.recovered, []);
  t.deepEqual(faultsOf(boot), [
    'storage/corrupt: the manifest of 1/1/0 was missing and is restored',
  ]);
  await isJudged(t, card, card.fs, 'ok');
});

for (const [what, damage] of [
  ['damaged', () => Promise.resolve(Buffer.from('{"payload":\n'))],
  ['too long', () => Promise.resolve(Buffer.alloc(200_000, ' '))],
  ['of another segment', (card: Card) => read(card.fs, { ...REF, rec: 2 }, '.dsse')],
  [
    'signed by another key',
    async () => {
      const stranger = await newCard();
      const writer = await leaveOpen(stranger);
      await writer.seal(fakeEnding(), NONE);
      return read(stranger.fs, REF, '.dsse');
    },
  ],
] as const) {
  test(`a manifest that is ${what} stays where it is and is told, its segment is not offered`, async (t) => {
    const card = await newCard();
    for (const rec of [1, 2]) {
      const writer = await leaveOpen(card, { ...REF, rec }, 2);
      await writer.seal(fakeEnding(), NONE);
    }
    const wrong = await damage(card);
    await replace(card.fs, pathOf(REF, '.dsse'), wrong);
    const boot = await recover(card);
    t.deepEqual(await read(card.fs, REF, '.dsse'), wrong);
    t.deepEqual(
      boot.catalog.pending(10).map(({ ref }) => ref.rec),
      [2],
    );
    t.regex(faultsOf(boot).join(), /^storage\/corrupt: the manifest of 1\/1\/0 is damaged: [^,]*$/);
    await isJudged(t, card, card.fs, 'not-ok');
  });
}

test('a sealed segment without its ciphertext is told and not offered', async (t) => {
  const card = await newCard();
  const writer = await leaveOpen(card);
  await writer.seal(fakeEnding(), NONE);
  await card.fs.rename(pathOf(REF, '.age'), '/stolen');
  const boot = await recover(card);
  t.deepEqual(boot.catalog.pending(1), []);
  t.deepEqual(faultsOf(boot), ['storage/corrupt: the ciphertext of 1/1/0 is missing']);
});

test('sealed segments that have vanished from the card are told, a fault for each recording', async (t) => {
  const card = await newCard();
  const store = storeOf(card);
  const refs = [1, 2, 3].flatMap((rec) => [0, 1].map((seq) => ({ boot: 1, rec, seq })));
  for (const { rec, seq } of refs) {
    const segment = await store.openSegment(fakeFacts({ rec, seq }));
    await segment.append(fakePiece(0, 70_000));
    await segment.seal(fakeEnding({ isLast: seq === 1 }));
  }
  card.catalog.receipted({ boot: 1, rec: 3, seq: 0 }, 'a receipt');
  await card.fs.rename('/card/ev/1/1', '/stolen-1');
  await card.fs.rename('/card/ev/1/3', '/stolen-3');
  for (const end of ['.age', '.leaves', '.heads', '.meta.age', '.dsse'] as const) {
    await card.fs.rename(pathOf({ ...REF, rec: 2 }, end), `/stolen-2${end}`);
  }
  const boot = await recover(card);
  const wanted = ['1/1/0', '1/1/1', '1/2/0', '1/3/1'];
  t.deepEqual(boot.summary.missing.map(formatSegmentRef), wanted);
  t.deepEqual(faultsOf(boot), [
    'storage/corrupt: 2 sealed segments of recording 1/1 are missing from the card: 1/1/0, 1/1/1',
    'storage/corrupt: 1 sealed segments of recording 1/2 are missing from the card: 1/2/0',
    'storage/corrupt: 1 sealed segments of recording 1/3 are missing from the card: 1/3/1',
  ]);
});

test('a recording that misses very many segments is told in one fault that names the first', async (t) => {
  const card = await newCard();
  for (let seq = 0; seq < 1000; seq += 1) {
    const row = { ref: { ...REF, seq }, bytes: 1, ending: 'normal', manifest: 'm', digest: 'd' };
    card.catalog.add(row);
  }
  const boot = await recover(card);
  t.is(boot.summary.missing.length, 1000);
  const [fault, ...others] = faultsOf(boot);
  t.deepEqual(others, []);
  t.regex(fault ?? '', /: 1000 sealed segments of recording 1\/1 are .* 1\/1\/18, 1\/1\/19, …$/);
});

test('a segment that cannot be read holds up its recording and no other, and is tried again', async (t) => {
  const card = await newCard();
  for (const ref of [REF, { ...REF, seq: 1 }, { ...REF, rec: 2 }]) await leaveOpen(card, ref, 2);
  card.fs.faults.failsRead = (location) => location === pathOf(REF, '.age');
  const boot = await recover(card);
  t.deepEqual(boot.summary.failed, [REF]);
  t.deepEqual(boot.summary.recovered, [{ ...REF, rec: 2 }]);
  t.is(faultsOf(boot).length, 1);
  t.regex(faultsOf(boot)[0] ?? '', /^storage\/io: recovery of 1\/1\/0: /);
  delete card.fs.faults.failsRead;
  const next = await recoverCard({ device: card.device, fs: card.fs, db: card.db, boot: 3 });
  t.deepEqual(next.summary.recovered, [REF, { ...REF, seq: 1 }]);
  const zero = await manifestOf(card.fs, next);
  t.is((await manifestOf(card.fs, next, { ...REF, seq: 1 })).manifest.prev, zero.digest);
});

test('a card that takes nothing ends recovery with its reason', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const boot = await startBoot({ device: card.device, fs: card.fs, db: card.db, boot: 2 });
  const key = card.device.deviceKey.publicKey;
  const run = () => new Recovery(boot.ctx, boot.catalog, boot.entries, key).run();
  card.fs.faults.isReadOnly = true;
  await rejectsWith(t, 'storage/read-only', run);
  card.fs.faults.isReadOnly = false;
  card.fs.faults.capacityBytes = 0;
  await rejectsWith(t, 'storage/disk-full', run);
  t.false(await card.fs.exists(pathOf(REF, '.dsse')));
});

test('a segment whose manifest is durable but in no log is entered at the next start', async (t) => {
  const card = await newCard();
  await leaveOpen(card);
  const boot = await startBoot({ device: card.device, fs: card.fs, db: card.db, boot: 2 });
  const key = card.device.deviceKey.publicKey;
  card.db.run('ALTER TABLE entries RENAME TO away');
  await rejectsWith(t, 'storage/io', () =>
    new Recovery(boot.ctx, boot.catalog, boot.entries, key).run(),
  );
  card.db.run('ALTER TABLE away RENAME TO entries');
  const next = await recoverCard({ device: card.device, fs: card.fs, db: card.db, boot: 3 });
  t.is(next.summary.indexed, 1);
  t.like(entriesOf(next), [{ type: 'recovered', seg: '1/1/0', signed: 7 }]);
});

test('a card without anything on it is recovered', async (t) => {
  const fs = new SimFileSystem();
  const boot = await recoverCard({ device: newDevice(), fs, db: openDatabase(':memory:') });
  t.deepEqual(boot.summary, {
    recovered: [],
    indexed: 0,
    quarantined: [],
    failed: [],
    missing: [],
  });
});

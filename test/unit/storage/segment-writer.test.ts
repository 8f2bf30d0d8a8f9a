import { randomBytes } from 'node:crypto';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { decryptWhole } from '../../../src/evidence/age-container.js';
import { parseEnvelope, parseEnvelopeFile, payloadDigest } from '../../../src/evidence/dsse.js';
import { openHead } from '../../../src/evidence/head.js';
import type { Head } from '../../../src/evidence/head.js';
import { openManifest } from '../../../src/evidence/manifest.js';
import { HASH_BYTES, rootOfLeaves, sha256 } from '../../../src/evidence/merkle-tree.js';
import { PlainTree } from '../../../src/evidence/plain-tree.js';
import { CameraError } from '../../../src/errors.js';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import type { Clock } from '../../../src/clock.js';
import { monotonicMs } from '../../../src/units.js';
import type { SegmentRef } from '../../../src/units.js';
import type { SegmentFile } from '../../../src/storage/layout.js';
import { SegmentWriter } from '../../../src/storage/segment-writer.js';
import type { MediaPiece } from '../../../src/storage/segment-facts.js';
import {
  CONFIG_DIGEST,
  DEVICE,
  FIRMWARE_DIGEST,
  newDevice,
  startBoot,
} from '../../support/boot-fixture.js';
import type { BootFixture } from '../../support/boot-fixture.js';
import {
  SECOND_90K,
  fakeEnding,
  fakeFacts,
  fakePiece,
  plaintextOf,
} from '../../support/fake-media.js';
import { rejectsWith } from '../../support/reject-code.js';

const NONE = '0'.repeat(64);
const CHUNK_BYTES = 65_536;
const FILE_MAX = 64 * 1024 * 1024;
const REF: SegmentRef = { boot: 1, rec: 1, seq: 0 };

interface Bench extends BootFixture {
  readonly fs: SimFileSystem;
  readonly identity: string;
}

async function open(): Promise<Bench> {
  const device = newDevice();
  const fs = new SimFileSystem();
  return { ...(await startBoot({ device, fs })), fs, identity: device.identity };
}

const read = ({ fs, ctx }: Bench, file: SegmentFile, ref = REF): Promise<Buffer> =>
  fs.readFile(ctx.layout.segment(ref, file), FILE_MAX);

async function manifestOf(bench: Bench, ref = REF) {
  const envelope = parseEnvelopeFile((await read(bench, '.dsse', ref)).toString());
  const manifest = openManifest(envelope, bench.ctx.identity.signer.publicKey);
  return { manifest, digest: payloadDigest(envelope) };
}

async function headsOf(bench: Bench): Promise<readonly Head[]> {
  const text = (await read(bench, '.heads')).toString();
  const lines = text.split('\n');
  return lines
    .slice(0, -1)
    .map((line) => openHead(parseEnvelope(line), bench.ctx.identity.signer.publicKey));
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('a sealed segment decrypts to exactly the init segment and its fragments', async (t) => {
  const bench = await open();
  const facts = fakeFacts();
  const pieces = [1, 10_000, CHUNK_BYTES, 200_000, 3].map((bytes, n) => fakePiece(n, bytes));
  const writer = await SegmentWriter.open(bench.ctx, facts);
  for (const piece of pieces) await writer.append(piece);
  await writer.seal(fakeEnding(), NONE);
  const { plain, isComplete } = decryptWhole(await read(bench, '.age'), bench.identity);
  t.true(isComplete);
  t.true(plain.equals(plaintextOf(facts, pieces)));
  t.is(bench.fs.openFiles, 0);
});

test('the manifest states what the files are, what they show and how they ended', async (t) => {
  const bench = await open();
  await bench.clock.advance(500);
  const facts = fakeFacts({
    run: 3,
    start90k: 450_000,
    gapBeforeMs: 12.4,
    preEvent: { askedMs: 30_000, gotMs: 4999.6, reason: 'boot' },
  });
  const pieces = [fakePiece(0, 80_000), fakePiece(1, 90_000)];
  const writer = await SegmentWriter.open(bench.ctx, facts);
  for (const piece of pieces) {
    await writer.append(piece);
    await bench.clock.advance(1000);
  }
  const sealed = await writer.seal(fakeEnding({ end: 'stall' }), NONE);
  const [age, leaves] = [await read(bench, '.age'), await read(bench, '.leaves')];
  const { manifest, digest } = await manifestOf(bench);
  t.deepEqual(manifest, {
    v: 1,
    type: 'segment',
    device: DEVICE,
    key: bench.ctx.identity.signer.keyId,
    sealed_by: 1,
    ...REF,
    last: true,
    prev: NONE,
    file: {
      size: age.length,
      head: manifest.file.head,
      leaf: 65_552,
      n: leaves.length / HASH_BYTES,
      root: rootOfLeaves(leaves).toString('hex'),
    },
    plain: { size: plaintextOf(facts, pieces).length, root: manifest.plain?.root ?? '' },
    meta: sha256(await read(bench, '.meta.age')).toString('hex'),
    media: {
      codec: 'avc1.42c015',
      width: 1280,
      height: 720,
      run: 3,
      start90k: 450_000,
      gap_before_ms: 12,
      duration90k: 2 * SECOND_90K,
      frames: 60,
    },
    fragments: [
      [0, facts.init.length],
      [SECOND_90K, facts.init.length + 80_000],
    ],
    pre_event: { asked_ms: 30_000, got_ms: 5000, reason: 'boot' },
    end: 'stall',
    recovered: null,
    mono: [1500, 3500],
    time: { source: 'ntp', uncertainty_ms: 20 },
    cfg: CONFIG_DIGEST,
    fw: FIRMWARE_DIGEST,
  });
  t.like(sealed, { ref: REF, bytes: age.length, ending: 'stall', digest });
});

test('the sealed metadata holds the salt of the plaintext tree, the wall time and the marks', async (t) => {
  const bench = await open();
  const facts = fakeFacts();
  const piece = fakePiece(0, 150_000);
  const wall = bench.clock.wallTime();
  const writer = await SegmentWriter.open(bench.ctx, facts);
  await writer.append(piece);
  await writer.seal(fakeEnding({ marks: [{ at: 1234.5, mediaMs: 99.9 }] }), NONE);
  const { plain: text } = decryptWhole(await read(bench, '.meta.age'), bench.identity);
  const lines = text.toString().split('\n');
  t.is(lines.pop(), '');
  const [salt, opened, mark] = lines.map((line) => JSON.parse(line) as Record<string, unknown>);
  t.deepEqual(opened, {
    ...{ type: 'opened', mono: 1000, wall_ms: wall.ms, source: 'ntp', uncertainty_ms: 20 },
  });
  t.deepEqual(mark, { type: 'mark', mono: 1235, media_ms: 100 });
  t.is(lines.length, 3);
  const tree = new PlainTree(Buffer.from(String(salt?.['salt']), 'hex'));
  const plain = plaintextOf(facts, [piece]);
  for (let at = 0; at < plain.length; at += CHUNK_BYTES) {
    tree.push(plain.subarray(at, at + CHUNK_BYTES));
  }
  const { manifest } = await manifestOf(bench);
  t.deepEqual(manifest.plain, { size: plain.length, root: tree.root().toString('hex') });
  t.false((await read(bench, '.dsse')).toString().includes(String(wall.ms)));
});

test('fragments keep their order when nobody waits for the one before', async (t) => {
  const bench = await open();
  const facts = fakeFacts();
  const pieces = Array.from({ length: 40 }, (_, n) => fakePiece(n, 1 + ((n * 7919) % 30_000)));
  const writer = await SegmentWriter.open(bench.ctx, facts);
  const order: number[] = [];
  const appends = pieces.map((piece, n) => writer.append(piece).then(() => order.push(n)));
  // Sealing waits for what was appended before it.
  await Promise.all([...appends, writer.seal(fakeEnding(), NONE)]);
  t.deepEqual(order, [...pieces.keys()]);
  const { plain } = decryptWhole(await read(bench, '.age'), bench.identity);
  t.true(plain.equals(plaintextOf(facts, pieces)));
});

test('of a burst the first fragment becomes durable alone and the rest share their syncs', async (t) => {
  const bench = await open();
  const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
  const before = bench.fs.journal.length;
  await Promise.all(Array.from({ length: 30 }, (_, n) => writer.append(fakePiece(n, 100_000))));
  const kinds = bench.fs.journal
    .slice(before)
    .filter(({ path }) => path.endsWith('.age'))
    .map(({ kind }) => kind);
  t.deepEqual(kinds, ['write', 'sync', 'write', 'sync']);
  await writer.abandon();
});

test('a batch ends where a sync would take too long', async (t) => {
  const bench = await open();
  const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
  const MIB = 1024 * 1024;
  const sizes = [1, 3 * MIB, 0.9 * MIB, 2 * MIB, 5 * MIB, 1].map(Math.floor);
  await Promise.all(sizes.map((bytes, n) => writer.append(fakePiece(n, bytes))));
  const written = bench.fs.journal.flatMap((step) =>
    step.kind === 'write' && step.path.endsWith('.age')
      ? [Math.round(step.bytes.length / MIB)]
      : [],
  );
  // 4 MiB is the limit; a fragment above it goes alone rather than not at all.
  t.deepEqual(written, [0, 4, 2, 5]);
  await writer.abandon();
});

test('an append resolves when ciphertext and leaves are synced, and not before; the head follows', async (t) => {
  const bench = await open();
  const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
  const held: { path: string; go: () => void }[] = [];
  bench.fs.faults.beforeStep = ({ kind, path }) =>
    kind === 'sync' ? new Promise((go) => held.push({ path, go })) : undefined;
  let isDone = false;
  const appended = writer.append(fakePiece(0, 100_000)).then(() => {
    isDone = true;
  });
  const settle = async (): Promise<readonly string[]> => {
    for (let n = 0; n < 5; n += 1) await turn();
    return held.map(({ path }) => path.replace(/^.*\d/, ''));
  };
  t.deepEqual(await settle(), ['.age', '.leaves']);
  held[0]?.go();
  t.deepEqual(await settle(), ['.age', '.leaves'], 'no head before both are durable');
  t.false(isDone);
  held[1]?.go();
  await appended;
  t.deepEqual(await settle(), ['.age', '.leaves', '.heads']);
  held[2]?.go();
  await writer.abandon();
});

test('a sync of .heads that fails takes back no append, but rejects every later one and the seal', async (t) => {
  const bench = await open();
  const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
  await writer.append(fakePiece(0));
  await bench.clock.advance(1000);
  bench.fs.faults.failsSync = (location) => location.endsWith('0.heads');
  await writer.append(fakePiece(1, 100_000));
  await rejectsWith(t, 'storage/io', () => writer.append(fakePiece(2)));
  delete bench.fs.faults.failsSync;
  await rejectsWith(t, 'storage/io', () => writer.append(fakePiece(3)));
  await rejectsWith(t, 'storage/io', () => writer.seal(fakeEnding(), NONE));
  t.false(await bench.fs.exists(bench.ctx.layout.segment(REF, '.dsse')));
  t.is(bench.fs.openFiles, 0, 'no file stays open');
});

for (const file of ['.age', '.leaves']) {
  test(`a sync of ${file} that fails rejects its append, every later one and the seal`, async (t) => {
    const bench = await open();
    const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
    await writer.append(fakePiece(0));
    await bench.clock.advance(1000);
    bench.fs.faults.failsSync = (location) => location.endsWith(`0${file}`);
    const burst = [1, 2, 3].map((n) => writer.append(fakePiece(n, 100_000)));
    for (const append of burst) await rejectsWith(t, 'storage/io', () => append);
    delete bench.fs.faults.failsSync;
    const before = bench.fs.journal.length;
    await rejectsWith(t, 'storage/io', () => writer.append(fakePiece(4)));
    await rejectsWith(t, 'storage/io', () => writer.seal(fakeEnding(), NONE));
    t.is(bench.fs.journal.length, before, 'nothing more is written');
    t.false(await bench.fs.exists(bench.ctx.layout.segment(REF, '.dsse')));
    t.is(bench.fs.openFiles, 0, 'no file stays open');
  });
}

for (const file of ['.age', '.leaves', '.meta.age', '.dsse.tmp']) {
  test(`a sync of ${file} that fails while sealing leaves a segment without a manifest`, async (t) => {
    const bench = await open();
    const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
    await writer.append(fakePiece(0));
    bench.fs.faults.failsSync = (location) => location.endsWith(`0${file}`);
    await rejectsWith(t, 'storage/io', () => writer.seal(fakeEnding(), NONE));
    t.false(await bench.fs.exists(bench.ctx.layout.segment(REF, '.dsse')));
    t.is(bench.fs.openFiles, 0);
  });
}

test('a card that gets full rejects with storage/disk-full, appends and seal alike', async (t) => {
  const bench = await open();
  const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
  await writer.append(fakePiece(0));
  const used = 8 * 2 ** 30 - (await bench.fs.freeBytes('/'));
  bench.fs.faults.capacityBytes = used + 100_000;
  await rejectsWith(t, 'storage/disk-full', () => writer.append(fakePiece(1, 200_000)));
  await rejectsWith(t, 'storage/disk-full', () => writer.seal(fakeEnding(), NONE));
  t.is(bench.fs.openFiles, 0);
});

test('heads are at most half a second apart, cover the file so far, and the first has the opening', async (t) => {
  const bench = await open();
  const facts = fakeFacts({
    gapBeforeMs: 7,
    preEvent: { askedMs: 5000, gotMs: 5000, reason: 'none' },
  });
  const writer = await SegmentWriter.open(bench.ctx, facts);
  const STEP_MS = 100;
  const SECONDS = 3;
  for (let n = 0; n < (SECONDS * 1000) / STEP_MS; n += 1) {
    await writer.append(fakePiece(n, 30_000));
    await bench.clock.advance(STEP_MS);
  }
  await writer.seal(fakeEnding(), NONE);
  const heads = await headsOf(bench);
  t.deepEqual(
    heads.map(({ mono }) => mono),
    [1000, 1500, 2000, 2500, 3000, 3500],
  );
  const leaves = await read(bench, '.leaves');
  const { manifest } = await manifestOf(bench);
  for (const { n, size, root } of heads) {
    t.is(root, rootOfLeaves(leaves.subarray(0, n * HASH_BYTES)).toString('hex'));
    t.is(size, manifest.file.head + (n - 1) * manifest.file.leaf);
  }
  t.deepEqual(
    heads.map(({ frames, duration90k }) => [frames, duration90k / SECOND_90K]),
    [1, 6, 11, 16, 21, 26].map((pieces) => [30 * pieces, pieces]),
  );
  const { duration90k, frames, ...opening } = manifest.media;
  t.is(duration90k / SECOND_90K, 30);
  t.is(frames, 900);
  t.deepEqual(heads[0]?.opening, { media: opening, pre_event: manifest.pre_event });
  t.true(heads.slice(1).every((head) => head.opening === null));
});

test('a head is written with every fragment when they come a second apart', async (t) => {
  const bench = await open();
  const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
  for (let n = 0; n < 3; n += 1) {
    await writer.append(fakePiece(n));
    for (let turns = 0; turns < 5; turns += 1) await turn();
    t.is((await headsOf(bench)).length, n + 1);
    await bench.clock.advance(1000);
  }
  await writer.abandon();
});

test('a segment that was given up has no manifest, no open file and takes no more', async (t) => {
  const bench = await open();
  const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
  await writer.append(fakePiece(0));
  const late = writer.append(fakePiece(1));
  await Promise.all([rejectsWith(t, 'storage/io', () => late), writer.abandon()]);
  await rejectsWith(t, 'storage/io', () => writer.append(fakePiece(2)));
  await rejectsWith(t, 'storage/io', () => writer.seal(fakeEnding(), NONE));
  t.false(await bench.fs.exists(bench.ctx.layout.segment(REF, '.dsse')));
  t.is(bench.fs.openFiles, 0);
});

for (const [end, finish] of [
  ['sealing', (t, writer) => rejectsWith(t, 'internal/bug', () => writer.seal(fakeEnding(), NONE))],
  ['giving up', (_, writer) => writer.abandon()],
] as readonly [string, (t: ExecutionContext, writer: SegmentWriter) => Promise<unknown>][]) {
  test(`a fragment that cannot be encrypted fails with all after it, and ${end} the segment settles`, async (t) => {
    const bench = await open();
    const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
    await writer.append(fakePiece(0));
    const bad: MediaPiece = {
      ...fakePiece(1),
      get offset90k(): number {
        throw new CameraError('internal/bug', 'no such time');
      },
    };
    const appends = [bad, fakePiece(2)].map((piece) => writer.append(piece));
    const ending = finish(t, writer);
    for (const append of appends) await rejectsWith(t, 'internal/bug', () => append);
    await ending;
    await rejectsWith(t, end === 'sealing' ? 'internal/bug' : 'storage/io', () =>
      writer.append(fakePiece(3)),
    );
    t.is(bench.fs.openFiles, 0);
    t.false(await bench.fs.exists(bench.ctx.layout.segment(REF, '.dsse')));
  });
}

test('a segment is never opened twice', async (t) => {
  const bench = await open();
  const writer = await SegmentWriter.open(bench.ctx, fakeFacts());
  await writer.append(fakePiece(0, 100_000));
  const before = await read(bench, '.age');
  await rejectsWith(t, 'storage/io', () => SegmentWriter.open(bench.ctx, fakeFacts()));
  t.deepEqual(await read(bench, '.age'), before);
  await writer.abandon();
});

test('two segments with the same content have nothing in common on the card', async (t) => {
  const bench = await open();
  const piece = fakePiece(0, 100_000);
  const [first, second] = [fakeFacts({ seq: 0 }), fakeFacts({ seq: 1 })];
  for (const facts of [first, second]) {
    const writer = await SegmentWriter.open(bench.ctx, facts);
    await writer.append(piece);
    await writer.seal(fakeEnding({ isLast: facts.seq === 1 }), NONE);
  }
  const one = await read(bench, '.leaves');
  const other = await read(bench, '.leaves', { ...REF, seq: 1 });
  t.is(one.length, other.length);
  for (let at = 0; at < one.length; at += HASH_BYTES) {
    t.false(other.includes(one.subarray(at, at + HASH_BYTES)));
  }
});

test('however many fragments a segment has, its manifest takes no more of them than fit', async (t) => {
  const bench = await open();
  const facts = fakeFacts();
  const writer = await SegmentWriter.open(bench.ctx, facts);
  const COUNT = 9000; // five minutes of nothing but IDR pictures
  const part = randomBytes(10);
  const piece = (n: number): MediaPiece => ({
    parts: [part],
    offset90k: n * 3000,
    duration90k: 3000,
    frames: 1,
  });
  const appends = Array.from({ length: COUNT }, (_, n) => writer.append(piece(n)));
  await Promise.all(appends);
  await writer.seal(fakeEnding(), NONE);
  const { manifest } = await manifestOf(bench);
  t.true(manifest.fragments.length > 1000 && manifest.fragments.length <= 2500);
  for (const [offset90k, offset] of manifest.fragments) {
    t.is(
      offset,
      facts.init.length + (offset90k / 3000) * part.length,
      'each is a fragment that is there',
    );
  }
  t.is(manifest.fragments[0]?.[0], 0);
  t.true(
    (manifest.fragments.at(-1)?.[0] ?? 0) > 0.99 * COUNT * 3000,
    'the list reaches to the end',
  );
  t.is(manifest.media.frames, COUNT);
});

test('encrypting a long batch gives the event loop a turn every few milliseconds', async (t) => {
  const bench = await open();
  let nowMs = 0;
  let turns = 0;
  const clock: Clock = {
    wallTime: () => bench.clock.wallTime(),
    after: (delayMs, callback) => bench.clock.after(delayMs, callback),
    every: (periodMs, callback) => bench.clock.every(periodMs, callback),
    sleep: (delayMs) => bench.clock.sleep(delayMs),
    // Every look at the clock costs 3 ms: one look a fragment, so a turn is due after every second one.
    monotonicMs: () => monotonicMs((nowMs += 3)),
    nextTurn: () => {
      turns += 1;
      return bench.clock.nextTurn();
    },
  };
  const writer = await SegmentWriter.open({ ...bench.ctx, clock }, fakeFacts());
  await Promise.all(Array.from({ length: 21 }, (_, n) => writer.append(fakePiece(n))));
  t.true(turns >= 10, `${turns} turns`);
  await writer.abandon();
});

test('without a recipient nobody could read the footage: no file is made', async (t) => {
  const bench = await open();
  const ctx = { ...bench.ctx, identity: { ...bench.ctx.identity, recipients: [] } };
  await rejectsWith(t, 'evidence/bad-recipient', () => SegmentWriter.open(ctx, fakeFacts()));
  t.deepEqual(await bench.fs.list(bench.ctx.layout.recording(1, 1)), []);
  t.is(bench.fs.openFiles, 0);
});

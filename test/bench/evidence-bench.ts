import { randomBytes } from 'node:crypto';
import { mkdtemp, open, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createSigner } from '../../src/evidence/signer.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { CardLayout } from '../../src/storage/layout.js';
import { openDatabase } from '../../src/storage/database.js';
import { newDevice, startBoot } from '../support/boot-fixture.js';
import type { BootFixture } from '../support/boot-fixture.js';
import { storeOf } from '../support/card-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from '../support/fake-media.js';
import { StageCamera, receiptFor } from '../rig/powercut/stage.js';

// `npm run bench:evidence`: what sealing costs beside writing the same bytes, how long an entry of the log takes beside a
// bare sync, and how much the database of a card grows in a shift. In one run, on the file system of the temporary directory.

const MIB = 2 ** 20;
/** 4 Mbit/s. */
const FRAGMENT_BYTES = 500_000;
const FRAGMENTS = 60;
const ROUNDS = 3;
const ENTRIES = 1000;
const SHIFT_HOURS = 12;
const SEGMENTS_PER_HOUR = 60;
const PRESSES_PER_HOUR = 20;

const row = (name: string, value: string, note = ''): void => {
  process.stdout.write(`${name.padEnd(44)} ${value.padEnd(34)} ${note}\n`);
};
const quantile = (values: readonly number[], share: number): number =>
  [...values].sort((a, b) => a - b)[Math.floor((values.length - 1) * share)] ?? Number.NaN;

interface Cost {
  readonly wallMs: number;
  readonly cpuMs: number;
}

async function costOf(work: () => Promise<void>): Promise<Cost> {
  const [cpu, started] = [process.cpuUsage(), performance.now()];
  await work();
  const { user, system } = process.cpuUsage(cpu);
  return { wallMs: performance.now() - started, cpuMs: (user + system) / 1000 };
}

/** A boot on a real card, with the signer that a camera has. */
function bootIn(directory: string): Promise<BootFixture> {
  const card = path.join(directory, 'card');
  return new NodeFileSystem().makeDirectory(card).then(() =>
    startBoot({
      ...{ device: newDevice(), fs: new NodeFileSystem(), card },
      db: openDatabase(new CardLayout(card).database),
      signer: createSigner(randomBytes(32)),
    }),
  );
}

/** A minute of video, sealed: encrypted, hashed, its heads signed each second, manifest, catalog and log. */
async function sealMinute(boot: BootFixture): Promise<void> {
  const store = storeOf(boot);
  const rec = await store.beginRecording();
  const segment = await store.openSegment(fakeFacts({ rec }));
  for (const piece of PIECES) {
    await segment.append(piece);
    await boot.clock.advance(1000);
  }
  await segment.seal(fakeEnding());
}

/** The same bytes, each fragment durable, and nothing else. */
async function writeMinute(file: string): Promise<void> {
  const handle = await open(file, 'wx');
  for (const { parts } of PIECES) {
    await handle.writev(parts.map((part) => Buffer.from(part)));
    await handle.datasync();
  }
  await handle.close();
}

const PIECES = Array.from({ length: FRAGMENTS }, (_, n) => fakePiece(n, FRAGMENT_BYTES));

async function benchSeal(directory: string): Promise<void> {
  const boot = await bootIn(path.join(directory, 'seal'));
  const sealed: Cost[] = [];
  const written: Cost[] = [];
  for (let round = 0; round <= ROUNDS; round += 1) {
    const plain = await costOf(() => writeMinute(path.join(directory, `plain-${round}`)));
    const seal = await costOf(() => sealMinute(boot));
    // The first round warms up.
    if (round === 0) continue;
    written.push(plain);
    sealed.push(seal);
  }
  boot.db.close();
  const median = (costs: readonly Cost[], of: keyof Cost): number =>
    quantile(
      costs.map((cost) => cost[of]),
      0.5,
    );
  const show = (costs: readonly Cost[]): string =>
    `${median(costs, 'cpuMs').toFixed(0)} ms CPU, ${median(costs, 'wallMs').toFixed(0)} ms`;
  row('write and sync 60 fragments of 0.5 MB', show(written));
  const share = (median(sealed, 'cpuMs') / 60_000) * 100;
  row('the same, sealed', show(sealed), `${share.toFixed(2)} % of a core while recording`);
}

async function benchLog(directory: string): Promise<void> {
  const boot = await bootIn(path.join(directory, 'log'));
  const file = await open(path.join(directory, 'syncs'), 'wx');
  const block = Buffer.alloc(4096);
  const [syncs, appends]: [number[], number[]] = [[], []];
  const timed = async (into: number[], work: () => Promise<unknown>): Promise<void> => {
    const started = performance.now();
    await work();
    into.push(performance.now() - started);
  };
  for (let n = 0; n < ENTRIES; n += 1) {
    await timed(syncs, async () => {
      await file.write(block);
      await file.datasync();
    });
    const detail = `entry ${n} of the bench`;
    await timed(appends, () =>
      boot.entries.append({ type: 'fault', code: 'hal/check-failed', detail }),
    );
  }
  await file.close();
  boot.db.close();
  const show = (values: readonly number[]): string =>
    [0.5, 0.99, 1].map((share) => quantile(values, share).toFixed(1)).join(' / ');
  row('4 KiB and a sync, p50 / p99 / max', `${show(syncs)} ms`);
  row('an entry of the log, durable', `${show(appends)} ms`, 'one signature of TweetNaCl included');
}

/** A shift that records all the time, is docked each hour and keeps nothing: the most entries that twelve hours can have. */
async function benchShift(directory: string): Promise<void> {
  const card = path.join(directory, 'shift');
  await new NodeFileSystem().makeDirectory(card);
  const stage = { card, device: newDevice(), say: () => undefined, isDeleting: true };
  const database = new CardLayout(card).database;
  const camera = await StageCamera.open(stage);
  const { journal, outgoing, retention } = camera.card;
  await camera.card.recovered;
  for (let hour = 0; hour < SHIFT_HOURS; hour += 1) {
    await camera.record(Array.from({ length: SEGMENTS_PER_HOUR }, () => 1));
    // Nobody waits for these: they share syncs, and are written when time has passed.
    const notes: Promise<void>[] = [];
    for (let beat = 1; beat <= SEGMENTS_PER_HOUR; beat += 1) {
      const facts = { mode: 'recording', isDocked: false, freeBytes: 1e9 } as const;
      notes.push(
        journal.record({ type: 'heartbeat', beat: hour * SEGMENTS_PER_HOUR + beat, ...facts }),
      );
    }
    for (let press = 0; press < PRESSES_PER_HOUR; press += 1) {
      for (const isPressed of [true, false]) {
        const at = camera.clock.monotonicMs();
        const edge = await journal.pressed({ button: 'record', isPressed, at, isBounce: false });
        notes.push(journal.decided(edge, 'mark', 12));
      }
    }
    await camera.clock.advance(1000);
    await Promise.all(notes);
    const segments = await outgoing.pending(SEGMENTS_PER_HOUR);
    await outgoing.offered(segments.map(({ ref }) => ref));
    for (const segment of segments) await outgoing.receipted(segment.ref, receiptFor(segment));
    while (camera.card.totals().receipted > 0) await retention.look();
  }
  // The second line of a checkpoint (C2SP tlog-checkpoint) is the size of the log.
  const entries = Number((await camera.card.checkpoint()).split('\n')[1]);
  await camera.card.close();
  const bytes = (await stat(database)).size;
  row(
    `a shift of ${SHIFT_HOURS} h that records all the time`,
    `${(bytes / MIB).toFixed(1)} MiB of database`,
    `${entries} entries, ${(bytes / entries).toFixed(0)} bytes each, catalog included`,
  );
}

const directory = await mkdtemp(path.join(tmpdir(), 'lapel-bench-'));
try {
  await benchSeal(directory);
  await benchLog(directory);
  await benchShift(directory);
} finally {
  await rm(directory, { recursive: true, force: true });
}

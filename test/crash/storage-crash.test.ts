import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Signer } from '../../src/evidence/signer.js';
import { verifyRecording } from '../../src/evidence/verify-recording.js';
import type { SegmentVerdict } from '../../src/evidence/verify-segment.js';
import { SimDisk } from '../../src/hal/sim/sim-disk.js';
import type { CutMode } from '../../src/hal/sim/sim-disk.js';
import { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import type { Catalog } from '../../src/storage/catalog.js';
import { openDatabase } from '../../src/storage/database.js';
import type { Database } from '../../src/storage/database.js';
import { readEntries } from '../../src/storage/device-log.js';
import { formatSegmentRef } from '../../src/units.js';
import { Recovery } from '../../src/storage/recovery.js';
import { startBoot } from '../support/boot-fixture.js';
import type { DeviceFixture } from '../support/boot-fixture.js';
import { filesBelow, judge, recoverCard, segmentsOn } from '../support/card-fixture.js';
import { copyDatabase, durableHeads, recordCrashScript } from '../support/crash-script.js';
import type { CrashScript } from '../support/crash-script.js';
import { fastSigner } from '../support/fast-signer.js';

/**
 * A recording of three segments is cut after every one of its steps, in every way that an unsynced write can be lost,
 * and the next boot recovers what is left. SQLite does its own input and output, so its database is a real one: either
 * as it stood at that step, or lost, so that the catalog has to be made from the files.
 */

/** No bound on speed: what takes longer has stopped. Beside other tests one of these took two minutes. */
const HANGS_MS = 300_000;
const CARD = '/card';
const NEWLINE = 10;

const modesAt = (step: number): readonly CutMode[] => [
  { keeps: 'none' },
  { keeps: 'all' },
  { keeps: 'torn', seed: step },
  { keeps: 'random', seed: step },
  { keeps: 'random', seed: step + 1_000_000 },
  { keeps: 'random', seed: step + 2_000_000 },
];

/** What SQLite syncs is not under test here: a directory in memory makes a thousand databases cheap. */
async function fastDirectory(t: ExecutionContext): Promise<string> {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const directory = await mkdtemp(path.join(parent, 'lapel-crash-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

type Files = ReadonlyMap<string, Buffer>;

interface Case {
  readonly script: CrashScript;
  readonly step: number;
  readonly name: string;
  readonly heads: ReadonlyMap<number, number>;
  readonly before: Files;
}

const fingerprint = (files: Files): string => {
  const hash = createHash('sha256');
  for (const [name, content] of files) hash.update(`${name} ${content.length}\n`).update(content);
  return hash.digest('hex');
};

/** Fails with one message instead of counting thousands of assertions. */
function must(isTrue: boolean, { name }: Case, what: string): asserts isTrue {
  if (!isTrue) throw new Error(`${name}: ${what}`);
}

/** Every file that was there is there still, or its content is in quarantine under its path. */
function nothingVanished(now: Case, after: Files): void {
  for (const [name, content] of now.before) {
    const kept = [...after].some(
      ([other, bytes]) => other.startsWith(`quarantine/${name}`) && bytes.equals(content),
    );
    const inPlace = after.get(name);
    const isList = name.endsWith('.leaves') || name.endsWith('.heads');
    const isSame = isList
      ? inPlace?.subarray(0, content.length).equals(content)
      : inPlace?.equals(content);
    must(kept || isSame === true, now, `${name} has vanished or was changed`);
  }
}

/**
 * What the camera was told to be durable is: under a manifest or, when the cut came before the first head over it, kept
 * in quarantine (`nothingVanished`).
 */
function promisesKept(
  now: Case,
  after: Files,
  verdicts: ReadonlyMap<number, SegmentVerdict>,
): void {
  for (const { step, seq, leaves } of now.script.promised) {
    if (step > now.step) continue;
    const manifest = verdicts.get(seq)?.manifest;
    if (leaves === undefined) {
      must(manifest?.recovered === null, now, `segment ${seq} was sealed and is not`);
      must(verdicts.get(seq)?.state === 'ok', now, `sealed segment ${seq} does not verify`);
    } else if (leaves > 1 && now.heads.has(seq)) {
      must((manifest?.file.n ?? 0) >= leaves, now, `segment ${seq} has lost a durable fragment`);
    }
  }
  for (const [name, content] of now.before) {
    const stem = name.replace(/\.[^/]*$/, '');
    if (!now.before.has(`${stem}.dsse`) || name.includes('session')) continue;
    must(after.get(name)?.equals(content) === true, now, `${name} of a sealed segment was changed`);
  }
}

function isRecovered(now: Case, { ref, state, manifest, problems }: SegmentVerdict): void {
  const all = problems.map(({ message }) => message).join('; ');
  must(state === 'ok-with-missing' || state === 'ok', now, `${ref.seq} is ${state}: ${all}`);
  must(manifest !== undefined, now, `segment ${ref.seq} has no manifest`);
  if (manifest.recovered === null) return;
  must(manifest.end === 'power-loss', now, 'a recovered segment says so');
  const durable = now.heads.get(ref.seq) ?? 0;
  must(manifest.recovered.signed > 0, now, `segment ${ref.seq} was sealed without a valid head`);
  must(manifest.recovered.signed >= durable, now, `segment ${ref.seq} has lost a durable head`);
  const isCut = problems.every(({ what }) => what === 'cut' || what === 'unsigned-tail');
  must(isCut, now, `segment ${ref.seq}: ${all}`);
}

/** Catalog and log know every segment that has a manifest, each once. */
function isEntered(now: Case, db: Database, catalog: Catalog, segments: readonly string[]): void {
  const rows = catalog.pending(100).map(({ ref }) => formatSegmentRef(ref));
  must(rows.join() === segments.join(), now, `catalog has ${rows.join()}, not ${segments.join()}`);
  const logged = readEntries(db, 0, 1000).flatMap(({ type, envelope }) => {
    if (type !== 'segment' && type !== 'recovered') return [];
    const entry = JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as { seg: string };
    return [entry.seg];
  });
  must(logged.sort().join() === segments.join(), now, `log has ${logged.join()}`);
}

/** Session keys by boot, the same in every case: making keys is what these tests would spend their time on. */
const signers = Array.from({ length: 5 }, () => fastSigner());

const recoverAs = (device: DeviceFixture, fs: SimFileSystem, db: Database, boot: number) =>
  recoverCard({ device, fs, db, boot, ...sessionOf(boot) });

const sessionOf = (boot: number): { readonly signer: Signer } => {
  const signer = signers[boot];
  if (signer === undefined) throw new Error(`no key for boot ${boot}`);
  return { signer };
};

/** Recovers what a cut has left, twice, and checks everything that must hold afterwards. */
async function recoverAndCheck(
  now: Case,
  fs: SimFileSystem,
  db: Database,
  boot = 2,
): Promise<void> {
  const { device } = now.script;
  const first = await recoverAs(device, fs, db, boot);
  must(first.summary.failed.length === 0, now, 'nothing is left for later');
  must(first.summary.missing.length === 0, now, 'the catalog knows only what the card has');
  const after = await filesBelow(fs, CARD);
  nothingVanished(now, after);
  const verdicts = new Map<number, SegmentVerdict>();
  const refs = await segmentsOn(fs, CARD);
  for (const ref of refs) {
    const verdict = await judge(fs, CARD, device, ref);
    isRecovered(now, verdict);
    verdicts.set(ref.seq, verdict);
  }
  promisesKept(now, after, verdicts);
  isEntered(now, db, first.catalog, refs.map(formatSegmentRef));
  if (verdicts.size > 0) {
    const recording = verifyRecording([...verdicts.values()]);
    must(recording.state !== 'not-ok', now, `the recording is ${recording.state}`);
  }
  const second = await recoverAs(device, fs, db, boot + 1);
  const { recovered, indexed, quarantined, failed } = second.summary;
  const isIdle = recovered.length + indexed + quarantined.length + failed.length === 0;
  must(isIdle, now, 'a second recovery has nothing to do');
  const twice = await filesBelow(fs, CARD);
  twice.delete(`ev/${boot + 1}/session.dsse`);
  must(fingerprint(twice) === fingerprint(after), now, 'a second recovery changes something');
}

const describe = (step: number, mode: CutMode): string =>
  `step ${step}, ${mode.keeps}${'seed' in mode ? ` ${mode.seed}` : ''}`;

/** Calls back for every different thing that a cut can leave. Returns how many there were. */
async function everyCut(
  script: CrashScript,
  visit: (now: Case, open: () => SimFileSystem, database: string | undefined) => Promise<void>,
): Promise<number> {
  const disk = new SimDisk();
  const seen = new Set<string>();
  let cases = 0;
  for (let step = 0; step <= script.journal.length; step += 1) {
    const last = script.journal[step - 1];
    if (last !== undefined) disk.apply(last);
    const heads = await durableHeads(script, disk);
    const database = script.databases.findLast((copy) => copy.step <= step)?.file;
    for (const mode of modesAt(step)) {
      const open = (): SimFileSystem => new SimFileSystem({}, disk.cut(mode));
      const before = await filesBelow(open(), CARD);
      // Most steps are not synced yet when the power goes: what is left is the same as one step before.
      const key = `${fingerprint(before)} ${database ?? ''} ${[...heads].join()}`;
      if (seen.has(key)) continue;
      seen.add(key);
      cases += 1;
      await visit({ script, step, name: describe(step, mode), heads, before }, open, database);
    }
  }
  return cases;
}

test.serial(
  'cut at every step in every mode, database kept: all that was durable is there, and verifies',
  async (t) => {
    t.timeout(HANGS_MS);
    const directory = await fastDirectory(t);
    const script = await recordCrashScript(directory);
    const file = path.join(directory, 'kept.db');
    const cases = await everyCut(script, async (now, open, database) => {
      await Promise.all(['', '-wal', '-shm'].map((end) => rm(file + end, { force: true })));
      if (database !== undefined) copyDatabase(database, file);
      const db = openDatabase(file);
      try {
        await recoverAndCheck(now, open(), db);
      } finally {
        db.close();
      }
    });
    t.log(
      `${script.journal.length} steps, ${script.databases.length} states of the database, ${cases} cuts`,
    );
    t.true(cases > 100);
  },
);

test.serial(
  'cut at every step in every mode, database lost: the catalog is made from the files',
  async (t) => {
    t.timeout(HANGS_MS);
    const script = await recordCrashScript(await fastDirectory(t));
    const cases = await everyCut(script, async (now, open) => {
      const db = openDatabase(':memory:');
      try {
        await recoverAndCheck(now, open(), db);
      } finally {
        db.close();
      }
    });
    t.true(cases > 100);
  },
);

test.serial(
  'cut again at every step of the recovery: the next one comes to the same end',
  async (t) => {
    t.timeout(HANGS_MS);
    const script = await recordCrashScript(await fastDirectory(t));
    const { device } = script;
    /** Every so many cuts of the recording are cut again; a prime, so that all modes and phases get their turn. */
    const STRIDE = 13;
    /** And all of those that have torn a head, for then recovery replaces a file that vouches for something. */
    const hasTornHead = (files: Files): boolean =>
      [...files].some(
        ([name, content]) =>
          name.endsWith('.heads') &&
          content.length > 0 &&
          (content.includes(0) || content.at(-1) !== NEWLINE),
      );
    let seen = 0;
    let cuts = 0;
    await everyCut(script, async (now, open) => {
      seen += 1;
      if (seen % STRIDE !== 0 && !hasTornHead(now.before)) return;
      for (let steps = 1; ; steps += 1) {
        const fs = open();
        const db = openDatabase(':memory:');
        try {
          const boot = await startBoot({ device, fs, db, boot: 2, ...sessionOf(2) });
          const before = fs.journal.length;
          fs.faults.powerOffAfter = before + steps;
          const key = device.deviceKey.publicKey;
          // Whether it ended well or not: after the cut only the card counts.
          await new Recovery(boot.ctx, boot.catalog, boot.entries, key)
            .run()
            .catch(() => undefined);
          if (fs.journal.length < before + steps) return;
          const mode = modesAt(steps)[cuts % modesAt(steps).length] ?? { keeps: 'none' };
          const name = `${now.name}, then recovery at ${describe(steps, mode)}`;
          await recoverAndCheck({ ...now, name }, fs.cut(mode), db, 3);
          cuts += 1;
        } finally {
          db.close();
        }
      }
    });
    t.log(`${cuts} cuts of a recovery`);
    t.true(cuts > 100);
  },
);

import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { SimDisk } from '../../src/hal/sim/sim-disk.js';
import type { CutMode } from '../../src/hal/sim/sim-disk.js';
import { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import { openDatabase } from '../../src/storage/database.js';
import type { Database } from '../../src/storage/database.js';
import { SEGMENT_FILES } from '../../src/storage/layout.js';
import type { SegmentRef } from '../../src/units.js';
import { newDevice, startBoot } from '../support/boot-fixture.js';
import { filesBelow, judge, recoverCard } from '../support/card-fixture.js';
import { copyDatabase, watchDatabase } from '../support/crash-script.js';
import { fastSigner } from '../support/fast-signer.js';
import { Shelf, wordsOf } from '../support/shelf.js';

/**
 * Four segments, of which two have their receipt and go: the power is cut after every step of their deletion, in every
 * way that a name taken away and not synced may come back. The database is a real one, as it stood at that step.
 */

const CARD = '/card';
const HANGS_MS = 300_000;
const receiver = fastSigner();
const [second, third] = [fastSigner(), fastSigner()];

const modesAt = (step: number): readonly CutMode[] => [
  { keeps: 'none' },
  { keeps: 'all' },
  ...[0, 1, 2, 3, 4, 5].map((n) => ({ keeps: 'random', seed: step + n * 1_000_000 }) as const),
];

async function fastDirectory(t: ExecutionContext): Promise<string> {
  const parent = existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
  const directory = await mkdtemp(path.join(parent, 'lapel-retention-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

const shelfOn = (boot: Awaited<ReturnType<typeof startBoot>>, fs: SimFileSystem): Shelf =>
  new Shelf({ boot, fs, receiver, retainMs: 0, now: () => 1000 });

/** Deletes, and keeps the disk and every state of the database. */
async function script(directory: string) {
  const device = newDevice();
  const fs = new SimFileSystem();
  const file = path.join(directory, 'script.db');
  const db = openDatabase(file);
  const boot = await startBoot({ device, fs, db });
  const shelf = shelfOn(boot, fs);
  const refs = await shelf.seal('----', 70_000);
  const [kept, first, next, held] = refs;
  if (!kept || !first || !next || !held) throw new Error('four segments');
  for (const ref of [first, next, held]) await shelf.receipt(ref);
  await shelf.retention.hold({ target: '1/1/3', by: 'local', reason: 'a case' });
  const from = fs.journal.length;
  const { copies, look } = watchDatabase(fs, db, file);
  await shelf.begin();
  look();
  db.close();
  return { device, fs, from, copies, stay: [kept, held], go: [first, next], all: refs };
}

type Script = Awaited<ReturnType<typeof script>>;

function must(isTrue: boolean, name: string, what: string): asserts isTrue {
  if (!isTrue) throw new Error(`${name}: ${what}`);
}

/** After the cut and its recovery: nothing is half known, the deletion is finished once, and what stays is whole. */
async function recoverAndCheck(
  { device, stay, go, all }: Script,
  fs: SimFileSystem,
  db: Database,
  name: string,
): Promise<void> {
  const boot = await recoverCard({ device, fs, db, boot: 2, signer: second });
  const { quarantined, failed, missing, recovered, indexed } = boot.summary;
  const strange = quarantined.length + failed.length + missing.length + recovered.length + indexed;
  must(strange === 0, name, 'recovery takes a deletion for something else');
  const shelf = shelfOn(boot, fs);
  for (const ref of all) {
    const stage = boot.catalog.find(ref)?.stage;
    const files = await shelf.filesOf(ref);
    const isWhole = files.length === SEGMENT_FILES.length;
    must(isWhole || stage === 'deletable' || stage === 'deleted', name, `${ref.seq} is half known`);
    must(stage !== 'deleted' || files.length === 0, name, `${ref.seq} is not gone`);
    must(files.includes('.dsse') || !files.includes('.age'), name, `${ref.seq} looks like a cut`);
  }
  await shelf.begin();
  for (const ref of go) await isDeleted(shelf, ref, name);
  for (const ref of stay) {
    must(
      (await shelf.filesOf(ref)).length === SEGMENT_FILES.length,
      name,
      `${ref.seq} has to stay`,
    );
    const { state } = await judge(fs, CARD, device, ref);
    must(state === 'ok', name, `${ref.seq} is ${state}`);
  }
  const before = [...(await filesBelow(fs, CARD)).keys()].join();
  const again = await recoverCard({ device, fs, db, boot: 3, signer: third });
  await shelfOn(again, fs).begin();
  const after = [...(await filesBelow(fs, CARD)).keys()].filter((it) => it !== 'ev/3/session.dsse');
  must(after.join() === before, name, 'a second start changes something');
  for (const ref of go) await isDeleted(shelf, ref, name);
}

async function isDeleted(shelf: Shelf, ref: SegmentRef, name: string): Promise<void> {
  must((await shelf.filesOf(ref)).length === 0, name, `${ref.seq} is still there`);
  const words = wordsOf(shelf.boot.db, ref).join(' ');
  must(words === 'segment receipt deletable deleted', name, `the log of ${ref.seq} is ${words}`);
}

test('cut after every step of a deletion in every mode: it is finished, once, and nothing else has changed', async (t) => {
  t.timeout(HANGS_MS);
  const directory = await fastDirectory(t);
  const told = await script(directory);
  const file = path.join(directory, 'cut.db');
  let cuts = 0;
  const { journal } = told.fs;
  for (let step = told.from; step <= journal.length; step += 1) {
    const copy = told.copies.findLast((it) => it.step <= step)?.file;
    if (copy === undefined) throw new Error('no database');
    for (const mode of modesAt(step)) {
      await Promise.all(['', '-wal', '-shm'].map((end) => rm(file + end, { force: true })));
      copyDatabase(copy, file);
      const db = openDatabase(file);
      const disk = SimDisk.replay(journal.slice(0, step));
      const name = `step ${step}, ${mode.keeps}${'seed' in mode ? ` ${mode.seed}` : ''}`;
      try {
        await recoverAndCheck(told, new SimFileSystem({}, disk.cut(mode)), db, name);
        cuts += 1;
      } finally {
        db.close();
      }
    }
  }
  t.log(`${journal.length - told.from} steps, ${cuts} cuts`);
  t.true(cuts > 100);
});

test('with the database lost as well, no deletion is taken for a cut segment, and what stays is found again', async (t) => {
  t.timeout(HANGS_MS);
  const told = await script(await fastDirectory(t));
  const { journal } = told.fs;
  for (let step = told.from; step <= journal.length; step += 1) {
    for (const mode of modesAt(step)) {
      const name = `step ${step}, ${mode.keeps}`;
      const db = openDatabase(':memory:');
      const fs = new SimFileSystem({}, SimDisk.replay(journal.slice(0, step)).cut(mode));
      const boot = await recoverCard({ device: told.device, fs, db, boot: 2, signer: second });
      must(boot.summary.recovered.length === 0, name, 'a deletion was sealed as a cut');
      for (const ref of told.stay) must(boot.catalog.find(ref)?.stage === 'sealed', name, 'lost');
      await shelfOn(boot, fs).begin();
      for (const ref of told.stay) {
        must((await judge(fs, CARD, told.device, ref)).state === 'ok', name, 'does not verify');
      }
      db.close();
    }
  }
  t.pass();
});

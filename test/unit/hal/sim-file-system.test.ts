import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { FileSystem } from '../../../src/hal/ports/file-system.js';
import { SimDisk } from '../../../src/hal/sim/sim-disk.js';
import type { CutMode } from '../../../src/hal/sim/sim-disk.js';
import { SimFileSystem, isPowerOff } from '../../../src/hal/sim/sim-file-system.js';
import { rejectsWith } from '../../support/reject-code.js';

const NONE: CutMode = { keeps: 'none' };
const ALL: CutMode = { keeps: 'all' };
const bytes = (text: string): Buffer => Buffer.from(text);
const read = async (fs: FileSystem, file: string): Promise<string> =>
  (await fs.readFile(file, 1_000_000)).toString();
const names = async (fs: FileSystem, directory: string): Promise<readonly string[]> =>
  (await fs.list(directory)).map(({ name }) => name);

test('what was synced survives a cut that keeps nothing else', async (t) => {
  const fs = new SimFileSystem();
  const file = await fs.create('/a');
  await file.append([bytes('synced')]);
  await file.sync();
  await file.append([bytes(' lost')]);
  t.is(await read(fs, '/a'), 'synced lost');
  t.is(await read(fs.cut(NONE), '/a'), 'synced');
});

test('a cut that keeps everything leaves what the process saw', async (t) => {
  const fs = new SimFileSystem();
  const file = await fs.create('/a');
  await file.append([bytes('never ')]);
  await file.append([bytes('synced')]);
  t.is(await read(fs.cut(ALL), '/a'), 'never synced');
});

test('a file whose name is durable is empty when its data was never synced', async (t) => {
  const fs = new SimFileSystem();
  const file = await fs.create('/a');
  await file.append([bytes('gone')]);
  t.is(await read(fs.cut(NONE), '/a'), '');
});

test('a name is durable only when its directory was synced, however well its data was', async (t) => {
  // Made on the bare disk: the port cannot leave the sync of a directory out.
  const disk = SimDisk.replay([
    { kind: 'create', path: '/a', file: 1, mode: 0o600 },
    { kind: 'write', path: '/a', file: 1, offset: 0, bytes: bytes('data') },
    { kind: 'sync', path: '/a', file: 1 },
  ]);
  t.deepEqual(await names(new SimFileSystem({}, disk.cut(NONE)), '/'), []);
  t.is(await read(new SimFileSystem({}, disk.cut(ALL)), '/a'), 'data');
});

test('a rename without a sync before it can leave an empty file: the fault every atomic write must avoid', async (t) => {
  const steps = [
    { kind: 'create', path: '/a', file: 1, mode: 0o600 },
    { kind: 'write', path: '/a', file: 1, offset: 0, bytes: bytes('old') },
    { kind: 'sync', path: '/a', file: 1 },
    { kind: 'create', path: '/a.tmp', file: 2, mode: 0o600 },
    { kind: 'write', path: '/a.tmp', file: 2, offset: 0, bytes: bytes('new') },
    { kind: 'rename', path: '/a.tmp', to: '/a' },
    { kind: 'sync-directory', path: '/' },
  ] as const;
  t.is(await read(new SimFileSystem({}, SimDisk.replay(steps).cut(NONE)), '/a'), '');
});

test('writeAtomic leaves the old or the new file as a whole, wherever and however it is cut', async (t) => {
  const modes: readonly CutMode[] = [
    NONE,
    ALL,
    ...[1, 2, 3, 4].flatMap((seed): CutMode[] => [
      { keeps: 'random', seed },
      { keeps: 'torn', seed },
    ]),
  ];
  const whole = new SimFileSystem();
  await whole.writeAtomic('/a', bytes('old'));
  const before = whole.journal.length;
  await whole.writeAtomic('/a', bytes('new'));
  t.true(whole.journal.length - before >= 5);
  const seen = new Set<string>();
  for (let count = before; count <= whole.journal.length; count += 1) {
    for (const mode of modes) {
      const disk = SimDisk.replay(whole.journal.slice(0, count)).cut(mode);
      seen.add(await read(new SimFileSystem({}, disk), '/a'));
    }
  }
  t.deepEqual([...seen].sort(), ['new', 'old']);
});

test('a rename that only its target directory has synced leaves both names', async (t) => {
  const fs = new SimFileSystem();
  await fs.makeDirectory('/from');
  await fs.makeDirectory('/to');
  const file = await fs.create('/from/a');
  await file.append([bytes('data')]);
  await file.sync();
  fs.faults.failsSync = (location) => location === '/from';
  await rejectsWith(t, 'storage/io', () => fs.rename('/from/a', '/to/b'));
  const after = fs.cut(NONE);
  t.is(await read(after, '/from/a'), 'data');
  t.is(await read(after, '/to/b'), 'data');
});

test('a directory that is not durable takes everything below it away', async (t) => {
  const disk = SimDisk.replay([
    { kind: 'make-directory', path: '/d' },
    { kind: 'create', path: '/d/a', file: 1, mode: 0o600 },
    { kind: 'sync-directory', path: '/d' },
  ]);
  t.deepEqual(await names(new SimFileSystem({}, disk.cut(NONE)), '/'), []);
  t.deepEqual(await names(new SimFileSystem({}, disk.cut(ALL)), '/d'), ['a']);
});

test('a random cut loses a write, keeps it, or keeps some of its sectors; the same seed does the same', async (t) => {
  const SECTORS = 16;
  const SECTOR_BYTES = 512;
  const keptBy = async (seed: number): Promise<string> => {
    const fs = new SimFileSystem();
    const file = await fs.create('/a');
    await file.append([Buffer.alloc(SECTORS * SECTOR_BYTES, 1)]);
    const content = await fs.cut({ keeps: 'random', seed }).readFile('/a', SECTORS * SECTOR_BYTES);
    let sectors = '';
    for (let at = 0; at < content.length; at += SECTOR_BYTES) {
      const sector = content.subarray(at, at + SECTOR_BYTES);
      t.true(
        sector.every((byte) => byte === sector[0]),
        'a sector is kept as a whole',
      );
      sectors += String(sector[0]);
    }
    return sectors;
  };
  const outcomes = await Promise.all(Array.from({ length: 40 }, (_, seed) => keptBy(seed)));
  t.true(outcomes.includes(''), 'lost');
  t.true(outcomes.includes('1'.repeat(SECTORS)), 'kept');
  t.true(
    outcomes.some((sectors) => /0.*1/.test(sectors)),
    'a sector lost before one that was kept reads as zeros',
  );
  t.deepEqual(await keptBy(7), outcomes[7]);
});

test('a random cut keeps some unsynced names and loses others', async (t) => {
  const steps = Array.from(
    { length: 32 },
    (_, n) => ({ kind: 'create', path: `/${n}`, file: n + 1, mode: 0o600 }) as const,
  );
  const disk = SimDisk.replay(steps).cut({ keeps: 'random', seed: 3 });
  const left = await names(new SimFileSystem({}, disk), '/');
  t.true(left.length > 0 && left.length < steps.length);
});

test('a torn cut keeps everything and stops inside the last write', async (t) => {
  const lengths = new Set<number>();
  for (let seed = 0; seed < 20; seed += 1) {
    const fs = new SimFileSystem();
    const a = await fs.create('/a');
    const b = await fs.create('/b');
    await a.append([bytes('whole')]);
    await b.append([bytes('0123456789')]);
    const after = fs.cut({ keeps: 'torn', seed });
    t.is(await read(after, '/a'), 'whole');
    const torn = await read(after, '/b');
    t.true('0123456789'.startsWith(torn) && torn.length < 10);
    lengths.add(torn.length);
  }
  t.true(lengths.size > 3, 'at different places');
});

test('what survived a cut is durable: a second cut takes nothing', async (t) => {
  const fs = new SimFileSystem();
  const file = await fs.create('/a');
  await file.append([bytes('kept')]);
  t.is(await read(fs.cut(ALL).cut(NONE), '/a'), 'kept');
});

test('a file with two names is still one file after a cut', async (t) => {
  const fs = new SimFileSystem();
  await fs.makeDirectory('/to');
  await (await fs.create('/a')).close();
  fs.faults.failsSync = (location) => location === '/';
  await rejectsWith(t, 'storage/io', () => fs.rename('/a', '/to/a'));
  const after = fs.cut(NONE);
  const file = await after.openWritable('/a');
  await file.append([bytes('seen under both')]);
  t.is(await read(after, '/to/a'), 'seen under both');
});

test('the power goes after the step asked for, and everything after it rejects', async (t) => {
  const script = async (fs: FileSystem): Promise<void> => {
    const file = await fs.create('/a'); // create, sync of /
    await file.append([bytes('data')]);
    await file.sync();
    await file.close();
  };
  const fs = new SimFileSystem({ powerOffAfter: 3 });
  const error = await rejectsWith(t, 'storage/io', () => script(fs));
  t.true(isPowerOff(error));
  t.false(isPowerOff(new Error('something else')));
  t.deepEqual(
    fs.journal.map(({ kind }) => kind),
    ['create', 'sync-directory', 'write'],
  );
  await rejectsWith(t, 'storage/io', () => fs.exists('/a'));
  await rejectsWith(t, 'storage/io', () => fs.create('/b'));
  t.is(await read(fs.cut(ALL), '/a'), 'data');
});

test('after a cut the old system is dead, its open files too', async (t) => {
  const fs = new SimFileSystem();
  const writable = await fs.create('/a');
  const readable = await fs.openReadable('/a');
  fs.cut(ALL);
  t.true(isPowerOff(await rejectsWith(t, 'storage/io', () => writable.append([bytes('x')]))));
  t.true(isPowerOff(await rejectsWith(t, 'storage/io', () => fs.list('/'))));
  const target = Buffer.alloc(1);
  t.true(isPowerOff(await rejectsWith(t, 'storage/io', () => readable.readInto(target, 0, 1, 0))));
});

test('a replayed prefix of the journal is the disk at that moment', async (t) => {
  const fs = new SimFileSystem();
  await fs.makeDirectory('/d/e');
  const file = await fs.create('/d/e/a');
  await file.append([bytes('one')]);
  const moment = fs.journal.length;
  await file.writeAt(bytes('two'), 0);
  await fs.rename('/d/e', '/f');
  const then = new SimFileSystem({}, SimDisk.replay(fs.journal.slice(0, moment)));
  t.is(await read(then, '/d/e/a'), 'one');
  const now = new SimFileSystem({}, SimDisk.replay(fs.journal));
  t.is(await read(now, '/f/a'), 'two');
});

test('files count as open until they are closed, whatever failed in between', async (t) => {
  const fs = new SimFileSystem();
  const file = await fs.create('/a');
  t.is(fs.openFiles, 1);
  await file.close();
  await rejectsWith(t, 'storage/io', () => fs.createTogether(['/b', '/a']));
  fs.faults.failsSync = () => true;
  await rejectsWith(t, 'storage/io', () => fs.create('/c'));
  await rejectsWith(t, 'storage/io', () => fs.openWritable('/a'));
  await rejectsWith(t, 'storage/io', () => fs.writeAtomic('/d', bytes('x')));
  t.is(fs.openFiles, 0);
});

test('a full card takes the bytes that fit and says storage/disk-full', async (t) => {
  const fs = new SimFileSystem({ capacityBytes: 10 });
  const a = await fs.create('/a');
  await a.append([bytes('1234')]);
  t.is(await fs.freeBytes('/'), 6);
  const b = await fs.create('/b');
  await rejectsWith(t, 'storage/disk-full', () => b.append([bytes('abc'), bytes('defgh')]));
  t.is(await read(fs, '/b'), 'abcdef');
  t.is(await fs.freeBytes('/'), 0);
  await a.writeAt(bytes('5'), 0);
  t.is(await read(fs, '/a'), '5234', 'what needs no room goes on');
  fs.faults.capacityBytes = 20;
  await b.append([bytes('!')]);
  t.is(await read(fs, '/b'), 'abcdef!');
});

test('a read-only card rejects every change and can be read', async (t) => {
  const fs = new SimFileSystem();
  const file = await fs.create('/a');
  await file.append([bytes('kept')]);
  fs.faults.isReadOnly = true;
  const changes: readonly (() => Promise<unknown>)[] = [
    () => fs.create('/b'),
    () => fs.makeDirectory('/d'),
    () => file.append([bytes('x')]),
    () => fs.rename('/a', '/b'),
    () => fs.writeAtomic('/a', bytes('x')),
  ];
  for (const change of changes) await rejectsWith(t, 'storage/read-only', change);
  await t.notThrowsAsync(() => file.sync());
  t.is(await read(fs, '/a'), 'kept');
  t.deepEqual(await names(fs, '/'), ['a']);
});

test('a write whose sync failed never becomes durable, not even by a later sync that succeeds', async (t) => {
  const fs = new SimFileSystem();
  const file = await fs.create('/a');
  await file.append([bytes('first ')]);
  fs.faults.failsSync = (location) => location === '/a';
  await rejectsWith(t, 'storage/io', () => file.sync());
  delete fs.faults.failsSync;
  await file.append([bytes('second')]);
  await file.sync();
  t.is(await read(fs, '/a'), 'first second');
  t.is(await read(fs.cut(NONE), '/a'), '\0\0\0\0\0\0second');
});

test('a bad block is storage/io for that file only', async (t) => {
  const fs = new SimFileSystem();
  await fs.writeAtomic('/a', bytes('a'));
  await fs.writeAtomic('/b', bytes('b'));
  fs.faults.failsRead = (location) => location === '/a';
  await rejectsWith(t, 'storage/io', () => fs.readFile('/a', 10));
  t.is(await read(fs, '/b'), 'b');
});

test('a step waits for what beforeStep returns', async (t) => {
  const fs = new SimFileSystem();
  const file = await fs.create('/a');
  const order: string[] = [];
  let go: () => void = () => undefined;
  fs.faults.beforeStep = (step) => {
    order.push(step.kind);
    return new Promise((resolve) => {
      go = resolve;
    });
  };
  const written = file.append([bytes('x')]).then(() => order.push('written'));
  await turn();
  t.deepEqual(order, ['write']);
  t.is(await fs.size('/a'), 0);
  go();
  await written;
  t.deepEqual(order, ['write', 'written']);
});

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('steps that do not fit the disk are a mistake of the caller', (t: ExecutionContext) => {
  const on = (...steps: Parameters<SimDisk['apply']>[0][]): (() => void) => {
    return () => SimDisk.replay(steps);
  };
  t.throws(on({ kind: 'sync', path: '/a', file: 9 }), { message: /no file 9/ });
  t.throws(on({ kind: 'make-directory', path: '/a/b' }), { message: /no directory for/ });
  t.throws(on({ kind: 'rename', path: '/a', to: '/b' }), { message: /no \/a to rename/ });
  t.throws(on({ kind: 'sync-directory', path: '/a' }), { message: /no directory \/a/ });
});

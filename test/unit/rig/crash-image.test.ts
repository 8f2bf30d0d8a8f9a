import test from 'ava';
import { CrashDisk, chooseCuts } from '../../rig/powercut/crash-image.js';
import { randomFrom } from '../../support/random.js';
import type { DiskRequest } from '../../rig/powercut/write-log.js';

const PAGE = 4096;
const page = (n: number, pages = 1): DiskRequest => ({
  kind: 'write',
  offset: n * PAGE,
  data: Buffer.alloc(pages * PAGE, n + 1),
});
const REQUESTS: readonly DiskRequest[] = [
  { kind: 'mark', said: { said: 'begin' } },
  page(0),
  { kind: 'flush' },
  page(1, 4),
  page(5, 2),
];
const empty = Buffer.alloc(8 * PAGE);
const pagesOf = (disk: Buffer): readonly number[] =>
  Array.from({ length: 8 }, (_, n) => disk.readUInt8(n * PAGE));

test('a disk that keeps everything has every write up to the cut', (t) => {
  const disk = new CrashDisk(empty, REQUESTS);
  t.deepEqual(pagesOf(disk.after(3, 'prefix', Math.random)), [1, 2, 2, 2, 2, 0, 0, 0]);
  t.deepEqual(pagesOf(disk.after(4, 'prefix', Math.random)), [1, 2, 2, 2, 2, 6, 6, 0]);
});

test('a disk that loses pages loses none from before the last flush, and not always the same', (t) => {
  const seen = new Set<string>();
  for (let seed = 0; seed < 40; seed += 1) {
    const disk = new CrashDisk(empty, REQUESTS).after(4, 'subset', randomFrom(seed));
    const [first, ...rest] = pagesOf(disk);
    t.is(first, 1);
    seen.add(rest.join());
  }
  t.true(seen.size > 20);
});

test('a disk that ignores its flushes may lose what was flushed', (t) => {
  const firsts = Array.from(
    { length: 40 },
    (_, seed) =>
      pagesOf(new CrashDisk(empty, REQUESTS, true).after(4, 'subset', randomFrom(seed)))[0],
  );
  t.true(firsts.includes(0));
  t.true(firsts.includes(1));
});

test('a torn write ends at a sector, and is never whole', (t) => {
  for (let seed = 0; seed < 40; seed += 1) {
    const disk = new CrashDisk(empty, REQUESTS).after(3, 'torn', randomFrom(seed));
    const written = disk.subarray(PAGE, 5 * PAGE);
    const end = written.indexOf(0);
    t.true(end >= 0 && end % 512 === 0, `${end}`);
    t.true(written.subarray(end).every((byte) => byte === 0));
  }
});

test('cuts are in order, from the beginning of the scenario on, and as many as asked for', (t) => {
  const cuts = chooseCuts(REQUESTS, 'torn', 9, randomFrom(1));
  t.is(cuts.length, 9);
  t.deepEqual([...new Set(cuts)], [1, 3, 4]);
  t.deepEqual(
    cuts,
    [...cuts].sort((a, b) => a - b),
  );
});

import { readFile, readdir, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { CameraError } from '../../../src/errors.js';
import { formatEnvelopeFile } from '../../../src/evidence/dsse.js';
import { leafHash } from '../../../src/evidence/merkle-tree.js';
import { sealManifest } from '../../../src/evidence/manifest.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import type { FileSystem } from '../../../src/hal/ports/file-system.js';
import { leafRange } from '../../../src/sync/leaf-layout.js';
import { admit } from '../../../src/sync/receiver/admission.js';
import type { AdmittedSegment } from '../../../src/sync/receiver/admission.js';
import { EvidenceStore } from '../../../src/sync/receiver/evidence-store.js';
import type { IncomingSegment } from '../../../src/sync/receiver/incoming-segment.js';
import { failingAfter } from '../../support/sync/failing-file-system.js';
import { digestOf, makeDevice, sealSegment } from '../../support/sync/sealed-segment.js';
import type { TestSegment } from '../../support/sync/sealed-segment.js';
import { tempDir } from '../../support/sync/temp-dir.js';

const files = new NodeFileSystem();
const owner = makeDevice('cam-1', 17);
const segment = sealSegment(owner, { plainBytes: 300_000 });
const admitted = admitted17(segment);

function admitted17({ ref, manifest }: Pick<TestSegment, 'ref' | 'manifest'>): AdmittedSegment {
  const item = { key: 1, ref, manifest };
  const certificates = new Map([[17, owner.certificate]]);
  return admit('cam-1', owner.deviceKey.publicKey, item, certificates);
}
const listed = { leaves: segment.leaves, meta: segment.meta, heads: segment.heads };
const leaf = (index: number): Buffer => {
  const { offset, length } = leafRange(segment.content.file, index);
  return segment.ciphertext.subarray(offset, offset + length);
};
const writeAll = async (incoming: IncomingSegment): Promise<void> => {
  for (let index = 0; index < segment.content.file.n; index += 1) {
    await incoming.write(index, leaf(index));
  }
};
const partialName = `17-1-0-${digestOf(segment).slice(0, 16)}.age`;

test('a sealed segment stands complete in its place, the partial file is gone', async (t) => {
  const root = await tempDir(t);
  const store = new EvidenceStore(files, root);
  const incoming = await store.begin(admitted);
  await writeAll(incoming);
  t.is(await store.find('cam-1', segment.ref), undefined);
  await incoming.seal(listed);
  const place = path.join(root, 'cam-1', '17', '1');
  t.deepEqual((await readdir(place)).sort(), [
    '0.age',
    '0.dsse',
    '0.heads',
    '0.leaves',
    '0.meta.age',
  ]);
  t.true((await readFile(path.join(place, '0.age'))).equals(segment.ciphertext));
  t.is(await readFile(path.join(place, '0.dsse'), 'utf8'), formatEnvelopeFile(segment.manifest));
  const session = path.join(root, 'cam-1', '17', 'session.dsse');
  t.is(await readFile(session, 'utf8'), formatEnvelopeFile(owner.certificate));
  t.deepEqual(await readdir(path.join(root, 'cam-1', '.incoming')), []);
  t.deepEqual(await store.find('cam-1', segment.ref), {
    manifest: segment.manifest,
    receipt: undefined,
  });
});

test('after a restart only leaves whose hash stands in the list count as held', async (t) => {
  const root = await tempDir(t);
  const first = await new EvidenceStore(files, root).begin(admitted);
  for (const index of [0, 1, 3]) await first.write(index, leaf(index));
  await first.close();
  const partial = path.join(root, 'cam-1', '.incoming', partialName);
  const bytes = await readFile(partial);
  const at = leafRange(segment.content.file, 1).offset;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  await writeFile(partial, bytes);
  const again = await new EvidenceStore(files, root).begin(admitted);
  const held = await again.survivors(segment.leaves);
  t.deepEqual(
    [0, 1, 2, 3, 4].map((index) => held.has(index)),
    [true, false, false, true, false],
  );
  await again.close();
});

test('a partial file that was cut in the middle of a leaf loses that leaf only', async (t) => {
  const root = await tempDir(t);
  const first = await new EvidenceStore(files, root).begin(admitted);
  await writeAll(first);
  await first.close();
  await truncate(path.join(root, 'cam-1', '.incoming', partialName), segment.ciphertext.length - 5);
  const again = await new EvidenceStore(files, root).begin(admitted);
  const held = await again.survivors(segment.leaves);
  t.is(held.count, segment.content.file.n - 1);
  t.is(held.firstMissing, segment.content.file.n - 1);
  await again.close();
});

test('a long transfer is made durable every 16 MiB on the way', async (t) => {
  const root = await tempDir(t);
  const long = sealSegment(owner, { seq: 9, plainBytes: 35_000_000 });
  let syncs = 0;
  const counting: FileSystem = {
    ...failingAfter(files, Infinity),
    openWritable: async (file) => {
      const writable = await files.openWritable(file);
      return {
        append: (parts) => writable.append(parts),
        writeAt: (bytes, offset) => writable.writeAt(bytes, offset),
        sync: () => {
          syncs += 1;
          return writable.sync();
        },
        close: () => writable.close(),
      };
    },
  };
  const incoming = await new EvidenceStore(counting, root).begin(admitted17(long));
  for (let index = 0; index < long.content.file.n; index += 1) {
    const { offset, length } = leafRange(long.content.file, index);
    await incoming.write(index, long.ciphertext.subarray(offset, offset + length));
  }
  t.is(syncs, 2);
  await incoming.close();
});

test('another manifest for the same segment collects in a file of its own', async (t) => {
  const root = await tempDir(t);
  const store = new EvidenceStore(files, root);
  const first = await store.begin(admitted);
  await first.write(0, leaf(0));
  await first.close();
  const twin = admitted17(sealSegment(owner, { plainBytes: 300_000 }));
  const second = await store.begin(twin);
  t.is((await second.survivors(segment.leaves)).count, 0);
  await second.close();
  t.is((await readdir(path.join(root, 'cam-1', '.incoming'))).length, 2);
});

test('a stored segment is never opened for writing again', async (t) => {
  const root = await tempDir(t);
  const store = new EvidenceStore(files, root);
  const incoming = await store.begin(admitted);
  await writeAll(incoming);
  await incoming.seal(listed);
  await t.throwsAsync(store.begin(admitted), { instanceOf: CameraError, code: 'sync/refused' });
  const content = { ...segment.content, cfg: '1'.repeat(64) };
  const twin = { ref: segment.ref, manifest: sealManifest(content, owner.session) };
  await t.throwsAsync(store.begin(admitted17(twin)), { code: 'sync/refused' });
});

test('a boot has one session key; another certificate for it is refused', async (t) => {
  const root = await tempDir(t);
  const store = new EvidenceStore(files, root);
  await (await store.begin(admitted)).close();
  const double = makeDevice('cam-1', 17, owner.deviceKey);
  const twin = sealSegment(double, { seq: 5 });
  const item = { key: 1, ref: twin.ref, manifest: twin.manifest };
  const certificates = new Map([[17, double.certificate]]);
  const other = admit('cam-1', owner.deviceKey.publicKey, item, certificates);
  await t.throwsAsync(store.begin(other), { code: 'sync/refused' });
});

test('a contradicting manifest is kept beside the store, once', async (t) => {
  const root = await tempDir(t);
  const store = new EvidenceStore(files, root);
  const twin = sealSegment(owner, { plainBytes: 300_000 });
  await store.keepConflict('cam-1', twin.ref, twin.manifest);
  await store.keepConflict('cam-1', twin.ref, twin.manifest);
  const name = `17-1-0-${digestOf(twin).slice(0, 16)}.dsse`;
  t.deepEqual(await readdir(path.join(root, 'cam-1', 'conflicts')), [name]);
  const kept = await readFile(path.join(root, 'cam-1', 'conflicts', name), 'utf8');
  t.is(kept, formatEnvelopeFile(twin.manifest));
});

test('a manifest in the store that is damaged is reported, not taken for missing', async (t) => {
  const root = await tempDir(t);
  const store = new EvidenceStore(files, root);
  const incoming = await store.begin(admitted);
  await writeAll(incoming);
  await incoming.seal(listed);
  await writeFile(path.join(root, 'cam-1', '17', '1', '0.dsse'), '{}\n');
  await t.throwsAsync(store.find('cam-1', segment.ref), { code: 'storage/corrupt' });
});

test('a partial file of the wrong size is not sealed', async (t) => {
  const root = await tempDir(t);
  const incoming = await new EvidenceStore(files, root).begin(admitted);
  await incoming.write(0, leaf(0));
  await t.throwsAsync(incoming.seal(listed), { code: 'storage/corrupt' });
  await incoming.close();
});

test('a ciphertext without a manifest that cannot be this one is moved aside', async (t) => {
  const root = await tempDir(t);
  await files.makeDirectory(path.join(root, 'cam-1', '17', '1'));
  await writeFile(path.join(root, 'cam-1', '17', '1', '0.age'), 'something else');
  const incoming = await new EvidenceStore(files, root).begin(admitted);
  t.is((await incoming.survivors(segment.leaves)).count, 0);
  await writeAll(incoming);
  await incoming.seal(listed);
  const aside = path.join(root, 'cam-1', 'conflicts', partialName);
  t.is(await readFile(aside, 'utf8'), 'something else');
});

test('room is what is free beside a reserve', async (t) => {
  const root = await tempDir(t);
  const reserve = 64 * 1024 * 1024;
  const withFree = (free: number): EvidenceStore =>
    new EvidenceStore(
      { ...bound(files), freeBytes: () => Promise.resolve(free) },
      path.join(root, 'new'),
    );
  t.true(await withFree(reserve + 10).hasRoomFor(10));
  t.false(await withFree(reserve + 9).hasRoomFor(10));
});

const bound = (fs: NodeFileSystem): FileSystem => failingAfter(fs, Infinity);

test('cut at any step of the store, the next attempt completes it; a manifest only ever stands over a whole segment', async (t) => {
  let steps = 0;
  for (let isCut = true; isCut; steps += 1) {
    const root = await tempDir(t);
    isCut = false;
    let incoming: IncomingSegment | undefined;
    try {
      incoming = await new EvidenceStore(failingAfter(files, steps), root).begin(admitted);
      await writeAll(incoming);
      await incoming.seal(listed);
    } catch (error) {
      t.is((error as CameraError).message, 'cut here');
      isCut = true;
      await incoming?.close();
    }
    const store = new EvidenceStore(files, root);
    if ((await store.find('cam-1', segment.ref)) === undefined) {
      t.true(isCut);
      const again = await store.begin(admitted);
      const held = await again.survivors(segment.leaves);
      for (let index = held.firstMissing; index < held.size; index += 1) {
        if (!held.has(index)) await again.write(index, leaf(index));
      }
      await again.seal(listed);
    }
    const place = path.join(root, 'cam-1', '17', '1');
    const stored = await readFile(path.join(place, '0.age'));
    t.true(leafHash(stored).equals(leafHash(segment.ciphertext)), `cut after ${steps} steps`);
    t.is((await readFile(path.join(place, '0.leaves'))).compare(segment.leaves), 0);
    t.is((await readFile(path.join(place, '0.meta.age'))).compare(segment.meta ?? stored), 0);
    t.is((await readFile(path.join(place, '0.heads'))).compare(segment.heads), 0);
  }
  t.true(steps > 15, `${steps} steps`);
});

/** Collects what is missing and seals it. */
async function complete(store: EvidenceStore): Promise<void> {
  const incoming = await store.begin(admitted);
  try {
    const held = await incoming.survivors(segment.leaves);
    for (let index = 0; index < held.size; index += 1) {
      if (!held.has(index)) await incoming.write(index, leaf(index));
    }
    await incoming.seal(listed);
  } finally {
    await incoming.close();
  }
}

const isPartial = (location: string): boolean => location.endsWith(partialName);

test('bytes that a failed sync lost are not taken from the page cache: what is sealed survives a power cut', async (t) => {
  const disk = new SimFileSystem({ failsSync: isPartial });
  const store = new EvidenceStore(disk, '/store');
  await t.throwsAsync(complete(store), { code: 'storage/io' });
  await t.throwsAsync(complete(store), { code: 'storage/io' });
  delete disk.faults.failsSync;
  await complete(store);
  const found = disk.cut({ keeps: 'none' });
  const stored = await found.readFile('/store/cam-1/17/1/0.age', 1_000_000);
  t.true(stored.equals(segment.ciphertext));
  const kept = await found.list('/store/cam-1/.incoming');
  t.deepEqual(
    kept.map(({ name }) => name),
    [`${partialName}.failed.0`, `${partialName}.failed.1`],
  );
});

test('a partial file that can neither be synced nor moved aside is moved before the next attempt', async (t) => {
  const disk = new SimFileSystem({ failsSync: isPartial });
  let refusals = 2;
  const stubborn: FileSystem = {
    ...failingAfter(disk, Infinity),
    rename: (from, to) => {
      if (refusals === 0) return disk.rename(from, to);
      refusals -= 1;
      return Promise.reject(new CameraError('storage/io', 'no rename'));
    },
  };
  const store = new EvidenceStore(stubborn, '/store');
  await t.throwsAsync(complete(store), { code: 'storage/io' });
  delete disk.faults.failsSync;
  await t.throwsAsync(complete(store), { message: /no rename/ });
  await complete(store);
  const found = disk.cut({ keeps: 'none' });
  const stored = await found.readFile('/store/cam-1/17/1/0.age', 1_000_000);
  t.true(stored.equals(segment.ciphertext));
});

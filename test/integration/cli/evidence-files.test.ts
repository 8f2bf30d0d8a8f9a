import { cp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { findEvidence } from '../../../src/cli/evidence-files.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { formatSegmentRef } from '../../../src/units.js';
import { rejectsWith } from '../../support/reject-code.js';
import { makeCamera, makeSegment } from '../../support/sealed-recording.js';
import type { TestCamera } from '../../support/sealed-recording.js';
import { writeSegments } from '../../support/segment-files.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const fs = new NodeFileSystem();

interface Shelf {
  readonly camera: TestCamera;
  readonly store: string;
  readonly root: string;
  readonly recording: string;
}

/** A store with one device and one recording of two segments. */
async function shelf(t: ExecutionContext): Promise<Shelf> {
  const camera = makeCamera('cam-1', [17]);
  const store = path.join(await temporaryDirectory(t), 'store');
  const root = path.join(store, 'cam-1');
  const first = makeSegment(camera, { bytes: 1000 });
  const ref = { boot: 17, rec: 3, seq: 1 };
  const second = makeSegment(camera, { ref, bytes: 1000, previous: first });
  return { camera, store, root, recording: await writeSegments(root, camera, [first, second]) };
}

const found = async (...paths: readonly string[]): Promise<readonly string[]> =>
  (await findEvidence(fs, paths)).segments.map(({ ref }) => formatSegmentRef(ref));

test('a store, a device, a boot, a recording and a single file all lead to their segments', async (t) => {
  const { store, root, recording } = await shelf(t);
  const both = ['17/3/0', '17/3/1'];
  for (const place of [store, root, path.join(root, '17'), recording]) {
    t.deepEqual(await found(place), both, place);
  }
  for (const end of ['age', 'leaves', 'heads', 'meta.age', 'dsse']) {
    t.deepEqual(await found(path.join(recording, `1.${end}`)), ['17/3/1'], end);
  }
  const { segments, sessions } = await findEvidence(fs, [path.join(recording, '0.age')]);
  t.deepEqual([...(segments[0]?.files.keys() ?? [])].sort(), [
    '.age',
    '.dsse',
    '.heads',
    '.leaves',
    '.meta.age',
  ]);
  t.is(segments[0]?.root, root);
  t.is(
    sessions.get(root)?.get(17),
    await readFile(path.join(root, '17', 'session.dsse'), 'utf8'),
    'the certificate of the boot comes along',
  );
});

test('paths may overlap: every file of a segment at once, or a store and what is in it', async (t) => {
  const { store, recording } = await shelf(t);
  const all = ['age', 'leaves', 'heads', 'meta.age', 'dsse'].map((end) =>
    path.join(recording, `0.${end}`),
  );
  t.deepEqual(await found(...all), ['17/3/0']);
  t.deepEqual(await found(store, recording, store), ['17/3/0', '17/3/1']);
});

test('segments of several roots stay apart and come in the order of boot, recording and number', async (t) => {
  const { camera, root, recording } = await shelf(t);
  for (const rec of ['10', '9']) {
    await cp(recording, path.join(root, '17', rec), { recursive: true });
  }
  const other = await shelf(t);
  const { segments, sessions } = await findEvidence(fs, [root, other.root]);
  t.is(segments.length, 8);
  t.is(sessions.size, 2);
  t.deepEqual(await found(root), [
    ...['17/3/0', '17/3/1', '17/9/0', '17/9/1', '17/10/0', '17/10/1'],
  ]);
  t.true(camera.sessions.has(17));
});

test('what is set aside is listed, never judged', async (t) => {
  const { store, root, recording } = await shelf(t);
  const aside = ['quarantine', 'conflicts', 'internal', 'operator', '.incoming'];
  for (const name of aside) {
    const place = path.join(root, name, '17', '3');
    await mkdir(place, { recursive: true });
    await cp(path.join(recording, '0.age'), path.join(place, '7.age'));
    await writeFile(path.join(root, name, 'note.txt'), '');
  }
  const { segments, setAside } = await findEvidence(fs, [store, root]);
  t.is(segments.length, 2);
  t.deepEqual(
    [...setAside].sort(),
    aside
      .flatMap((name) => [path.join(root, name, '17'), path.join(root, name, 'note.txt')])
      .sort(),
  );
});

test('files that belong to no segment are passed over; a receipt is none', async (t) => {
  const { root, recording } = await shelf(t);
  for (const name of ['0.receipt', 'notes.txt', '00.age', '2.mp4', '-1.age']) {
    await writeFile(path.join(recording, name), '');
  }
  await mkdir(path.join(root, 'odd', 'place'), { recursive: true });
  await writeFile(path.join(root, 'odd', 'place', '0.age'), '');
  t.deepEqual(await found(root), ['17/3/0', '17/3/1']);
});

test('a path without a segment is not found, also beside one that has some', async (t) => {
  const { store, root } = await shelf(t);
  const empty = path.join(store, '..', 'empty');
  await mkdir(empty);
  await rejectsWith(t, 'storage/not-found', () => findEvidence(fs, [empty]));
  await rejectsWith(t, 'storage/not-found', () => findEvidence(fs, [store, empty]));
  const gone = path.join(root, '17', '3', '9.age');
  await rejectsWith(t, 'storage/not-found', () => findEvidence(fs, [gone]));
  const loose = path.join(empty, '0.age');
  await writeFile(loose, '');
  await rejectsWith(t, 'storage/not-found', () => findEvidence(fs, [loose]));
});

test('a boot without its certificate is found, and the certificate is what is missing', async (t) => {
  const { root } = await shelf(t);
  await rm(path.join(root, '17', 'session.dsse'));
  const { segments, sessions } = await findEvidence(fs, [root]);
  t.is(segments.length, 2);
  t.is(sessions.get(root)?.size, 0);
});

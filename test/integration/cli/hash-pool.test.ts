import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { HashPool } from '../../../src/cli/hash-pool.js';
import { scanLeaves } from '../../../src/evidence/leaf-scan.js';
import { rejectsWith } from '../../support/reject-code.js';
import { inPieces, makeCamera, makeSegment } from '../../support/sealed-recording.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('threads find the hashes that one would, of more files than there are threads, and count every byte', async (t) => {
  const dir = await temporaryDirectory(t);
  const camera = makeCamera('cam-1', [17]);
  let counted = 0;
  const pool = new HashPool(2, (bytes) => (counted += bytes));
  t.teardown(() => pool.close());
  const segments = [70_000, 200_000, 400_000, 1000].map((bytes) => makeSegment(camera, { bytes }));
  const scans = segments.map(async ({ ciphertext, head }, index) => {
    const file = path.join(dir, `${index}.age`);
    await writeFile(file, ciphertext);
    const layout = { head, size: ciphertext.length };
    t.deepEqual(await pool.scan(file, layout), await scanLeaves(inPieces(ciphertext), layout));
  });
  await Promise.all(scans);
  t.is(
    counted,
    segments.reduce((sum, { ciphertext }) => sum + ciphertext.length, 0),
  );
});

test('a file that is not there costs its own scan alone; after the close there are no others', async (t) => {
  const dir = await temporaryDirectory(t);
  const pool = new HashPool(1);
  const layout = { head: 3, size: 3 };
  await rejectsWith(t, 'storage/io', () => pool.scan(path.join(dir, 'gone'), layout));
  await writeFile(path.join(dir, 'here'), 'abc');
  t.is((await pool.scan(path.join(dir, 'here'), layout)).bytes, 3);
  await pool.close();
  await rejectsWith(t, 'storage/io', () => pool.scan(path.join(dir, 'here'), layout));
});

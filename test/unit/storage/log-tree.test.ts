import test from 'ava';
import { openCheckpoint, parseCheckpoint } from '../../../src/evidence/checkpoint.js';
import { entryLeaf, sealEntry } from '../../../src/evidence/log-entry.js';
import {
  rootOfLeaves,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/evidence/merkle-tree.js';
import { proveConsistency, proveInclusion, rootAt } from '../../../src/evidence/tree-hashes.js';
import {
  CheckpointBook,
  readCheckpoint,
  readCheckpoints,
} from '../../../src/storage/checkpoint-book.js';
import { openDatabase } from '../../../src/storage/database.js';
import type { Database } from '../../../src/storage/database.js';
import { logHead, readEntries } from '../../../src/storage/device-log.js';
import type { LogFact, DeviceLog } from '../../../src/storage/device-log.js';
import { StoredHashes } from '../../../src/storage/log-tree.js';
import { DEVICE, newDevice, startBoot } from '../../support/boot-fixture.js';
import { fastSigner } from '../../support/fast-signer.js';
import { rejectsWith } from '../../support/reject-code.js';

const fault = (detail: string): LogFact => ({ type: 'fault', code: 'storage/io', detail });

/** A log of so many entries, and its leaves. */
async function logOf(size: number): Promise<{ db: Database; entries: DeviceLog; leaves: Buffer }> {
  const { db, entries } = await startBoot({ device: newDevice() });
  for (let n = 0; n < size; n += 500) {
    const count = Math.min(500, size - n);
    await Promise.all(
      Array.from({ length: count }, (_, m) => entries.appendTogether(fault(`${n + m}`))),
    );
  }
  const leaves = Buffer.concat(readEntries(db, 0, size).map(({ envelope }) => entryLeaf(envelope)));
  return { db, entries, leaves };
}

test('the head follows the entries, and is that of all leaves across full tiles and a new process', async (t) => {
  const { db, entries, leaves } = await logOf(600);
  t.is(leaves.length, 600 * 32);
  t.deepEqual(entries.head(), { size: 600, root: rootOfLeaves(leaves) });
  t.deepEqual(logHead(db), entries.head());
  t.is(db.all('SELECT * FROM log_nodes').length, 2, 'two full subtrees of 256');
  t.deepEqual(rootAt(new StoredHashes(db), 512), rootOfLeaves(leaves.subarray(0, 512 * 32)));
});

test('a log of an older program, without the hashes of full subtrees, has the same head and goes on', async (t) => {
  const { db, entries, leaves } = await logOf(600);
  db.run('DELETE FROM log_nodes');
  t.deepEqual(logHead(db).root, rootOfLeaves(leaves));
  await entries.append(fault('next'));
  db.run('DROP TABLE log_nodes');
  t.is(logHead(db).size, 601);
});

test('proofs from the database hold', async (t) => {
  const { db, leaves } = await logOf(300);
  const source = new StoredHashes(db);
  const root = rootOfLeaves(leaves);
  for (const index of [0, 255, 256, 299]) {
    const leaf = leaves.subarray(index * 32, (index + 1) * 32);
    t.true(verifyInclusion({ index, size: 300, leaf, root }, proveInclusion(source, index, 300)));
  }
  const claim = { oldSize: 257, oldRoot: rootAt(source, 257), newSize: 300, newRoot: root };
  t.true(verifyConsistency(claim, proveConsistency(source, 257, 300)));
});

test('entries that are undone leave no trace in the tree', async (t) => {
  const { db, entries } = await logOf(255);
  await rejectsWith(t, 'storage/io', () =>
    entries.append(fault('undone'), () => {
      db.run('INSERT INTO nowhere VALUES (1)');
    }),
  );
  t.is(entries.head().size, 255);
  t.is(db.all('SELECT * FROM log_nodes').length, 0);
  await entries.append(fault('kept'));
  t.is(db.all('SELECT * FROM log_nodes').length, 1);
  t.deepEqual(entries.head(), logHead(db));
});

test('the log tells how it has grown', async (t) => {
  const { entries } = await startBoot({ device: newDevice() });
  const sizes: number[] = [];
  entries.watch((size) => sizes.push(size));
  await entries.append(fault('a'));
  await entries.append(fault('b'));
  t.deepEqual(sizes, [1, 2]);
});

test('a checkpoint is signed once for a head and kept; a new one comes with new entries', async (t) => {
  const { db, entries } = await logOf(3);
  const key = fastSigner();
  const book = new CheckpointBook(db, DEVICE, () => entries.head());
  t.is(readCheckpoint(db), undefined);
  const first = book.make([key]);
  t.is(book.make([key]), first);
  t.deepEqual(openCheckpoint(first, DEVICE, [key.publicKey]).root, entries.head().root);
  await entries.append(fault('more'));
  const second = book.make([key]);
  t.is(parseCheckpoint(second).size, 4);
  t.deepEqual(readCheckpoints(db, 0, 10), [first, second]);
  t.deepEqual(readCheckpoints(db, 3, 10), [second]);
  t.is(readCheckpoint(db, 3), first);
  t.is(readCheckpoint(db), second);
});

test('after a rotation of the device key the same head is signed by both', async (t) => {
  const { db, entries } = await logOf(3);
  const [old, fresh] = [fastSigner(), fastSigner()];
  const book = new CheckpointBook(db, DEVICE, () => entries.head());
  book.make([old]);
  const both = book.make([old, fresh]);
  t.is(parseCheckpoint(both).note.signatures.length, 2);
  for (const key of [old, fresh]) t.is(openCheckpoint(both, DEVICE, [key.publicKey]).size, 3);
  t.is(readCheckpoint(db), both);
});

test('a log that does not continue the newest checkpoint on its card is not signed', async (t) => {
  const { db, entries } = await logOf(3);
  const key = fastSigner();
  new CheckpointBook(db, DEVICE, () => entries.head()).make([key]);
  const signed = readCheckpoint(db);
  db.run('DELETE FROM entries WHERE id = 3');
  const shorter = new CheckpointBook(db, DEVICE, () => logHead(db));
  t.throws(() => shorter.make([key]), { code: 'storage/corrupt' });
  const other = sealEntry(
    { v: 1, device: DEVICE, boot: 1, mono: 1, type: 'end', reason: 'x' },
    fastSigner(),
  );
  const sql = 'INSERT INTO entries (type, envelope, leaf) VALUES (?, ?, ?)';
  for (const type of ['end', 'end']) db.run(sql, type, '', entryLeaf(other));
  t.throws(() => shorter.make([key]), { code: 'storage/corrupt' });
  t.is(readCheckpoint(db), signed);
});

test('a database without checkpoints has none', (t) => {
  const db = openDatabase(':memory:');
  db.run('DROP TABLE checkpoints');
  t.is(readCheckpoint(db), undefined);
  t.deepEqual(readCheckpoints(db, 0, 1), []);
});

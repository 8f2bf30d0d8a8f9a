import test from 'ava';
import { openEntry, entryLeaf } from '../../../src/evidence/log-entry.js';
import { rootOfLeaves } from '../../../src/evidence/merkle-tree.js';
import { CameraError } from '../../../src/errors.js';
import type { Database } from '../../../src/storage/database.js';
import { DeviceLog, logHead, readEntries } from '../../../src/storage/device-log.js';
import type { LogFact } from '../../../src/storage/device-log.js';
import { DEVICE, newDevice, startBoot } from '../../support/boot-fixture.js';
import { rejectsWith } from '../../support/reject-code.js';

const fault = (detail: string): LogFact => ({ type: 'fault', code: 'storage/io', detail });
const detailsIn = (db: Database, key: Buffer): readonly unknown[] =>
  readEntries(db, 0, 10_000).map(({ envelope }) => {
    const entry = openEntry(envelope, key);
    return entry.type === 'fault' ? entry.detail : entry.type;
  });

test('entries stand in the order of the calls, with their index, however they overlap', async (t) => {
  const { ctx, db, entries } = await startBoot({ device: newDevice() });
  const details = Array.from({ length: 20 }, (_, n) => `fault ${n}`);
  const indexes = await Promise.all(details.map((detail) => entries.append(fault(detail))));
  t.deepEqual(indexes, [...details.keys()]);
  t.deepEqual(detailsIn(db, ctx.identity.signer.publicKey), details);
  t.deepEqual(
    readEntries(db, 18, 10).map(({ index, type }) => ({ index, type })),
    [
      { index: 18, type: 'fault' },
      { index: 19, type: 'fault' },
    ],
  );
});

test('an entry is signed by the session and says who states it and when', async (t) => {
  const { ctx, clock, db, entries } = await startBoot({ device: newDevice(), boot: 7 });
  await clock.advance(234.4);
  const appended = entries.append(fault('now'));
  await clock.advance(1000);
  await appended;
  const [stored] = readEntries(db, 0, 1);
  t.truthy(stored);
  if (stored === undefined) return;
  t.deepEqual(openEntry(stored.envelope, ctx.identity.signer.publicKey), {
    v: 1,
    type: 'fault',
    device: DEVICE,
    boot: 7,
    mono: 1234,
    code: 'storage/io',
    detail: 'now',
  });
  const stranger = newDevice().deviceKey;
  t.throws(() => openEntry(stored.envelope, stranger.publicKey), { instanceOf: CameraError });
});

test('the head is the RFC 6962 root over the leaves of all entries', async (t) => {
  const { db, entries } = await startBoot({ device: newDevice() });
  t.is(logHead(db).size, 0);
  t.true(logHead(db).root.equals(rootOfLeaves(Buffer.alloc(0))));
  for (const detail of ['a', 'b', 'c', 'd', 'e']) await entries.append(fault(detail));
  const leaves = readEntries(db, 0, 10).map(({ envelope }) => entryLeaf(envelope));
  const head = logHead(db);
  t.is(head.size, 5);
  t.deepEqual(head.root, rootOfLeaves(Buffer.concat(leaves)));
});

test('what belongs together with an entry is undone when the entry is, and the other way round', async (t) => {
  const { db, entries } = await startBoot({ device: newDevice() });
  const insert = (boot: number) => (): void => {
    db.run('INSERT INTO boots (boot) VALUES (?)', boot);
  };
  await entries.append(fault('kept'), insert(1));
  const failing = entries.append(fault('undone'), () => {
    insert(2)();
    throw new CameraError('storage/io', 'the other table does not take it');
  });
  const after = entries.append(fault('next'), insert(3));
  await rejectsWith(t, 'storage/io', () => failing);
  t.is(await after, 1, 'the place of the entry undone is not lost');
  t.is(logHead(db).size, 2);
  t.deepEqual(
    db.all('SELECT boot FROM boots ORDER BY boot').map(({ boot }) => boot),
    [1, 3],
  );
});

test('an entry without the shape of its type is refused and holds up nobody', async (t) => {
  const { db, entries } = await startBoot({ device: newDevice() });
  const bad = entries.append({ type: 'fault', code: 'x', detail: 'y'.repeat(501) });
  const good = entries.append(fault('good'));
  await rejectsWith(t, 'internal/bug', () => bad);
  t.is(await good, 0);
  t.is(logHead(db).size, 1);
});

test('a database that takes nothing rejects with its code, and the log goes on when it does again', async (t) => {
  const { db, entries } = await startBoot({ device: newDevice() });
  db.run('ALTER TABLE entries RENAME TO away');
  await rejectsWith(t, 'storage/io', () => entries.append(fault('lost')));
  db.run('ALTER TABLE away RENAME TO entries');
  t.is(await entries.append(fault('kept')), 0);
});

test('entries wait in a queue with an end; the last place is refused, not the first lost', async (t) => {
  const { db, entries } = await startBoot({ device: newDevice() });
  const LIMIT = 1000;
  const results = Array.from({ length: LIMIT }, (_, n) => entries.append(fault(`fault ${n}`)));
  await rejectsWith(t, 'capture/queue-full', () => entries.append(fault('one too many')));
  await entries.settled();
  t.is((await Promise.all(results)).at(-1), LIMIT - 1);
  t.is(await entries.append(fault('room again')), LIMIT);
  t.is(logHead(db).size, LIMIT + 1);
});

test('settled waits for entries that are refused, too', async (t) => {
  const { entries } = await startBoot({ device: newDevice() });
  const bad = entries.append({ type: 'fault', code: 'x', detail: 'y'.repeat(501) });
  bad.catch(() => undefined);
  await t.notThrowsAsync(() => entries.settled());
  await t.throwsAsync(bad);
});

test('a row without its leaf is storage/corrupt', async (t) => {
  const { db, entries } = await startBoot({ device: newDevice() });
  await entries.append(fault('a'));
  db.run('CREATE TABLE copy AS SELECT * FROM entries');
  db.run('DROP TABLE entries');
  db.run('ALTER TABLE copy RENAME TO entries');
  db.run('UPDATE entries SET leaf = NULL');
  t.is(t.throws(() => logHead(db), { instanceOf: CameraError }).code, 'storage/corrupt');
});

test('a fact that nobody waits for is durable within its patience, and together with the next that is urgent', async (t) => {
  const { ctx, clock, db } = await startBoot({ device: newDevice() });
  const log = new DeviceLog(db, ctx.identity, clock, 100);
  const key = ctx.identity.signer.publicKey;
  const soon = [log.appendSoon(fault('a')), log.appendSoon(fault('b'))];
  await clock.advance(99);
  t.deepEqual(detailsIn(db, key), []);
  await clock.advance(1);
  t.deepEqual(await Promise.all(soon), [0, 1]);
  const later = log.appendSoon(fault('c'));
  await clock.advance(10);
  const urgent = log.append(fault('d'));
  const last = log.appendSoon(fault('e'));
  await clock.advance(10);
  t.deepEqual(await Promise.all([later, urgent, last]), [2, 3, 4]);
  t.deepEqual(detailsIn(db, key), ['a', 'b', 'c', 'd', 'e']);
  const monos = readEntries(db, 0, 10).map(({ envelope }) => openEntry(envelope, key).mono);
  t.deepEqual(monos, [1000, 1000, 1100, 1110, 1110], 'each says when it was told');
});

test('an urgent entry has a sync of its own, and those that may go together share the next', async (t) => {
  const { ctx, clock, db } = await startBoot({ device: newDevice() });
  const entriesOf: number[] = [];
  const counting: Database = {
    run: db.run.bind(db),
    get: db.get.bind(db),
    all: db.all.bind(db),
    close: db.close.bind(db),
    transaction: (work) => {
      const before = logHead(db).size;
      const result = db.transaction(work);
      entriesOf.push(logHead(db).size - before);
      return result;
    },
  };
  const log = new DeviceLog(counting, ctx.identity, clock, 60_000);
  const contacts = ['bounce 1', 'bounce 2', 'bounce 3'].map(fault);
  const all = [log.append(fault('press')), ...contacts.map((it) => log.appendTogether(it))];
  await clock.advance(10);
  t.deepEqual(await Promise.all(all), [0, 1, 2, 3], 'nobody waits for patience');
  t.deepEqual(entriesOf, [1, 3]);
});

test('settled does not wait for patience, and a batch that the card refuses is refused as a whole', async (t) => {
  const { ctx, clock, db } = await startBoot({ device: newDevice() });
  const log = new DeviceLog(db, ctx.identity, clock, 60_000);
  const kept = log.appendSoon(fault('kept'));
  const settled = log.settled();
  await clock.advance(0);
  await settled;
  t.is(await kept, 0);
  db.run('ALTER TABLE entries RENAME TO away');
  const refused = [log.appendSoon(fault('x')), log.append(fault('y'))].map((it) =>
    rejectsWith(t, 'storage/io', () => it),
  );
  await clock.advance(10);
  await Promise.all(refused);
  db.run('ALTER TABLE away RENAME TO entries');
  t.is(await log.append(fault('next')), 1);
});

import path from 'node:path';
import test from 'ava';
import { openDatabase } from '../../../src/storage/database.js';
import { NONCES_MAX, TriggerBook } from '../../../src/storage/trigger-book.js';
import { newDevice, startBoot } from '../../support/boot-fixture.js';
import { entriesOf } from '../../support/card-fixture.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const nonceOf = (n: number): string => n.toString(16).padStart(32, '0');
const fact = (n = 1) =>
  ({
    kind: 'command',
    op: 'start',
    by: 'fleet-1',
    key: 'ab'.repeat(8),
    nonce: nonceOf(n),
  }) as const;

test('a trigger is entered once, whoever asks at the same time', async (t) => {
  const boot = await startBoot({ device: newDevice() });
  const book = new TriggerBook(boot.db, boot.entries);
  const answers = await Promise.all([book.take(fact(), 0), book.take(fact(), 0)]);
  t.deepEqual(answers, [true, false]);
  t.false(await book.take(fact(), 0));
  const entries = entriesOf(boot).filter(({ type }) => type === 'trigger');
  t.is(entries.length, 1);
  t.like(entries[0], { ...fact(), code: null, unlogged: 0 });
});

test('a nonce that was spent stays spent over a restart', async (t) => {
  const device = newDevice();
  const file = path.join(await temporaryDirectory(t), 'lapel.db');
  const first = await startBoot({ device, db: openDatabase(file) });
  t.true(await new TriggerBook(first.db, first.entries).take(fact(), 0));
  first.db.close();
  const second = await startBoot({ device, db: openDatabase(file), boot: 2 });
  const book = new TriggerBook(second.db, second.entries);
  t.false(await book.take(fact(), 0));
  t.true(await book.take(fact(2), 0));
  second.db.close();
});

test('a refusal is entered with its code and with how many before it were not, and spends no nonce', async (t) => {
  const boot = await startBoot({ device: newDevice() });
  const book = new TriggerBook(boot.db, boot.entries);
  await book.refuse({ ...fact(), by: null, key: null }, 'trigger/unknown-key', 7);
  const [entry] = entriesOf(boot).filter(({ type }) => type === 'trigger');
  t.like(entry, { by: null, code: 'trigger/unknown-key', unlogged: 7 });
  t.true(await book.take(fact(), 0));
});

test('a log that takes nothing spends no nonce', async (t) => {
  const boot = await startBoot({ device: newDevice() });
  const book = new TriggerBook(boot.db, boot.entries);
  await t.throwsAsync(book.take({ ...fact(), by: 'not a name' }, 0), { code: 'internal/bug' });
  t.true(await book.take(fact(), 0));
});

test('the newest nonces are remembered, as many as the limit says', async (t) => {
  const boot = await startBoot({ device: newDevice() });
  const book = new TriggerBook(boot.db, boot.entries);
  for (let n = 0; n < NONCES_MAX; n += 1) {
    boot.db.run('INSERT INTO nonces (nonce) VALUES (?)', nonceOf(n));
  }
  t.true(await book.take(fact(NONCES_MAX), 0));
  t.is(boot.db.get('SELECT COUNT(*) AS n FROM nonces')?.['n'], NONCES_MAX);
  t.false(await book.take(fact(1), 0), 'the oldest but one is still known');
  t.true(await book.take(fact(0), 0), 'the oldest has made room');
});

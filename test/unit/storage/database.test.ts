import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import SqliteDatabase from 'better-sqlite3';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CameraError } from '../../../src/errors.js';
import type { ErrorCode } from '../../../src/errors.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { openCardDatabase } from '../../../src/storage/card-database.js';
import { openDatabase } from '../../../src/storage/database.js';
import { CardLayout } from '../../../src/storage/layout.js';
import { rejectsWith } from '../../support/reject-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const databaseFile = async (t: ExecutionContext): Promise<string> =>
  path.join(await temporaryDirectory(t), 'lapel.db');

function throwsCode(t: ExecutionContext, code: ErrorCode, operation: () => unknown): void {
  const error = t.throws(operation, { instanceOf: CameraError });
  t.is(error.code, code);
}

const tables = (file: string): readonly unknown[] => {
  const sqlite = new SqliteDatabase(file, { readonly: true });
  const rows = sqlite.prepare("SELECT name FROM sqlite_master WHERE type = 'table'").all();
  sqlite.close();
  return rows.map((row) => (row as { name: string }).name).sort();
};

test('a new database has the schema, and opening it again keeps the rows', async (t) => {
  const file = await databaseFile(t);
  const first = openDatabase(file);
  first.run('INSERT INTO boots (boot) VALUES (?)', 7);
  first.close();
  t.deepEqual(tables(file), [
    'boots',
    'checkpoints',
    'entries',
    'holds',
    'log_nodes',
    'nonces',
    'recordings',
    'segments',
  ]);
  const second = openDatabase(file);
  t.deepEqual({ ...second.get('SELECT * FROM boots') }, { boot: 7 });
  second.close();
});

test('a commit is durable: write-ahead log with a sync at every transaction', async (t) => {
  const file = await databaseFile(t);
  const db = openDatabase(file);
  t.is(db.get('PRAGMA journal_mode')?.['journal_mode'], 'wal');
  const FULL = 2;
  t.is(db.get('PRAGMA synchronous')?.['synchronous'], FULL);
  db.close();
});

test('a database of an older schema is brought up to date, its rows kept', async (t) => {
  const file = await databaseFile(t);
  const old = new SqliteDatabase(file);
  old.exec('CREATE TABLE other (a INTEGER); INSERT INTO other VALUES (1); PRAGMA user_version = 0');
  old.close();
  openDatabase(file).close();
  t.deepEqual(tables(file), [
    'boots',
    'checkpoints',
    'entries',
    'holds',
    'log_nodes',
    'nonces',
    'other',
    'recordings',
    'segments',
  ]);
});

test('a database of a newer schema is refused and stays as it is, nor does it go to quarantine', async (t) => {
  const file = await databaseFile(t);
  const newer = new SqliteDatabase(file);
  newer.pragma('user_version = 99');
  newer.close();
  const before = await readFile(file);
  throwsCode(t, 'storage/newer-format', () => openDatabase(file));
  throwsCode(t, 'storage/newer-format', () => openDatabase(file, { readOnly: true }));
  const layout = new CardLayout(path.dirname(file));
  t.is(layout.database, file);
  await rejectsWith(t, 'storage/newer-format', () =>
    openCardDatabase(new NodeFileSystem(), layout),
  );
  t.deepEqual(await readFile(file), before);
  t.deepEqual(await readdir(path.dirname(file)), ['lapel.db'], 'nothing is in quarantine');
});

test('a file that is no database is storage/corrupt and stays as it is', async (t) => {
  const file = await databaseFile(t);
  const text = 'this is not a database, '.repeat(100);
  await writeFile(file, text);
  throwsCode(t, 'storage/corrupt', () => openDatabase(file));
  t.is(await readFile(file, 'utf8'), text);
});

test('a database with a damaged page is storage/corrupt', async (t) => {
  const file = await databaseFile(t);
  const db = openDatabase(file);
  db.transaction(() => {
    for (let n = 0; n < 2000; n += 1) {
      const values = ['x', 'y'.repeat(50), Buffer.alloc(32)];
      db.run('INSERT INTO entries (type, envelope, leaf) VALUES (?, ?, ?)', ...values);
    }
  });
  db.close();
  const bytes = await readFile(file);
  bytes.fill(0xff, 5 * 4096, 8 * 4096);
  await writeFile(file, bytes);
  throwsCode(t, 'storage/corrupt', () => openDatabase(file));
});

test('a database is opened read-only beside its writer, and takes no write', async (t) => {
  const file = await databaseFile(t);
  const writer = openDatabase(file);
  const reader = openDatabase(file, { readOnly: true });
  writer.run('INSERT INTO boots (boot) VALUES (?)', 3);
  t.is(reader.get('SELECT boot FROM boots')?.['boot'], 3);
  throwsCode(t, 'storage/read-only', () => reader.run('INSERT INTO boots (boot) VALUES (?)', 4));
  reader.close();
  writer.close();
});

test('read-only, a file that is missing is not made', async (t) => {
  const file = await databaseFile(t);
  throwsCode(t, 'storage/io', () => openDatabase(file, { readOnly: true }));
  throwsCode(t, 'storage/not-found', () =>
    openDatabase(path.join(file, '..', 'missing', 'lapel.db')),
  );
  await t.throwsAsync(readFile(file), { code: 'ENOENT' });
});

test('read-only, a file that is no database is storage/corrupt at the first look', async (t) => {
  const file = await databaseFile(t);
  await writeFile(file, 'this is not a database, '.repeat(100));
  throwsCode(t, 'storage/corrupt', () => {
    const db = openDatabase(file, { readOnly: true });
    try {
      db.all('SELECT * FROM boots');
    } finally {
      db.close();
    }
  });
});

test('what SQLite throws has a code of ours', (t) => {
  const db = openDatabase(':memory:');
  db.run('INSERT INTO boots (boot) VALUES (?)', 1);
  throwsCode(t, 'storage/io', () => db.run('INSERT INTO boots (boot) VALUES (?)', 1));
  throwsCode(t, 'storage/io', () => db.get('SELECT * FROM nothing'));
  const pages = Number(db.get('PRAGMA page_count')?.['page_count']);
  db.get(`PRAGMA max_page_count = ${pages + 1}`);
  throwsCode(t, 'storage/disk-full', () =>
    db.transaction(() => {
      for (let n = 2; ; n += 1) db.run('INSERT INTO boots (boot) VALUES (?)', n);
    }),
  );
  t.is(db.get('SELECT COUNT(*) AS boots FROM boots')?.['boots'], 1);
  db.close();
});

test('a transaction that throws leaves nothing behind and passes on what was thrown', (t) => {
  const db = openDatabase(':memory:');
  const thrown = new RangeError('a bug');
  const error = t.throws(() =>
    db.transaction(() => {
      db.run('INSERT INTO boots (boot) VALUES (?)', 1);
      throw thrown;
    }),
  );
  t.is(error, thrown);
  t.deepEqual(db.all('SELECT * FROM boots'), []);
  t.is(
    db.transaction(() => 'value'),
    'value',
  );
  db.close();
});

test('of a database of years the newest rows are looked at, so that its opening does not take ever longer', async (t) => {
  const file = await databaseFile(t);
  const db = openDatabase(file);
  const BYTES = 1000;
  const ROWS = 40_000;
  db.transaction(() => {
    for (let n = 0; n < ROWS; n += 1) {
      const values = ['heartbeat', 'x'.repeat(BYTES), Buffer.alloc(32)] as const;
      db.run('INSERT INTO entries (type, envelope, leaf) VALUES (?, ?, ?)', ...values);
    }
  });
  db.close();
  const content = await readFile(file);
  const spoil = async (at: number): Promise<void> => {
    const copy = Buffer.from(content);
    copy.fill(0xa5, at, at + 4096);
    await writeFile(file, copy);
  };
  // An old page: nobody needs it to go on, and the log must not be set aside for it.
  await spoil(4096 * 4000);
  const opened = openDatabase(file);
  t.throws(() => opened.all('SELECT envelope FROM entries'), { code: 'storage/corrupt' });
  t.is(
    opened.run("INSERT INTO entries (type, envelope, leaf) VALUES ('a', 'b', x'00')").changes,
    1,
  );
  opened.close();
  // A page of the newest rows: this log cannot be gone on with.
  await spoil(content.length - 4 * 4096);
  throwsCode(t, 'storage/corrupt', () => openDatabase(file));
});

import SqliteDatabase from 'better-sqlite3';
import { CameraError } from '../errors.js';
import type { ErrorCode } from '../errors.js';

export type SqlValue = string | number | Buffer | null;

/**
 * The little of SQL that catalog and log need. Statements are prepared once and kept.
 * What SQLite throws becomes `storage/disk-full`, `storage/read-only`, `storage/corrupt`, or else `storage/io`.
 */
export interface Database {
  run(sql: string, ...values: readonly SqlValue[]): { changes: number; lastId: number };
  get(sql: string, ...values: readonly SqlValue[]): Record<string, SqlValue> | undefined;
  all(sql: string, ...values: readonly SqlValue[]): readonly Record<string, SqlValue>[];
  /**
   * Runs `work` in one transaction: durable as a whole when it returns, undone as a whole when it throws. What `work`
   * throws passes through. Within another transaction it is a part of that one.
   */
  transaction<T>(work: () => T): T;
  close(): void;
}

/** Schema steps in order; `user_version` counts how many a file has been through. A step never changes once released. */
const MIGRATIONS = [
  `CREATE TABLE boots (boot INTEGER PRIMARY KEY) STRICT;
   CREATE TABLE recordings (
     boot INTEGER NOT NULL, rec INTEGER NOT NULL, PRIMARY KEY (boot, rec)
   ) STRICT;
   CREATE TABLE segments (
     boot INTEGER NOT NULL, rec INTEGER NOT NULL, seq INTEGER NOT NULL,
     bytes INTEGER NOT NULL, ending TEXT NOT NULL, manifest TEXT NOT NULL, digest TEXT NOT NULL,
     offers INTEGER NOT NULL DEFAULT 0, receipt TEXT,
     PRIMARY KEY (boot, rec, seq)
   ) STRICT;
   CREATE TABLE entries (
     id INTEGER PRIMARY KEY, type TEXT NOT NULL, envelope TEXT NOT NULL, leaf BLOB NOT NULL
   ) STRICT;`,
  // What came over the network and was taken, so that nothing is taken twice.
  `CREATE TABLE nonces (id INTEGER PRIMARY KEY, nonce TEXT NOT NULL UNIQUE) STRICT;`,
  // Hashes of the full subtrees of the log (C2SP tlog-tiles, level 1 up), and its signed heads.
  `CREATE TABLE log_nodes (
     level INTEGER NOT NULL, idx INTEGER NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (level, idx)
   ) STRICT, WITHOUT ROWID;
   CREATE TABLE checkpoints (size INTEGER PRIMARY KEY, note TEXT NOT NULL) STRICT;`,
  // Of a segment: whether it has a mark (null: nobody can say any more), wall milliseconds of its receipt, and how far its
  // deletion is (0 not begun, 1 deletable, 2 deleted). What must not be deleted, and who says so.
  `ALTER TABLE segments ADD COLUMN marked INTEGER;
   ALTER TABLE segments ADD COLUMN receipt_ms INTEGER;
   ALTER TABLE segments ADD COLUMN removal INTEGER NOT NULL DEFAULT 0;
   CREATE INDEX segments_on_card ON segments (boot, rec, seq) WHERE removal < 2;
   CREATE TABLE holds (
     target TEXT NOT NULL, by TEXT NOT NULL, reason TEXT NOT NULL, PRIMARY KEY (target, by)
   ) STRICT;`,
];

/** How long a statement waits for another process that reads the same file, such as `lapel status`. */
const BUSY_TIMEOUT_MS = 2000;

const codes: Readonly<Record<string, ErrorCode>> = {
  SQLITE_FULL: 'storage/disk-full',
  SQLITE_READONLY: 'storage/read-only',
  SQLITE_CORRUPT: 'storage/corrupt',
  SQLITE_NOTADB: 'storage/corrupt',
};

/** A slow card reads 20 MB/s: a whole check of so much takes less than 2 s of the 5 s that buffering may wait for storage. */
const WHOLE_CHECK_BYTES_MAX = 32 * 1024 * 1024;
/** Rows of each table of a larger database that are read at the start: a day of heartbeats, 4 MB at most. */
const NEWEST_ROWS = 1500;

/** Extended result codes are their primary code and a suffix (SQLite documentation, "Result and Error Codes"). */
const primaryCode = (code: string): string => code.split('_').slice(0, 2).join('_');

/** Runs an operation and turns what SQLite throws into the CameraError promised; everything else passes through. */
function translated<T>(what: string, operation: () => T): T {
  try {
    return operation();
  } catch (error) {
    if (!(error instanceof SqliteDatabase.SqliteError)) throw error;
    const code = codes[primaryCode(error.code)] ?? 'storage/io';
    throw new CameraError(code, `cannot ${what}: ${error.message}`, { cause: error });
  }
}

class CardDatabase implements Database {
  readonly #sqlite: SqliteDatabase.Database;
  readonly #statements = new Map<string, SqliteDatabase.Statement>();

  constructor(sqlite: SqliteDatabase.Database) {
    this.#sqlite = sqlite;
  }

  run(sql: string, ...values: readonly SqlValue[]): { changes: number; lastId: number } {
    return translated('write to the database', () => {
      const { changes, lastInsertRowid } = this.#prepare(sql).run(...values);
      return { changes, lastId: Number(lastInsertRowid) };
    });
  }

  get(sql: string, ...values: readonly SqlValue[]): Record<string, SqlValue> | undefined {
    const row = translated('read the database', () => this.#prepare(sql).get(...values));
    return row as Record<string, SqlValue> | undefined;
  }

  all(sql: string, ...values: readonly SqlValue[]): readonly Record<string, SqlValue>[] {
    const rows = translated('read the database', () => this.#prepare(sql).all(...values));
    return rows as Record<string, SqlValue>[];
  }

  transaction<T>(work: () => T): T {
    return translated('write to the database', () => this.#sqlite.transaction(work)());
  }

  close(): void {
    this.#sqlite.close();
  }

  #prepare(sql: string): SqliteDatabase.Statement {
    const known = this.#statements.get(sql);
    if (known !== undefined) return known;
    const statement = this.#sqlite.prepare(sql);
    this.#statements.set(sql, statement);
    return statement;
  }
}

/**
 * Opens the card's database, makes or migrates it. WAL with synchronous=FULL: a transaction that returned survives a
 * power cut (SQLite documentation, "PRAGMA synchronous"). Read-only, it must be there and is taken as it is.
 * Throws `storage/corrupt` when the file is not a sound database, `storage/newer-format` when a newer program has made
 * it (nothing in it is changed then), `storage/not-found` when its directory is
 * missing, else like the database itself.
 */
export function openDatabase(file: string, options: { readOnly?: boolean } = {}): Database {
  const readonly = options.readOnly ?? false;
  return translated(`open ${file}`, () => {
    const sqlite = connect(file, readonly);
    try {
      const done = requireKnownSchema(sqlite);
      if (!readonly) migrate(sqlite, done);
    } catch (error) {
      sqlite.close();
      throw error;
    }
    return new CardDatabase(sqlite);
  });
}

function connect(file: string, readonly: boolean): SqliteDatabase.Database {
  try {
    return new SqliteDatabase(file, {
      readonly,
      fileMustExist: readonly,
      timeout: BUSY_TIMEOUT_MS,
    });
  } catch (error) {
    // better-sqlite3 has a TypeError of its own for a missing directory.
    if (!(error instanceof TypeError)) throw error;
    const message = `cannot open ${file}: ${error.message}`;
    throw new CameraError('storage/not-found', message, { cause: error });
  }
}

/** How many schema steps the file has been through. Looks before anything is written: a newer file is sound. */
function requireKnownSchema(sqlite: SqliteDatabase.Database): number {
  const done = Number(sqlite.pragma('user_version', { simple: true }));
  if (done <= MIGRATIONS.length) return done;
  const message = `database has schema ${done}, this program knows ${MIGRATIONS.length}`;
  throw new CameraError('storage/newer-format', message);
}

/**
 * Buffering waits for this. A small database is checked as a whole; of a larger one, which holds the log and the catalog of
 * years, each table gives its newest rows: pages that are damaged among them are found now, others by whoever reads them.
 */
function checkContent(sqlite: SqliteDatabase.Database): void {
  const pages = Number(sqlite.pragma('page_count', { simple: true }));
  const pageBytes = Number(sqlite.pragma('page_size', { simple: true }));
  if (pages * pageBytes > WHOLE_CHECK_BYTES_MAX) {
    readNewestRows(sqlite);
    return;
  }
  const check = sqlite.pragma('quick_check(1)', { simple: true });
  if (check === 'ok') return;
  throw new CameraError('storage/corrupt', `database fails its check: ${String(check)}`);
}

function readNewestRows(sqlite: SqliteDatabase.Database): void {
  const tables = sqlite.prepare(
    "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table'",
  );
  for (const { name, wr } of tables.all() as { name: string; wr: number }[]) {
    // Without row ids there is no newest; such tables hold one row for hundreds of others.
    const order = wr === 0 ? 'ORDER BY rowid DESC' : '';
    const newest = sqlite.prepare(`SELECT * FROM "${name}" ${order} LIMIT ${NEWEST_ROWS}`);
    // SQLite looks at every page on the way, and throws what it finds.
    newest.raw().all();
  }
}

function migrate(sqlite: SqliteDatabase.Database, done: number): void {
  sqlite.pragma('journal_mode = WAL');
  sqlite.pragma('synchronous = FULL');
  checkContent(sqlite);
  if (done === MIGRATIONS.length) return;
  sqlite.transaction(() => {
    for (const step of MIGRATIONS.slice(done)) sqlite.exec(step);
    sqlite.pragma(`user_version = ${MIGRATIONS.length}`);
  })();
}

import SqliteDatabase from 'better-sqlite3';
import { CameraError, messageOf } from '../errors.js';

export type SqlValue = string | number | Buffer | null;

/** The little of SQL that catalog and log need. Statements are prepared once and kept. */
export interface Database {
  run(sql: string, ...values: readonly SqlValue[]): { changes: number; lastId: number };
  get(sql: string, ...values: readonly SqlValue[]): Record<string, SqlValue> | undefined;
  all(sql: string, ...values: readonly SqlValue[]): readonly Record<string, SqlValue>[];
  /** Runs `work` in one transaction: durable as a whole when it returns, undone as a whole when it throws. */
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
];

/** How long a statement waits for another process that reads the same file, such as `lapel status`. */
const BUSY_TIMEOUT_MS = 2000;

class CardDatabase implements Database {
  readonly #sqlite: SqliteDatabase.Database;
  readonly #statements = new Map<string, SqliteDatabase.Statement>();

  constructor(sqlite: SqliteDatabase.Database) {
    this.#sqlite = sqlite;
  }

  run(sql: string, ...values: readonly SqlValue[]): { changes: number; lastId: number } {
    const { changes, lastInsertRowid } = this.#prepare(sql).run(...values);
    return { changes, lastId: Number(lastInsertRowid) };
  }

  get(sql: string, ...values: readonly SqlValue[]): Record<string, SqlValue> | undefined {
    return this.#prepare(sql).get(...values) as Record<string, SqlValue> | undefined;
  }

  all(sql: string, ...values: readonly SqlValue[]): readonly Record<string, SqlValue>[] {
    return this.#prepare(sql).all(...values) as Record<string, SqlValue>[];
  }

  transaction<T>(work: () => T): T {
    return this.#sqlite.transaction(work)();
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
 * power cut (SQLite documentation, "PRAGMA synchronous").
 * Throws `storage/corrupt` when the file is not a sound database, `storage/io` when it cannot be opened.
 */
export function openDatabase(file: string, options: { readOnly?: boolean } = {}): Database {
  const readOnly = options.readOnly ?? false;
  let sqlite: SqliteDatabase.Database | undefined;
  try {
    sqlite = new SqliteDatabase(file, {
      readonly: readOnly,
      fileMustExist: readOnly,
      timeout: BUSY_TIMEOUT_MS,
    });
    if (!readOnly) migrate(sqlite);
    return new CardDatabase(sqlite);
  } catch (error) {
    sqlite?.close();
    if (error instanceof CameraError) throw error;
    const corrupt = error instanceof SqliteDatabase.SqliteError && isDamage(error.code);
    const code = corrupt ? 'storage/corrupt' : 'storage/io';
    throw new CameraError(code, `cannot open ${file}: ${messageOf(error)}`, { cause: error });
  }
}

const isDamage = (code: string): boolean =>
  code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB';

function migrate(sqlite: SqliteDatabase.Database): void {
  sqlite.pragma('journal_mode = WAL');
  sqlite.pragma('synchronous = FULL');
  const check = sqlite.pragma('quick_check(1)', { simple: true });
  if (check !== 'ok') {
    throw new CameraError('storage/corrupt', `database fails its check: ${String(check)}`);
  }
  const done = Number(sqlite.pragma('user_version', { simple: true }));
  if (done > MIGRATIONS.length) {
    throw new CameraError('storage/corrupt', `database has schema ${done} of a newer version`);
  }
  sqlite.transaction(() => {
    for (const step of MIGRATIONS.slice(done)) sqlite.exec(step);
    sqlite.pragma(`user_version = ${MIGRATIONS.length}`);
  })();
}

import { copyFileSync, existsSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import SqliteDatabase from 'better-sqlite3';

/** The first schema that was released. */
const SCHEMA_1 = `
  CREATE TABLE boots (boot INTEGER PRIMARY KEY) STRICT;
  CREATE TABLE recordings (boot INTEGER NOT NULL, rec INTEGER NOT NULL, PRIMARY KEY (boot, rec)) STRICT;
  CREATE TABLE segments (
    boot INTEGER NOT NULL, rec INTEGER NOT NULL, seq INTEGER NOT NULL,
    bytes INTEGER NOT NULL, ending TEXT NOT NULL, manifest TEXT NOT NULL, digest TEXT NOT NULL,
    offers INTEGER NOT NULL DEFAULT 0, receipt TEXT, PRIMARY KEY (boot, rec, seq)
  ) STRICT;
  CREATE TABLE entries (
    id INTEGER PRIMARY KEY, type TEXT NOT NULL, envelope TEXT NOT NULL, leaf BLOB NOT NULL
  ) STRICT;`;

const COLUMNS: Readonly<Record<string, string>> = {
  boots: 'boot',
  recordings: 'boot, rec',
  segments: 'boot, rec, seq, bytes, ending, manifest, digest, offers, receipt',
  entries: 'id, type, envelope, leaf',
};

/**
 * Puts the content of a card's database into one of schema 1, as the first program would have left it at a power cut: the
 * newest entries are still in the write-ahead log.
 */
export function makeDatabaseOld(file: string): void {
  const directory = mkdtempSync(path.join(tmpdir(), 'lapel-old-'));
  try {
    const old = path.join(directory, 'old.db');
    const db = new SqliteDatabase(old);
    db.pragma('journal_mode = WAL');
    db.exec(SCHEMA_1);
    db.pragma('user_version = 1');
    db.exec(`ATTACH '${file}' AS new`);
    const copy = (table: string, where: string): void => {
      const columns = COLUMNS[table] ?? '';
      db.exec(
        `INSERT INTO main.${table} (${columns}) SELECT ${columns} FROM new.${table} ${where}`,
      );
    };
    for (const table of ['boots', 'recordings', 'segments']) copy(table, '');
    copy('entries', 'WHERE id <= 10');
    db.pragma('wal_checkpoint(TRUNCATE)');
    copy('entries', 'WHERE id > 10');
    for (const end of ['', '-wal']) copyFileSync(old + end, `${file}.old${end}`);
    db.close();
    for (const end of ['-wal', '-shm']) rmSync(file + end, { force: true });
    for (const end of ['', '-wal']) {
      if (existsSync(`${file}.old${end}`)) renameSync(`${file}.old${end}`, file + end);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
}

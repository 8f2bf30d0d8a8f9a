import type { SegmentRef } from '../units.js';
import { CameraError } from '../errors.js';
import { openDatabase } from './database.js';
import type { Database, SqlValue } from './database.js';

/** A row of the catalog as it stands, believed by nobody yet. */
export interface CatalogRecord {
  readonly ref: SegmentRef;
  readonly bytes: number;
  readonly ending: string;
  readonly manifest: string;
  readonly digest: string;
  readonly receipt: string | undefined;
}

/** A row of the device log as it stands. */
export interface EntryRecord {
  /** Position in the log, from 0. */
  readonly index: number;
  readonly type: string;
  /** The envelope, one line of JSON. */
  readonly envelope: string;
  readonly leaf: Buffer;
}

/** What the database of a card holds, for whoever judges it. Nothing in it is changed. */
export interface CardRecords {
  /** Why the database is not sound; undefined when it is. */
  readonly damage: string | undefined;
  /** Throws `storage/corrupt` for a row that is not of its type. */
  catalog(): Iterable<CatalogRecord>;
  /** Likewise. In order; a number that is missing is not made up for. */
  entries(): Iterable<EntryRecord>;
  /** Every signed head of the log that the card keeps, smallest first. */
  checkpoints(): Iterable<string>;
  close(): void;
}

/** Rows read at a time: 3 MB of manifests. */
const ROWS_PER_READ = 100;

const corrupt = (what: string): CameraError =>
  new CameraError('storage/corrupt', `lapel.db: ${what}`);

function number(row: Record<string, SqlValue>, name: string): number {
  const value = row[name];
  if (typeof value !== 'number') throw corrupt(`${name} is not a number`);
  return value;
}

function text(row: Record<string, SqlValue>, name: string): string {
  const value = row[name];
  if (typeof value !== 'string') throw corrupt(`${name} is not a text`);
  return value;
}

function* catalogOf(db: Database): Generator<CatalogRecord> {
  let [boot, rec, seq] = [-1, -1, -1];
  for (;;) {
    const rows = db.all(
      `SELECT boot, rec, seq, bytes, ending, manifest, digest, receipt FROM segments
       WHERE (boot, rec, seq) > (?, ?, ?) ORDER BY boot, rec, seq LIMIT ?`,
      ...[boot, rec, seq, ROWS_PER_READ],
    );
    for (const row of rows) {
      [boot, rec, seq] = [number(row, 'boot'), number(row, 'rec'), number(row, 'seq')];
      yield {
        ref: { boot, rec, seq },
        bytes: number(row, 'bytes'),
        ending: text(row, 'ending'),
        manifest: text(row, 'manifest'),
        digest: text(row, 'digest'),
        receipt: row['receipt'] === null ? undefined : text(row, 'receipt'),
      };
    }
    if (rows.length < ROWS_PER_READ) return;
  }
}

function* entriesOf(db: Database): Generator<EntryRecord> {
  let last = 0;
  for (;;) {
    const rows = db.all(
      'SELECT id, type, envelope, leaf FROM entries WHERE id > ? ORDER BY id LIMIT ?',
      ...[last, ROWS_PER_READ],
    );
    for (const row of rows) {
      last = number(row, 'id');
      const { leaf } = row;
      if (!Buffer.isBuffer(leaf)) throw corrupt(`entry ${last - 1} has no leaf`);
      yield { index: last - 1, type: text(row, 'type'), envelope: text(row, 'envelope'), leaf };
    }
    if (rows.length < ROWS_PER_READ) return;
  }
}

function* checkpointsOf(db: Database): Generator<string> {
  let last = -1;
  for (;;) {
    const rows = db.all(
      'SELECT size, note FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?',
      ...[last, ROWS_PER_READ],
    );
    for (const row of rows) {
      last = number(row, 'size');
      yield text(row, 'note');
    }
    if (rows.length < ROWS_PER_READ) return;
  }
}

/** Older cards have no table of them. */
const hasCheckpoints = (db: Database): boolean =>
  db.get("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'checkpoints'") !== undefined;

/** SQLite's own check of pages, indexes and types (SQLite documentation, "PRAGMA integrity_check"). */
function damageOf(db: Database): string | undefined {
  const [row] = db.all('PRAGMA integrity_check(1)');
  const said = row?.['integrity_check'];
  return said === 'ok' ? undefined : String(said);
}

/**
 * Opens a copy of a card's database for reading: SQLite writes beside a database that it reads, so it must not be the
 * evidence itself. Throws like `openDatabase`.
 */
export function openCardRecords(copy: string): CardRecords {
  const db = openDatabase(copy, { readOnly: true });
  try {
    return {
      damage: damageOf(db),
      catalog: () => catalogOf(db),
      entries: () => entriesOf(db),
      checkpoints: () => (hasCheckpoints(db) ? checkpointsOf(db) : []),
      close: () => {
        db.close();
      },
    };
  } catch (error) {
    db.close();
    throw error;
  }
}

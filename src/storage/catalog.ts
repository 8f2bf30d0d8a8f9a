import { CameraError } from '../errors.js';
import type { SegmentRef } from '../units.js';
import type { Database, SqlValue } from './database.js';

/**
 * So often a segment is offered before those that were offered less go first. A receiver that refuses one refuses it
 * every time, and a batch full of such would keep everything newer on the card for ever; but a link that breaks off
 * again and again is ordinary at a dock, and must not upset the order of a recording.
 */
const OFFERS_BEFORE_YIELDING = 8;

/** A segment that has its manifest. Rows are only ever added, and completed by a receipt. */
export interface CatalogRow {
  readonly ref: SegmentRef;
  readonly bytes: number;
  readonly ending: string;
  /** The manifest envelope, one line of JSON. */
  readonly manifest: string;
  /** Hex SHA-256 of the manifest's payload. */
  readonly digest: string;
  /** How many times it was offered to a receiver. */
  readonly offers: number;
  /** The receipt envelope, or undefined as long as no receiver has vouched for a durable copy. */
  readonly receipt: string | undefined;
}

export interface CatalogTotals {
  readonly segments: number;
  readonly bytes: number;
  readonly offered: number;
  readonly receipted: number;
  readonly pendingSegments: number;
  readonly pendingBytes: number;
}

const number = (value: SqlValue | undefined): number => {
  if (typeof value !== 'number') throw new CameraError('storage/corrupt', 'catalog: not a number');
  return value;
};
const text = (value: SqlValue | undefined): string => {
  if (typeof value !== 'string') throw new CameraError('storage/corrupt', 'catalog: not a text');
  return value;
};

const toRow = (row: Record<string, SqlValue>): CatalogRow => ({
  ref: { boot: number(row['boot']), rec: number(row['rec']), seq: number(row['seq']) },
  bytes: number(row['bytes']),
  ending: text(row['ending']),
  manifest: text(row['manifest']),
  digest: text(row['digest']),
  offers: number(row['offers']),
  receipt: row['receipt'] === null ? undefined : text(row['receipt']),
});

/**
 * The index of sealed segments and of their life: sealed, offered, receipted.
 *
 * INVARIANTS
 * 1. A row exists only for a segment whose manifest is durable on the card.
 * 2. `receipt` is set once, to a verified receipt, and never unset.
 * 3. Everything here but the receipts can be rebuilt from the files; recovery does so.
 */
export class Catalog {
  readonly #db: Database;

  constructor(db: Database) {
    this.#db = db;
  }

  /** Takes the next boot number: above every number used before and above `onCard`, the highest directory found. */
  beginBoot(onCard: number): number {
    return this.#db.transaction(() => {
      const row = this.#db.get('SELECT COALESCE(MAX(boot), 0) AS boot FROM boots');
      const boot = Math.max(number(row?.['boot']), onCard) + 1;
      this.#db.run('INSERT INTO boots (boot) VALUES (?)', boot);
      return boot;
    });
  }

  /** Takes the next recording number of a boot, from 1. Durable, so that a number is never used for two recordings. */
  beginRecording(boot: number): number {
    return this.#db.transaction(() => {
      const row = this.#db.get(
        'SELECT COALESCE(MAX(rec), 0) AS rec FROM recordings WHERE boot = ?',
        boot,
      );
      const rec = number(row?.['rec']) + 1;
      this.#db.run('INSERT INTO recordings (boot, rec) VALUES (?, ?)', boot, rec);
      return rec;
    });
  }

  /** Adds a sealed segment; false when it was known already. */
  add(row: Omit<CatalogRow, 'offers' | 'receipt'>): boolean {
    const { boot, rec, seq } = row.ref;
    const { changes } = this.#db.run(
      `INSERT INTO segments (boot, rec, seq, bytes, ending, manifest, digest) VALUES (?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
      ...[boot, rec, seq, row.bytes, row.ending, row.manifest, row.digest],
    );
    return changes > 0;
  }

  find({ boot, rec, seq }: SegmentRef): CatalogRow | undefined {
    const row = this.#db.get(
      'SELECT * FROM segments WHERE boot = ? AND rec = ? AND seq = ?',
      ...[boot, rec, seq],
    );
    return row === undefined ? undefined : toRow(row);
  }

  /** Segments of one recording in order. */
  ofRecording(boot: number, rec: number): readonly CatalogRow[] {
    return this.#db
      .all('SELECT * FROM segments WHERE boot = ? AND rec = ? ORDER BY seq', boot, rec)
      .map(toRow);
  }

  /** Recordings that have a sealed segment, oldest first. */
  recordings(): readonly { boot: number; rec: number }[] {
    return this.#db
      .all('SELECT DISTINCT boot, rec FROM segments ORDER BY boot, rec')
      .map((row) => ({ boot: number(row['boot']), rec: number(row['rec']) }));
  }

  /** Segments without a receipt: oldest first, but those behind the others that were offered many times for nothing. */
  pending(limit: number): readonly CatalogRow[] {
    return this.#db
      .all(
        // In the text and not bound: numbers are bound as REAL, and the division has to be that of integers.
        `SELECT * FROM segments WHERE receipt IS NULL
         ORDER BY offers / ${OFFERS_BEFORE_YIELDING}, boot, rec, seq LIMIT ?`,
        limit,
      )
      .map(toRow);
  }

  /** Names of the segments without a receipt of the boots before this one, in their order. */
  pendingBefore(boot: number): readonly SegmentRef[] {
    return this.#db
      .all(
        'SELECT boot, rec, seq FROM segments WHERE receipt IS NULL AND boot < ? ORDER BY boot, rec, seq',
        boot,
      )
      .map((row) => ({
        boot: number(row['boot']),
        rec: number(row['rec']),
        seq: number(row['seq']),
      }));
  }

  offered(refs: readonly SegmentRef[]): void {
    this.#db.transaction(() => {
      for (const { boot, rec, seq } of refs) {
        this.#db.run(
          'UPDATE segments SET offers = offers + 1 WHERE boot = ? AND rec = ? AND seq = ?',
          ...[boot, rec, seq],
        );
      }
    });
  }

  /** Keeps the first receipt of a segment; false when there was one or the segment is unknown. */
  receipted({ boot, rec, seq }: SegmentRef, receipt: string): boolean {
    const { changes } = this.#db.run(
      'UPDATE segments SET receipt = ? WHERE boot = ? AND rec = ? AND seq = ? AND receipt IS NULL',
      ...[receipt, boot, rec, seq],
    );
    return changes > 0;
  }

  totals(): CatalogTotals {
    const row = this.#db.get(
      `SELECT COUNT(*) AS segments, COALESCE(SUM(bytes), 0) AS bytes,
         COALESCE(SUM(offers > 0), 0) AS offered, COUNT(receipt) AS receipted,
         COALESCE(SUM(receipt IS NULL), 0) AS pendingSegments,
         COALESCE(SUM(CASE WHEN receipt IS NULL THEN bytes END), 0) AS pendingBytes
       FROM segments`,
    );
    return {
      segments: number(row?.['segments']),
      bytes: number(row?.['bytes']),
      offered: number(row?.['offered']),
      receipted: number(row?.['receipted']),
      pendingSegments: number(row?.['pendingSegments']),
      pendingBytes: number(row?.['pendingBytes']),
    };
  }
}

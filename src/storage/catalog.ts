import { CameraError } from '../errors.js';
import type { SegmentRef } from '../units.js';
import type { Database, SqlValue } from './database.js';
import type { HeldOnCard } from './retention-plan.js';
import type { SegmentLife, Stage } from './segment-life.js';

/**
 * So often a segment is offered before those that were offered less go first. A receiver that refuses one refuses it
 * every time, and a batch full of such would keep everything newer on the card for ever; but a link that breaks off
 * again and again is ordinary at a dock, and must not upset the order of a recording.
 */
const OFFERS_BEFORE_YIELDING = 8;

/** A segment that has its manifest. Rows are only ever added, and completed by a receipt and the end of the segment. */
export interface CatalogRow {
  readonly ref: SegmentRef;
  readonly bytes: number;
  readonly ending: string;
  /** The manifest envelope, one line of JSON; empty once the segment is deleted. */
  readonly manifest: string;
  /** Hex SHA-256 of the manifest's payload. */
  readonly digest: string;
  /** How many times it was offered to a receiver. */
  readonly offers: number;
  /** The receipt envelope, or undefined as long as no receiver has vouched for a durable copy. */
  readonly receipt: string | undefined;
  /** Whether the wearer marked something in it; undefined when nobody can say any more. */
  readonly isMarked: boolean | undefined;
  readonly stage: Stage;
}

/** What is known of a segment when it is sealed. */
export type NewRow = Omit<CatalogRow, 'offers' | 'receipt' | 'isMarked' | 'stage'> & {
  readonly isMarked?: boolean | undefined;
};

/** Somebody who wants a recording or a segment kept; `target` is `<boot>/<rec>` or `<boot>/<rec>/<seq>`. */
export interface Hold {
  readonly target: string;
  readonly by: string;
  readonly reason: string;
}

/** Of the segments that are on the card, but for `deletedSegments`. */
export interface CatalogTotals {
  readonly segments: number;
  readonly bytes: number;
  readonly offered: number;
  readonly receipted: number;
  readonly pendingSegments: number;
  readonly pendingBytes: number;
  readonly deletedSegments: number;
}

const number = (value: SqlValue | undefined): number => {
  if (typeof value !== 'number') throw new CameraError('storage/corrupt', 'catalog: not a number');
  return value;
};
const text = (value: SqlValue | undefined): string => {
  if (typeof value !== 'string') throw new CameraError('storage/corrupt', 'catalog: not a text');
  return value;
};

/** How far a deletion is, in the column `removal`. */
const NOT_BEGUN = 0;
const DELETABLE = 1;
const DELETED = 2;

function stageOf(row: Record<string, SqlValue>): Stage {
  const removal = number(row['removal']);
  if (removal === DELETED) return 'deleted';
  if (removal === DELETABLE) return 'deletable';
  if (row['receipt'] !== null) return 'receipted';
  return number(row['offers']) > 0 ? 'offered' : 'sealed';
}

const toRow = (row: Record<string, SqlValue>): CatalogRow => ({
  ref: { boot: number(row['boot']), rec: number(row['rec']), seq: number(row['seq']) },
  bytes: number(row['bytes']),
  ending: text(row['ending']),
  manifest: text(row['manifest']),
  digest: text(row['digest']),
  offers: number(row['offers']),
  receipt: row['receipt'] === null ? undefined : text(row['receipt']),
  isMarked: row['marked'] === null ? undefined : row['marked'] === 1,
  stage: stageOf(row),
});

/** A segment as `stepLife` knows it; `receipt` is the digest of its receipt. */
export const lifeOf = (row: CatalogRow, receipt: string | undefined): SegmentLife => ({
  ...{ ref: row.ref, digest: row.digest, bytes: row.bytes, stage: row.stage },
  receipt,
});

/**
 * The index of sealed segments and of their life: sealed, offered, receipted, deletable, deleted.
 *
 * INVARIANTS
 * 1. A row exists only for a segment whose manifest is durable on the card.
 * 2. `receipt` is set once, to a verified receipt, and never unset.
 * 3. Everything here but receipts, marks, holds and what is deleted can be rebuilt from the files; recovery does so.
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
  add(row: NewRow): boolean {
    const { boot, rec, seq } = row.ref;
    const { changes } = this.#db.run(
      `INSERT INTO segments (boot, rec, seq, bytes, ending, manifest, digest, marked) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
       ON CONFLICT DO NOTHING`,
      ...[boot, rec, seq, row.bytes, row.ending, row.manifest, row.digest],
      row.isMarked === undefined ? null : Number(row.isMarked),
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
  receipted(
    { boot, rec, seq }: SegmentRef,
    receipt: string,
    receiptMs: number | null = null,
  ): boolean {
    const { changes } = this.#db.run(
      `UPDATE segments SET receipt = ?, receipt_ms = ?
       WHERE boot = ? AND rec = ? AND seq = ? AND receipt IS NULL`,
      ...[receipt, receiptMs, boot, rec, seq],
    );
    return changes > 0;
  }

  totals(): CatalogTotals {
    const row = this.#db.get(
      `SELECT COUNT(*) AS segments, COALESCE(SUM(bytes), 0) AS bytes,
         COALESCE(SUM(offers > 0), 0) AS offered, COUNT(receipt) AS receipted,
         COALESCE(SUM(receipt IS NULL), 0) AS pendingSegments,
         COALESCE(SUM(CASE WHEN receipt IS NULL THEN bytes END), 0) AS pendingBytes
       FROM segments WHERE removal < 2`,
    );
    const deleted = this.#db.get('SELECT COUNT(*) AS segments FROM segments WHERE removal = 2');
    return {
      segments: number(row?.['segments']),
      bytes: number(row?.['bytes']),
      offered: number(row?.['offered']),
      receipted: number(row?.['receipted']),
      pendingSegments: number(row?.['pendingSegments']),
      pendingBytes: number(row?.['pendingBytes']),
      deletedSegments: number(deleted?.['segments']),
    };
  }

  /** Everything on the card, in order, as a plan of deletions needs it. */
  onCard(): readonly HeldOnCard[] {
    const held = new Set(this.holds().map(({ target }) => target));
    return this.#db
      .all(
        `SELECT boot, rec, seq, bytes, offers, removal, receipt IS NULL AS lacks, receipt_ms,
           EXISTS (SELECT 1 FROM segments near WHERE near.boot = s.boot AND near.rec = s.rec
             AND near.seq BETWEEN s.seq - 1 AND s.seq + 1 AND COALESCE(near.marked, 1) = 1) AS marked
         FROM segments s WHERE removal < 2 ORDER BY boot, rec, seq`,
      )
      .map((row) => {
        const ref = { boot: number(row['boot']), rec: number(row['rec']), seq: number(row['seq']) };
        const stage = stageOf({ ...row, receipt: row['lacks'] === 1 ? null : '' });
        const time = row['receipt_ms'];
        return {
          ref,
          bytes: number(row['bytes']),
          stage: stage === 'deleted' ? 'deletable' : stage,
          receiptedAt: typeof time === 'number' ? time : undefined,
          isHeld: targetsOf(ref).some((target) => held.has(target)),
          isMarked: row['marked'] === 1,
        };
      });
  }

  /** Segments whose deletion has its entry in the log, and no end yet. */
  deletable(): readonly CatalogRow[] {
    return this.#db
      .all('SELECT * FROM segments WHERE removal = 1 ORDER BY boot, rec, seq')
      .map(toRow);
  }

  /**
   * The new stage of a segment whose receipt is there. A deleted one loses its manifest, which the receiver has: rows
   * are for the life of a camera, and ten thousand manifests are 30 MB.
   */
  setStage({ boot, rec, seq }: SegmentRef, stage: 'receipted' | 'deletable' | 'deleted'): void {
    const removal = { receipted: NOT_BEGUN, deletable: DELETABLE, deleted: DELETED }[stage];
    this.#db.run(
      `UPDATE segments SET removal = ?, manifest = CASE WHEN ? = 2 THEN '' ELSE manifest END
       WHERE boot = ? AND rec = ? AND seq = ? AND receipt IS NOT NULL`,
      ...[removal, removal, boot, rec, seq],
    );
  }

  /** Whether the catalog has a recording or a segment of it. */
  knows(target: string): boolean {
    const [boot = 0, rec = 0, seq] = target.split('/').map(Number);
    if (seq !== undefined) return this.find({ boot, rec, seq }) !== undefined;
    const sql = `SELECT 1 FROM segments WHERE boot = ? AND rec = ?
      UNION SELECT 1 FROM recordings WHERE boot = ? AND rec = ?`;
    return this.#db.get(sql, boot, rec, boot, rec) !== undefined;
  }

  holds(): readonly Hold[] {
    return this.#db.all('SELECT target, by, reason FROM holds ORDER BY target, by').map((row) => ({
      target: text(row['target']),
      by: text(row['by']),
      reason: text(row['reason']),
    }));
  }

  isHeld(ref: SegmentRef): boolean {
    return targetsOf(ref).some(
      (target) => this.#db.get('SELECT 1 FROM holds WHERE target = ?', target) !== undefined,
    );
  }

  hold({ target, by, reason }: Hold): void {
    const sql = 'INSERT INTO holds (target, by, reason) VALUES (?, ?, ?) ON CONFLICT DO NOTHING';
    this.#db.run(sql, target, by, reason);
  }

  release(target: string, by: string): void {
    this.#db.run('DELETE FROM holds WHERE target = ? AND by = ?', target, by);
  }
}

/** What a hold may name to keep this segment. */
const targetsOf = ({ boot, rec, seq }: SegmentRef): readonly string[] => [
  `${boot}/${rec}`,
  `${boot}/${rec}/${seq}`,
];

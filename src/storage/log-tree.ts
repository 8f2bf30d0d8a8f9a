import type { Frontier } from '../evidence/merkle-tree.js';
import { HASH_BYTES, rootOfLeaves } from '../evidence/merkle-tree.js';
import { TILE_WIDTH, frontierAt } from '../evidence/tree-hashes.js';
import type { TreeHashes } from '../evidence/tree-hashes.js';
import { CameraError } from '../errors.js';
import type { Database, SqlValue } from './database.js';

/**
 * The tree of the device log as it stands in the database: a leaf with each entry, and the hash of every full subtree of
 * 256, 256², … leaves, so that head and proofs cost the same in the first month and in the tenth year.
 */
export class StoredHashes implements TreeHashes {
  readonly #db: Database;
  readonly #hasNodes: boolean;

  constructor(db: Database) {
    this.#db = db;
    const sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'log_nodes'";
    // A card that an older program wrote, opened read-only, has not got the table yet.
    this.#hasNodes = db.get(sql) !== undefined;
  }

  /** Entries in the log. */
  get size(): number {
    return Number(this.#db.get('SELECT COALESCE(MAX(id), 0) AS size FROM entries')?.['size']);
  }

  /** Throws `storage/corrupt` when a leaf is not there. */
  hashes(level: number, first: number, count: number): Buffer {
    const found = level === 0 ? this.#leaves(first, count) : this.#nodes(level, first, count);
    if (found.length === count) return Buffer.concat(found);
    if (level === 0) throw new CameraError('storage/corrupt', 'log: an entry is missing');
    // Entered before this table was there.
    const below = (index: number): Buffer => this.hashes(level - 1, index * TILE_WIDTH, TILE_WIDTH);
    return Buffer.concat(Array.from({ length: count }, (_, n) => rootOfLeaves(below(first + n))));
  }

  #leaves(first: number, count: number): readonly Buffer[] {
    const sql = 'SELECT leaf FROM entries WHERE id > ? AND id <= ? ORDER BY id';
    return this.#db.all(sql, first, first + count).map((row) => hashOf(row['leaf']));
  }

  #nodes(level: number, first: number, count: number): readonly Buffer[] {
    if (!this.#hasNodes) return [];
    const sql = 'SELECT hash FROM log_nodes WHERE level = ? AND idx >= ? AND idx < ? ORDER BY idx';
    return this.#db.all(sql, level, first, first + count).map((row) => hashOf(row['hash']));
  }
}

/** The tree over all entries, as one that grows. */
export function loadFrontier(db: Database): Frontier {
  const stored = new StoredHashes(db);
  return frontierAt(stored, stored.size);
}

/**
 * Adds the leaf of an entry that has just been inserted to `frontier` and, for every subtree that it fills, a hash to the
 * database. Within the transaction of the entry; the caller drops the frontier when that is undone.
 */
export function growTree(db: Database, frontier: Frontier, leaf: Buffer): void {
  frontier.push(leaf);
  const { size } = frontier;
  for (let level = 1, unit = TILE_WIDTH; size % unit === 0; level += 1, unit *= TILE_WIDTH) {
    const first = (size / unit) * TILE_WIDTH - TILE_WIDTH;
    const hash = rootOfLeaves(new StoredHashes(db).hashes(level - 1, first, TILE_WIDTH));
    const sql = 'INSERT OR REPLACE INTO log_nodes (level, idx, hash) VALUES (?, ?, ?)';
    db.run(sql, level, size / unit - 1, hash);
  }
}

function hashOf(value: SqlValue | undefined): Buffer {
  if (Buffer.isBuffer(value) && value.length === HASH_BYTES) return value;
  throw new CameraError('storage/corrupt', 'log: a leaf is missing');
}

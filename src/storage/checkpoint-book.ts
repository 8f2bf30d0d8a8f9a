import { parseCheckpoint, sealCheckpoint } from '../evidence/checkpoint.js';
import type { TreeHead } from '../evidence/checkpoint.js';
import type { Signer } from '../evidence/signer.js';
import { rootAt } from '../evidence/tree-hashes.js';
import { CameraError } from '../errors.js';
import type { Database, SqlValue } from './database.js';
import { StoredHashes } from './log-tree.js';

type Key = Pick<Signer, 'sign' | 'publicKey'>;

/** Signs heads of the device log with the device key, and keeps every one of them. */
export class CheckpointBook {
  readonly #db: Database;
  readonly #device: string;
  readonly #head: () => TreeHead;

  /** `head`: of what is durable. */
  constructor(db: Database, device: string, head: () => TreeHead) {
    this.#db = db;
    this.#device = device;
    this.#head = head;
  }

  /**
   * The signed note over the log as it is now, durable; the same one again as long as nothing was added. A log must never
   * sign two heads of which the later does not continue the earlier (C2SP tlog-checkpoint): throws `storage/corrupt` when
   * the entries on the card are not those of the newest note that it keeps. Else throws as the database does.
   */
  make(keys: readonly Key[]): string {
    const { size, root } = this.#head();
    const newest = readCheckpoint(this.#db);
    if (newest !== undefined) {
      const before = parseCheckpoint(newest);
      if (before.size > size || !this.#rootAt(before.size, { size, root }).equals(before.root)) {
        const message = `log: ${size} entries that do not continue the ${before.size} of its checkpoint`;
        throw new CameraError('storage/corrupt', message);
      }
      if (before.size === size && before.note.signatures.length >= keys.length) return newest;
    }
    const note = sealCheckpoint(this.#device, { size, root }, keys);
    // Nothing is replaced but a note over the same head by one that more keys have signed.
    this.#db.run('INSERT OR REPLACE INTO checkpoints (size, note) VALUES (?, ?)', size, note);
    return note;
  }

  #rootAt(size: number, head: TreeHead): Buffer {
    return size === head.size ? head.root : rootAt(new StoredHashes(this.#db), size);
  }
}

const noteOf = (row: Record<string, SqlValue> | undefined): string | undefined => {
  const note = row?.['note'];
  return typeof note === 'string' ? note : undefined;
};

const hasBook = (db: Database): boolean => {
  const sql = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'checkpoints'";
  return db.get(sql) !== undefined;
};

/** The newest checkpoint over at most `size` entries, over any number without one; undefined when none was made. */
export function readCheckpoint(db: Database, size?: number): string | undefined {
  if (!hasBook(db)) return undefined;
  const sql = 'SELECT note FROM checkpoints WHERE size <= ? ORDER BY size DESC LIMIT 1';
  return noteOf(db.get(sql, size ?? Number.MAX_SAFE_INTEGER));
}

/** All of them, oldest first, at most `limit` after that size. */
export function readCheckpoints(db: Database, after: number, limit: number): readonly string[] {
  if (!hasBook(db)) return [];
  const sql = 'SELECT note FROM checkpoints WHERE size > ? ORDER BY size LIMIT ?';
  return db.all(sql, after, limit).map((row) => noteOf(row) ?? '');
}

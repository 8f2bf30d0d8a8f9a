import type { Clock } from '../clock.js';
import { formatEnvelope, parseEnvelope } from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { entryLeaf, sealEntry } from '../evidence/log-entry.js';
import type { LogEntry } from '../evidence/log-entry.js';
import { Frontier } from '../evidence/merkle-tree.js';
import { CameraError } from '../errors.js';
import type { BootIdentity } from './boot.js';
import type { Database, SqlValue } from './database.js';

/** An entry without what the log itself adds: version, device, boot and time. */
export type LogFact = LogEntry extends infer E
  ? E extends LogEntry
    ? Omit<E, 'v' | 'device' | 'boot' | 'mono'>
    : never
  : never;

export interface StoredEntry {
  /** Position in the log, from 0. */
  readonly index: number;
  readonly type: string;
  readonly envelope: Envelope;
}

/** The longest text an entry takes; more would let a chatty pipeline swell the log. */
const WORDS_MAX = 500;

/**
 * Text from anywhere in the form an entry takes: shortened, and with U+FFFD for half a character, which has no UTF-8
 * form and would cost the whole entry.
 */
export const entryWords = (text: string): string =>
  Buffer.from(text.slice(0, WORDS_MAX)).toString();

/** Leaves read at a time: 32 kB, so that the log of a device's whole life needs no more memory than that of a day. */
const LEAVES_PER_READ = 1000;
/** Entries that may wait for their signature; a thousand are minutes of storm, and more would hide a fault. */
const WAITING_MAX = 1000;

/**
 * The append-only log of the device's whole life: signed entries in one RFC 6962 tree, in SQLite.
 *
 * INVARIANTS
 * 1. Entries get their place in the order of the calls, and none is ever changed or removed.
 * 2. An entry is durable when `append` resolves.
 */
export class DeviceLog {
  readonly #db: Database;
  readonly #identity: Pick<BootIdentity, 'device' | 'boot' | 'signer'>;
  readonly #clock: Clock;
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  constructor(
    db: Database,
    identity: Pick<BootIdentity, 'device' | 'boot' | 'signer'>,
    clock: Clock,
  ) {
    this.#db = db;
    this.#identity = identity;
    this.#clock = clock;
  }

  /**
   * Signs a fact with the session key and stores it; returns its index. `together` runs in the same transaction, so
   * that the log and another table cannot disagree. Rejects with the errors of the database, with what `together`
   * throws, and with `capture/queue-full` when too many entries wait; nothing is stored then.
   */
  append(fact: LogFact, together?: () => void): Promise<number> {
    if (this.#waiting >= WAITING_MAX) {
      const message = `${WAITING_MAX} log entries wait for the card`;
      return Promise.reject(new CameraError('capture/queue-full', message));
    }
    const { device, boot, signer } = this.#identity;
    const mono = Math.round(this.#clock.monotonicMs());
    this.#waiting += 1;
    const result = this.#last.then(async () => {
      try {
        const entry = { v: 1, device, boot, mono, ...fact } as LogEntry;
        const envelope = sealEntry(entry, signer);
        const index = this.#store(fact.type, envelope, together);
        // A signature costs milliseconds: between two of a burst, everybody else gets a turn.
        if (this.#waiting > 1) await this.#clock.nextTurn();
        return index;
      } finally {
        this.#waiting -= 1;
      }
    });
    this.#last = result.catch(() => undefined);
    return result;
  }

  /** Resolves when everything appended so far is durable or has been refused. */
  async settled(): Promise<void> {
    await this.#last;
  }

  #store(type: string, envelope: Envelope, together: (() => void) | undefined): number {
    return this.#db.transaction(() => {
      const { lastId } = this.#db.run(
        'INSERT INTO entries (type, envelope, leaf) VALUES (?, ?, ?)',
        ...[type, formatEnvelope(envelope), entryLeaf(envelope)],
      );
      together?.();
      return lastId - 1;
    });
  }
}

/** Entries from `index` on, at most `limit`. Throws `evidence/malformed` when a row is not an envelope. */
export function readEntries(db: Database, index: number, limit: number): readonly StoredEntry[] {
  return db
    .all('SELECT id, type, envelope FROM entries WHERE id > ? ORDER BY id LIMIT ?', index, limit)
    .map((row) => ({
      index: Number(row['id']) - 1,
      type: String(row['type']),
      envelope: parseEnvelope(String(row['envelope'])),
    }));
}

/** Size and root (RFC 6962 §2.1) over all entries. */
export function logHead(db: Database): { size: number; root: Buffer } {
  const tree = new Frontier();
  for (;;) {
    const sql = 'SELECT leaf FROM entries WHERE id > ? ORDER BY id LIMIT ?';
    const rows = db.all(sql, tree.size, LEAVES_PER_READ);
    for (const row of rows) tree.push(hashOf(row['leaf']));
    if (rows.length < LEAVES_PER_READ) return { size: tree.size, root: tree.root() };
  }
}

function hashOf(value: SqlValue | undefined): Buffer {
  if (!Buffer.isBuffer(value)) throw new CameraError('storage/corrupt', 'log: a leaf is missing');
  return value;
}

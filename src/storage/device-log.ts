import type { Cancel, Clock } from '../clock.js';
import { formatEnvelope, parseEnvelope } from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { entryLeaf, sealEntry } from '../evidence/log-entry.js';
import type { LogEntry } from '../evidence/log-entry.js';
import type { TreeHead } from '../evidence/checkpoint.js';
import type { Frontier } from '../evidence/merkle-tree.js';
import { CameraError } from '../errors.js';
import type { BootIdentity } from './boot.js';
import type { Database } from './database.js';
import { StoredHashes, growTree, loadFrontier } from './log-tree.js';

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

/** Entries that may wait for their signature; a thousand are minutes of storm, and more would hide a fault. */
const WAITING_MAX = 1000;

/** Entries of one transaction: each costs a signature of some milliseconds before any of them is durable. */
const BATCH_MAX = 8;

/** An entry on its way into the log. */
interface Waiting {
  readonly fact: LogFact;
  readonly mono: number;
  /** False for one that may wait for company. */
  readonly isUrgent: boolean;
  readonly together: (() => void) | undefined;
  readonly done: (index: number) => void;
  readonly failed: (error: unknown) => void;
}

interface Sealed {
  readonly waiting: Waiting;
  readonly envelope: Envelope;
}

/**
 * The append-only log of the device's whole life: signed entries in one RFC 6962 tree, in SQLite.
 *
 * INVARIANTS
 * 1. Entries get their place in the order of the calls, and none is ever changed or removed. One that is urgent waits for
 *    those before it and for none after it.
 * 2. An entry is durable when the promise of its call resolves, and says the time of the call.
 */
export class DeviceLog {
  readonly #db: Database;
  readonly #identity: Pick<BootIdentity, 'device' | 'boot' | 'signer'>;
  readonly #clock: Clock;
  readonly #patienceMs: number;
  #waiting = 0;
  #queue: Waiting[] = [];
  #draining: Promise<void> | undefined;
  #cancelPatience: Cancel | undefined;
  /** The tree over what is durable; undefined until the first entry of this process. */
  #tree: Frontier | undefined;
  #onGrown: (size: number) => void = () => undefined;

  /** `patienceMs`: how long an entry that is not urgent may wait, so that it shares a sync with others. */
  constructor(
    db: Database,
    identity: Pick<BootIdentity, 'device' | 'boot' | 'signer'>,
    clock: Clock,
    patienceMs = 0,
  ) {
    this.#db = db;
    this.#identity = identity;
    this.#clock = clock;
    this.#patienceMs = patienceMs;
  }

  /**
   * Signs a fact with the session key and stores it; returns its index. `together` runs in the same transaction, so
   * that the log and another table cannot disagree. Rejects with the errors of the database, with what `together`
   * throws, and with `capture/queue-full` when too many entries wait; nothing is stored then.
   */
  append(fact: LogFact, together?: () => void): Promise<number> {
    return this.#add(fact, true, together);
  }

  /** The same for a fact of which many come at a time: at once, but those that wait by then share a sync. */
  appendTogether(fact: LogFact): Promise<number> {
    const index = this.#add(fact, false, undefined);
    this.#wake();
    return index;
  }

  /** The same for a fact that nobody waits for: within `patienceMs`, or with the next that is urgent. */
  appendSoon(fact: LogFact): Promise<number> {
    return this.#add(fact, this.#patienceMs === 0, undefined);
  }

  /** Size and root over everything durable. Throws as the database does. */
  head(): TreeHead {
    const tree = this.#currentTree();
    return { size: tree.size, root: tree.root() };
  }

  /** Calls back with the size of the log whenever entries have become durable. One listener, which must not throw. */
  watch(onGrown: (size: number) => void): void {
    this.#onGrown = onGrown;
  }

  /** Resolves when everything appended so far is durable or has been refused. */
  async settled(): Promise<void> {
    this.#wake();
    await this.#draining;
  }

  #add(fact: LogFact, isUrgent: boolean, together: (() => void) | undefined): Promise<number> {
    if (this.#waiting >= WAITING_MAX) {
      const message = `${WAITING_MAX} log entries wait for the card`;
      return Promise.reject(new CameraError('capture/queue-full', message));
    }
    const mono = Math.round(this.#clock.monotonicMs());
    this.#waiting += 1;
    return new Promise<number>((done, failed) => {
      this.#queue.push({ fact, mono, isUrgent, together, done, failed });
      if (isUrgent || this.#queue.length >= BATCH_MAX) this.#wake();
      else {
        this.#cancelPatience ??= this.#clock.after(this.#patienceMs, () => {
          this.#wake();
        });
      }
    }).finally(() => {
      this.#waiting -= 1;
    });
  }

  #wake(): void {
    this.#cancelPatience?.();
    this.#cancelPatience = undefined;
    if (this.#queue.length > 0) this.#draining ??= this.#drain();
  }

  /** Never rejects; everything that waited has its answer at the end. */
  async #drain(): Promise<void> {
    // In a turn of its own for whoever appends, as if the card were asked at once.
    await Promise.resolve();
    while (this.#queue.length > 0) {
      this.#store(await this.#seal(this.#nextBatch()));
      if (this.#queue.length > 0) await this.#clock.nextTurn();
    }
    this.#draining = undefined;
  }

  /** Up to the first that is urgent; one with a table of its own goes alone, for it may be undone. */
  #nextBatch(): readonly Waiting[] {
    const last = this.#queue.findIndex(
      ({ isUrgent, together }, index) =>
        isUrgent || together !== undefined || index === BATCH_MAX - 1,
    );
    const hasTable = last > 0 && this.#queue[last]?.together !== undefined;
    const count = last < 0 ? this.#queue.length : hasTable ? last : last + 1;
    return this.#queue.splice(0, count);
  }

  /** A signature costs milliseconds: between two, everybody else gets a turn. */
  async #seal(batch: readonly Waiting[]): Promise<readonly Sealed[]> {
    const { device, boot, signer } = this.#identity;
    const sealed: Sealed[] = [];
    for (const [index, waiting] of batch.entries()) {
      if (index > 0) await this.#clock.nextTurn();
      try {
        const { fact, mono } = waiting;
        const entry = { v: 1, device, boot, mono, ...fact } as LogEntry;
        sealed.push({ waiting, envelope: sealEntry(entry, signer) });
      } catch (error) {
        waiting.failed(error);
      }
    }
    return sealed;
  }

  #store(batch: readonly Sealed[]): void {
    if (batch.length === 0) return;
    try {
      const { indexes, tree } = this.#db.transaction(() => this.#insert(batch));
      this.#tree = tree;
      for (const [at, { waiting }] of batch.entries()) waiting.done(indexes[at] ?? 0);
      this.#onGrown(tree.size);
    } catch (error) {
      for (const { waiting } of batch) waiting.failed(error);
    }
  }

  /** Within a transaction; the tree is one of its own, so that nothing has to be undone with it. */
  #insert(batch: readonly Sealed[]): { indexes: readonly number[]; tree: Frontier } {
    const tree = this.#currentTree().clone();
    const indexes = batch.map(({ waiting, envelope }) => {
      const leaf = entryLeaf(envelope);
      const { lastId } = this.#db.run(
        'INSERT INTO entries (type, envelope, leaf) VALUES (?, ?, ?)',
        ...[waiting.fact.type, formatEnvelope(envelope), leaf],
      );
      growTree(this.#db, tree, leaf);
      waiting.together?.();
      return lastId - 1;
    });
    return { indexes, tree };
  }

  /** Read from the database when that has other entries than those entered here. */
  #currentTree(): Frontier {
    const known = this.#tree;
    if (known?.size === new StoredHashes(this.#db).size) return known;
    return (this.#tree = loadFrontier(this.#db));
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

/** Size and root (RFC 6962 §2.1) over all entries. Throws `storage/corrupt` when a leaf is missing. */
export function logHead(db: Database): TreeHead {
  const tree = loadFrontier(db);
  return { size: tree.size, root: tree.root() };
}

import type { Cancel, Clock } from '../clock.js';
import { isCameraError, messageOf, systemCode } from '../errors.js';
import type { CameraError, ErrorCode } from '../errors.js';
import type { Logger } from '../log.js';
import type { Database } from './database.js';

/** A card that was remounted or freed is used again within this time. */
const RETRY_PERIOD_MS = 5000;
/** Entries that memory keeps: a few a minute for a whole shift, some 300 kB. */
export const KEPT_MAX = 1000;

/** The card does not take or give anything just now, and may later. */
const CARD_FAULTS: ReadonlySet<ErrorCode> = new Set([
  'storage/disk-full',
  'storage/read-only',
  'storage/io',
]);

/** What SQLite says of the file below it; its other codes are about what it was asked. */
const CARD_WORDS = /^SQLITE_(?:IOERR|FULL|READONLY|CANTOPEN)/;

export function isCardFault(error: unknown): error is CameraError {
  if (!isCameraError(error) || !CARD_FAULTS.has(error.code)) return false;
  const code = systemCode(error.cause);
  return code?.startsWith('SQLITE_') !== true || CARD_WORDS.test(code);
}

interface Kept {
  readonly what: string;
  readonly work: () => Promise<unknown>;
}

/**
 * What the card did not take, kept in memory and tried again every five seconds, in order.
 *
 * INVARIANTS
 * 1. From the first write of the database that fails to the first that is taken again, `fault` says so, and something
 *    waits: the least is the entry that tells of it.
 * 2. What waits is bounded; what does not fit is counted, and the log is told how many.
 * 3. What fails for a reason of its own is dropped and told the technician: it would keep everything behind it.
 */
export class SecondTry {
  readonly #clock: Clock;
  readonly #log: Logger;
  /** Enters a fault into the log; `late` is when it was. */
  readonly #enter: (code: ErrorCode, detail: string, late: number) => Promise<unknown>;
  readonly #kept: Kept[] = [];
  readonly #listeners = new Set<(fault: CameraError | undefined) => void>();
  #fault: CameraError | undefined;
  #lost = 0;
  #cancel: Cancel | undefined;
  #trying: Promise<void> | undefined;

  constructor(
    clock: Clock,
    log: Logger,
    enter: (code: ErrorCode, detail: string, late: number) => Promise<unknown>,
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#enter = enter;
  }

  /** Why the card takes nothing; undefined while it does. */
  get fault(): CameraError | undefined {
    return this.#fault;
  }

  /** What waits in memory, and what no longer fitted. */
  get backlog(): { readonly waiting: number; readonly lost: number } {
    return { waiting: this.#kept.length, lost: this.#lost };
  }

  /** Calls back when the card fails, and with undefined when it has taken everything that waited. */
  watch(listener: (fault: CameraError | undefined) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Keeps work that the card did not take. It is given the time of this call, in whole monotonic milliseconds. */
  keep(what: string, work: (late: number) => Promise<unknown>): void {
    const late = Math.round(this.#clock.monotonicMs());
    if (this.#kept.length >= KEPT_MAX) {
      this.#lost += 1;
      this.#log.error(
        { what },
        'the card takes nothing and memory is full; this is only in this log',
      );
      return;
    }
    this.#kept.push({ what, work: () => work(late) });
    this.#cancel ??= this.#clock.every(RETRY_PERIOD_MS, () => void this.retry());
  }

  /** The card has failed at something. One fault is told until it works again. */
  failed(error: unknown): void {
    if (!isCardFault(error) || this.#fault !== undefined) return;
    this.#fault = error;
    this.#log.error({ code: error.code, error: error.message }, 'the card takes nothing');
    const { code, message } = error;
    this.keep('the fault itself', (late) => this.#enter(code, message, late));
    for (const listener of this.#listeners) listener(error);
  }

  /** Tries everything that waits, up to the first that fails again. Never rejects. */
  retry(): Promise<void> {
    this.#trying ??= this.#tryAll().finally(() => {
      this.#trying = undefined;
    });
    return this.#trying;
  }

  /** One last try; what is still not taken is told the technician and lost with the process. Never rejects. */
  async close(): Promise<void> {
    if (this.#kept.length > 0) await this.retry();
    this.#cancel?.();
    this.#cancel = undefined;
    for (const { what } of this.#kept) this.#log.error({ what }, 'the card has not taken this');
    this.#kept.length = 0;
  }

  async #tryAll(): Promise<void> {
    for (let next = this.#kept[0]; next !== undefined; next = this.#kept[0]) {
      try {
        await next.work();
      } catch (error) {
        if (isCardFault(error)) return;
        this.#log.error({ what: next.what, error: messageOf(error) }, 'cannot be kept');
      }
      this.#kept.shift();
      if (this.#kept.length === 0 && this.#lost > 0) this.#tellLost();
    }
    this.#cancel?.();
    this.#cancel = undefined;
    if (this.#fault === undefined) return;
    this.#fault = undefined;
    this.#log.info({}, 'the card takes everything again');
    for (const listener of this.#listeners) listener(undefined);
  }

  #tellLost(): void {
    const detail = `${this.#lost} entries are lost: memory keeps ${KEPT_MAX} while the card takes nothing`;
    this.#lost = 0;
    this.keep('how many were lost', (late) => this.#enter('storage/io', detail, late));
  }
}

/** A database whose failures are told; what it promises stays as it is. */
export function watchedDatabase(db: Database, failed: (error: unknown) => void): Database {
  const watched = <T>(operation: () => T): T => {
    try {
      return operation();
    } catch (error) {
      failed(error);
      throw error;
    }
  };
  return {
    run: (sql, ...values) => watched(() => db.run(sql, ...values)),
    get: (sql, ...values) => watched(() => db.get(sql, ...values)),
    all: (sql, ...values) => watched(() => db.all(sql, ...values)),
    transaction: (work) => watched(() => db.transaction(work)),
    close: () => {
      db.close();
    },
  };
}

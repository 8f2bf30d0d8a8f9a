import type { Database } from './database.js';
import type { DeviceLog, LogFact } from './device-log.js';

type TriggerEntry = Extract<LogFact, { type: 'trigger' }>;

/** What came over the network; sync's `TriggerFact` fits it. */
export type TriggerFact = Pick<TriggerEntry, 'kind' | 'op' | 'by' | 'key' | 'nonce'>;

/**
 * Nonces that are remembered: hours of the fastest that senders may send, where what they send lives minutes.
 * 200 kB of the card.
 */
export const NONCES_MAX = 4_096;

/**
 * What came over the network to start recordings, in the device log, and which of it was taken already. Satisfies sync's
 * `TriggerLedger` by shape.
 *
 * INVARIANT: a nonce is spent in the transaction that enters its trigger, so that neither is there without the other.
 */
export class TriggerBook {
  readonly #db: Database;
  readonly #log: DeviceLog;

  constructor(db: Database, log: DeviceLog) {
    this.#db = db;
    this.#log = log;
  }

  /** Durable when it resolves true; false, with nothing entered, for a nonce that was spent. */
  async take(fact: TriggerFact & { readonly nonce: string }, unlogged: number): Promise<boolean> {
    const { nonce } = fact;
    if (this.#isSpent(nonce)) return false;
    try {
      await this.#log.append({ type: 'trigger', ...fact, code: null, unlogged }, () => {
        const { lastId } = this.#db.run('INSERT INTO nonces (nonce) VALUES (?)', nonce);
        this.#db.run('DELETE FROM nonces WHERE id <= ?', lastId - NONCES_MAX);
      });
    } catch (error) {
      // Two at the same time: the second breaks the uniqueness of the column, and is undone as a whole.
      if (this.#isSpent(nonce)) return false;
      throw error;
    }
    return true;
  }

  async refuse(fact: TriggerFact, code: string, unlogged: number): Promise<void> {
    await this.#log.appendSoon({ type: 'trigger', ...fact, code, unlogged });
  }

  #isSpent(nonce: string): boolean {
    return this.#db.get('SELECT 1 AS spent FROM nonces WHERE nonce = ?', nonce) !== undefined;
  }
}

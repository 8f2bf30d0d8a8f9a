import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Journal, JournalFact, PressOutcome } from './ports.js';

/** Facts that may wait for a journal that has stopped answering; the recorder makes a few a minute. */
const FACTS_WAITING_MAX = 1000;

/**
 * Writes facts into the journal in the order in which they happened, without keeping anyone waiting. A fact that cannot
 * be written is logged: the recording goes on, for pictures count more than notes about them.
 */
export class FactLog {
  readonly #journal: Journal;
  readonly #log: Logger;
  #writing: Promise<void> = Promise.resolve();
  #waiting = 0;

  constructor(journal: Journal, log: Logger) {
    this.#journal = journal;
    this.#log = log;
  }

  record(fact: JournalFact): void {
    this.#enqueue({ ...fact }, () => this.#journal.record(fact));
  }

  decided(edge: number, outcome: PressOutcome, latencyMs: number): void {
    this.#enqueue({ edge, outcome }, () => this.#journal.decided(edge, outcome, latencyMs));
  }

  /** Resolves when all facts so far are written or logged. */
  async settled(): Promise<void> {
    await this.#writing;
  }

  #enqueue(fields: Readonly<Record<string, unknown>>, write: () => Promise<void>): void {
    if (this.#waiting >= FACTS_WAITING_MAX) {
      this.#log.error({ ...fields }, 'the device log does not answer; a fact is only in this log');
      return;
    }
    this.#waiting += 1;
    this.#writing = this.#writing
      .then(write)
      .catch((error: unknown) => {
        this.#log.error({ ...fields, error: messageOf(error) }, 'a fact could not be written');
      })
      .finally(() => {
        this.#waiting -= 1;
      });
  }
}

import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { Journal, JournalFact, PressOutcome } from './ports.js';

/** Facts that may wait for a journal that has stopped answering; the recorder makes a few a minute. */
const FACTS_WAITING_MAX = 1000;
/**
 * Facts that go to the journal together when somebody waits for them all: as many as share a sync in the device log. Until then
 * they go one by one: an edge of a button that comes meanwhile waits for one signature and no more, however slow the card.
 */
const FACTS_TOGETHER_MAX = 8;

interface Waiting {
  readonly fields: Readonly<Record<string, unknown>>;
  readonly write: () => Promise<void>;
}

/**
 * Writes facts into the journal in the order in which they happened, without keeping anyone waiting. A fact that cannot
 * be written is logged: the recording goes on, for pictures count more than notes about them.
 */
export class FactLog {
  readonly #journal: Journal;
  readonly #log: Logger;
  readonly #queue: Waiting[] = [];
  #writing: Promise<void> | undefined;
  #isAwaited = false;
  /** In the queue or with the journal. */
  #waiting = 0;

  constructor(journal: Journal, log: Logger) {
    this.#journal = journal;
    this.#log = log;
  }

  record(fact: JournalFact): void {
    this.#enqueue({ fields: { ...fact }, write: () => this.#journal.record(fact) });
  }

  decided(edge: number, outcome: PressOutcome, latencyMs: number): void {
    const write = (): Promise<void> => this.#journal.decided(edge, outcome, latencyMs);
    this.#enqueue({ fields: { edge, outcome }, write });
  }

  /** Resolves when all facts so far are written or logged. Makes haste with them. */
  async settled(): Promise<void> {
    this.#isAwaited = true;
    try {
      await this.#writing;
    } finally {
      this.#isAwaited = false;
    }
  }

  #enqueue(waiting: Waiting): void {
    if (this.#waiting >= FACTS_WAITING_MAX) {
      const message = 'the device log does not answer; a fact is only in this log';
      this.#log.error({ ...waiting.fields }, message);
      return;
    }
    this.#waiting += 1;
    this.#queue.push(waiting);
    this.#writing ??= this.#drain();
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      const together = this.#queue.splice(0, this.#isAwaited ? FACTS_TOGETHER_MAX : 1);
      await Promise.all(together.map((waiting) => this.#write(waiting)));
    }
    this.#writing = undefined;
  }

  async #write({ fields, write }: Waiting): Promise<void> {
    try {
      await write();
    } catch (error) {
      this.#log.error({ ...fields, error: messageOf(error) }, 'a fact could not be written');
    } finally {
      this.#waiting -= 1;
    }
  }
}

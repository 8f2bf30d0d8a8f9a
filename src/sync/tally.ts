import type { Logger } from '../log.js';

const isPowerOfTwo = (value: number): boolean => Number.isInteger(Math.log2(value));

/**
 * Counts what was dropped or refused, by kind. A line is logged for the 1st, 2nd, 4th, 8th … of a kind, so a stranger
 * who sends a million bad messages gets twenty lines.
 */
export class Tally<Kind extends string> {
  readonly #counts = new Map<Kind, number>();
  readonly #logger: Logger;

  constructor(logger: Logger) {
    this.#logger = logger;
  }

  add(kind: Kind, fields: Readonly<Record<string, unknown>> = {}): void {
    const count = this.count(kind) + 1;
    this.#counts.set(kind, count);
    if (isPowerOfTwo(count)) this.#logger.warn({ ...fields, kind, count }, 'refused or dropped');
  }

  count(kind: Kind): number {
    return this.#counts.get(kind) ?? 0;
  }

  /** A copy of all counts that are not zero. */
  all(): Readonly<Partial<Record<Kind, number>>> {
    return Object.fromEntries(this.#counts) as Partial<Record<Kind, number>>;
  }
}

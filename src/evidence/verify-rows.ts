import { isCameraError } from '../errors.js';
import { parseEnvelope } from './dsse.js';
import { entryLeaf, readEntry } from './log-entry.js';
import { leafHash } from './merkle-tree.js';
import type { Problem, ProblemKind } from './verdict.js';
import { DATABASE_FILE } from './verify-catalog.js';

/** One row of a device log as it stands in the database of a card. */
export interface EntryRow {
  /** Position in the log, from 0. */
  readonly index: number;
  readonly type: string;
  /** The envelope, one line of JSON. */
  readonly envelope: string;
  readonly leaf: Buffer;
}

/** More findings in the rows of one log than this say nothing that these do not. */
const PROBLEMS_MAX = 100;

/** What the row itself says of its entry beside the envelope: its leaf and its type. */
function leafAndType(text: string): { readonly leaf: Buffer; readonly type: string | undefined } {
  try {
    const envelope = parseEnvelope(text);
    const leaf = entryLeaf(envelope);
    try {
      return { leaf, type: readEntry(envelope).type };
    } catch (error) {
      if (!isCameraError(error)) throw error;
      return { leaf, type: undefined };
    }
  } catch (error) {
    if (!isCameraError(error)) throw error;
    return { leaf: leafHash(Buffer.from(text)), type: undefined };
  }
}

/** Judges what stands in the database beside the entries: their numbers without a hole, their leaves, their types. */
export class RowJudge {
  readonly problems: Problem[] = [];
  #next = 0;

  /** Takes the next row; rows come in the order of their numbers. */
  take({ index, type, envelope, leaf }: EntryRow): void {
    if (index > this.#next) {
      const last = index - 1;
      const which =
        last === this.#next ? `entry ${last} is` : `entries ${this.#next} to ${last} are`;
      this.#add('missing', this.#next, `${which} missing from the device log`);
    }
    this.#next = index + 1;
    const own = leafAndType(envelope);
    if (!own.leaf.equals(leaf)) {
      this.#add('changed', index, `entry ${index} of the device log does not hash to its leaf`);
    }
    if (own.type !== undefined && own.type !== type) {
      this.#add('contradiction', index, `entry ${index} is a ${own.type}, its row says ${type}`);
    }
  }

  #add(what: ProblemKind, entry: number, text: string): void {
    if (this.problems.length >= PROBLEMS_MAX) return;
    const message = `${DATABASE_FILE}: ${text}`;
    this.problems.push({ state: 'not-ok', file: DATABASE_FILE, what, entry, message });
  }
}

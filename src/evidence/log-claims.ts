import type { LogEntry } from './log-entry.js';

/** What the device log says of one segment. Indexes are places in the log, from 0. */
export interface LoggedSegment {
  /** `<boot>/<rec>/<seq>`. */
  readonly seg: string;
  /** Digest of the payload of its manifest. */
  readonly man: string;
  readonly index: number;
  /** Sealed while it was recorded, or by recovery after a power cut. */
  readonly how: 'sealed' | 'recovered';
  /** Ciphertext bytes and root; null for what recovery sealed. */
  readonly size: number | null;
  readonly root: string | null;
  /** Whether it is the last of its recording; null for what recovery sealed, whose manifest says it. */
  readonly last: boolean | null;
  /** Where it was offered, acknowledged, freed for deletion and deleted; null for what has not happened or was taken back. */
  readonly offered: number | null;
  readonly receipt: { readonly index: number; readonly rx: string; readonly digest: string } | null;
  readonly deletable: number | null;
  readonly deleted: number | null;
  /** Whether a hold stood on it when the log ended. */
  readonly isHeld: boolean;
}

type Of<T extends LogEntry['type']> = Extract<LogEntry, { type: T }>;
type Row = { -readonly [K in keyof LoggedSegment]: LoggedSegment[K] };

/** `<boot>/<rec>` of a segment. */
const recordingOf = (seg: string): string => seg.slice(0, seg.lastIndexOf('/'));

/**
 * The life of every segment as the log tells it, entry by entry. `add` returns what contradicts what the log said before, in
 * words that go on from "log entry 7"; undefined when nothing does.
 */
export class LogClaims {
  readonly #rows = new Map<string, Row>();
  /** Who holds what: `<target> <by>`. */
  readonly #holds = new Map<string, Set<string>>();

  add(index: number, entry: LogEntry): string | undefined {
    switch (entry.type) {
      case 'segment':
      case 'recovered':
        return this.#sealed(index, entry);
      case 'offered':
      case 'receipt':
      case 'deletable':
      case 'kept':
      case 'deleted':
        return this.#moved(index, entry);
      case 'hold':
        this.#holdersOf(entry.target).add(entry.by);
        return undefined;
      case 'release':
        if (this.#holdersOf(entry.target).delete(entry.by)) return undefined;
        return `ends a hold of ${entry.by} on ${entry.target} that there was not`;
      default:
        return undefined;
    }
  }

  /** In the order in which they were sealed. */
  list(): readonly LoggedSegment[] {
    return [...this.#rows.values()].map((row) => ({ ...row, isHeld: this.#isHeld(row.seg) }));
  }

  #sealed(index: number, entry: Of<'segment'> | Of<'recovered'>): string | undefined {
    const known = this.#rows.get(entry.seg);
    // A log that starts anew after damage to its database enters what is on the card again, in the same words.
    if (known?.man === entry.man) return undefined;
    if (known !== undefined) {
      return `seals ${entry.seg} as something else than entry ${known.index}`;
    }
    const isSealed = entry.type === 'segment';
    this.#rows.set(entry.seg, {
      ...{ seg: entry.seg, man: entry.man, index, how: isSealed ? 'sealed' : 'recovered' },
      size: isSealed ? entry.size : null,
      root: isSealed ? entry.root : null,
      last: isSealed ? entry.last : null,
      ...{ offered: null, receipt: null, deletable: null, deleted: null, isHeld: false },
    });
    return undefined;
  }

  #moved(
    index: number,
    entry: Of<'offered' | 'receipt' | 'deletable' | 'kept' | 'deleted'>,
  ): string | undefined {
    const { type, seg, man } = entry;
    const row = this.#rows.get(seg);
    if (row === undefined) return `tells of ${seg}, which was never sealed (${type})`;
    if (row.man !== man) return `tells of another ${seg} than entry ${row.index} sealed (${type})`;
    switch (type) {
      case 'offered':
        row.offered ??= index;
        return undefined;
      case 'receipt':
        row.receipt ??= { index, rx: entry.rx, digest: entry.receipt };
        return undefined;
      case 'deletable':
        row.deletable ??= index;
        if (row.receipt?.digest !== entry.receipt) return `frees ${seg} without its receipt`;
        return this.#isHeld(seg) ? `frees ${seg}, which is held` : undefined;
      case 'kept':
        row.deletable = null;
        return row.deleted === null ? undefined : `keeps ${seg}, which was deleted`;
      case 'deleted':
        if (row.deleted !== null) return `deletes ${seg} a second time`;
        row.deleted = index;
        if (row.receipt?.digest !== entry.receipt) return `deletes ${seg} without its receipt`;
        return row.deletable === null ? `deletes ${seg}, which was not freed before` : undefined;
    }
  }

  #holdersOf(target: string): Set<string> {
    const known = this.#holds.get(target);
    if (known !== undefined) return known;
    const holders = new Set<string>();
    this.#holds.set(target, holders);
    return holders;
  }

  #isHeld(seg: string): boolean {
    return [seg, recordingOf(seg)].some((target) => (this.#holds.get(target)?.size ?? 0) > 0);
  }
}

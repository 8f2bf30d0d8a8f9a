import { payloadDigest } from '../../evidence/dsse.js';
import type { Envelope } from '../../evidence/dsse.js';
import type { Manifest } from '../../evidence/manifest.js';
import { formatSegmentRef } from '../../units.js';
import type { SegmentRef } from '../../units.js';
import { OFFER_ENTRIES_BYTES_MAX, OFFER_ITEMS_MAX, offerEntryBytes } from '../messages.js';
import type { Offer } from '../messages.js';
import type { OfferableSegment } from '../ports.js';

/** Receipts are repeated for the offers before; sixteen offers back is more than ever crosses them. */
const CLOSED_MAX = 16 * OFFER_ITEMS_MAX;

/** A segment to offer, its manifest read. */
export interface ReadableSegment extends OfferableSegment {
  readonly content: Manifest;
}

/** Boots whose certificates a receiver needs: the one whose key signed the manifest, and the one that signed the heads. */
export const bootsOf = ({ content }: ReadableSegment): readonly number[] =>
  content.sealed_by === content.boot ? [content.boot] : [content.sealed_by, content.boot];

/** A segment that was offered and has no receipt yet. */
export interface OfferedSegment {
  readonly key: number;
  readonly ref: SegmentRef;
  readonly file: Manifest['file'];
  /** SHA-256 of the manifest's payload, hex. */
  readonly digest: string;
  readonly bytes: number;
}

/**
 * Which segments are on offer in one session, and under which keys. A segment keeps its key for the whole session, so
 * repeating an offer never disturbs a transfer; a key is never given twice.
 */
export class OfferBook {
  readonly #keys = new Map<string, number>();
  readonly #open = new Map<number, OfferedSegment>();
  readonly #closed = new Set<string>();
  #nextKey = 1;

  /** Segments on offer. */
  get size(): number {
    return this.#open.size;
  }

  find(key: number): OfferedSegment | undefined {
    return this.#open.get(key);
  }

  findRef(ref: SegmentRef): OfferedSegment | undefined {
    return this.#open.get(this.#keys.get(formatSegmentRef(ref)) ?? 0);
  }

  /** Takes a segment that has its receipt off the book. */
  close(key: number): void {
    const segment = this.#open.get(key);
    if (segment === undefined) return;
    const text = formatSegmentRef(segment.ref);
    this.#open.delete(key);
    this.#keys.delete(text);
    if (this.#closed.size >= CLOSED_MAX) this.#closed.clear();
    this.#closed.add(text);
  }

  /** True when the segment got its receipt in this session, not too long ago. */
  wasClosed(ref: SegmentRef): boolean {
    return this.#closed.has(formatSegmentRef(ref));
  }

  /**
   * The offer for the oldest of `pending`: as many as fit in one message, at least one when there is one (the largest
   * envelope and its certificates fit). The book then holds exactly these. `certificates` are those of the boots of
   * `pending` as far as they can be had.
   */
  pack(
    sid: string,
    pending: readonly ReadableSegment[],
    certificates: ReadonlyMap<number, Envelope>,
  ): Offer {
    const items: Offer['items'][number][] = [];
    const packed = new Map<number, Envelope>();
    let bytes = 0;
    this.#open.clear();
    for (const segment of pending.slice(0, OFFER_ITEMS_MAX)) {
      const news = bootsOf(segment).filter((boot) => certificates.has(boot) && !packed.has(boot));
      const envelopes = news.flatMap((boot) => certificates.get(boot) ?? []);
      bytes += [segment.manifest, ...envelopes].reduce((sum, e) => sum + offerEntryBytes(e), 0);
      if (bytes > OFFER_ENTRIES_BYTES_MAX) break;
      items.push({ key: this.#enter(segment), ref: segment.ref, manifest: segment.manifest });
      news.forEach((boot, index) => {
        const envelope = envelopes[index];
        if (envelope !== undefined) packed.set(boot, envelope);
      });
    }
    return { sid, items, certificates: packed };
  }

  #enter({ ref, manifest, bytes, content }: ReadableSegment): number {
    const text = formatSegmentRef(ref);
    const key = this.#keys.get(text) ?? this.#nextKey;
    if (key === this.#nextKey) this.#nextKey += 1;
    this.#keys.set(text, key);
    this.#open.set(key, { key, ref, file: content.file, digest: payloadDigest(manifest), bytes });
    return key;
  }
}

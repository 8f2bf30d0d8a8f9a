import { hasErrorCode } from '../../errors.js';
import { payloadDigest } from '../../evidence/dsse.js';
import type { Envelope } from '../../evidence/dsse.js';
import { readManifest } from '../../evidence/manifest.js';
import type { Manifest } from '../../evidence/manifest.js';
import { formatSegmentRef } from '../../units.js';
import type { SegmentRef } from '../../units.js';
import { OFFER_ENTRIES_BYTES_MAX, OFFER_ITEMS_MAX, offerEntryBytes } from '../messages.js';
import type { Offer } from '../messages.js';
import type { OfferableSegment } from '../ports.js';

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
    this.#open.delete(key);
    this.#keys.delete(formatSegmentRef(segment.ref));
  }

  /**
   * The offer for the oldest of `pending`: as many as fit in one message, at least one when there is one (the largest
   * envelope and its certificate fit). The book then holds exactly these. `certificates` names every boot of `pending`.
   * `unreadable` are those whose manifest is none; they are left out.
   */
  pack(
    sid: string,
    pending: readonly OfferableSegment[],
    certificates: ReadonlyMap<number, Envelope>,
  ): { readonly offer: Offer; readonly unreadable: readonly SegmentRef[] } {
    const items: Offer['items'][number][] = [];
    const packed = new Map<number, Envelope>();
    const unreadable: SegmentRef[] = [];
    let bytes = 0;
    this.#open.clear();
    for (const segment of pending.slice(0, OFFER_ITEMS_MAX)) {
      const { ref, manifest } = segment;
      const certificate = packed.has(ref.boot) ? undefined : certificates.get(ref.boot);
      bytes += offerEntryBytes(manifest) + (certificate ? offerEntryBytes(certificate) : 0);
      if (bytes > OFFER_ENTRIES_BYTES_MAX) break;
      const key = this.#enter(segment);
      if (key === undefined) {
        unreadable.push(ref);
        continue;
      }
      items.push({ key, ref, manifest });
      if (certificate !== undefined) packed.set(ref.boot, certificate);
    }
    return { offer: { sid, items, certificates: packed }, unreadable };
  }

  #enter({ ref, manifest, bytes }: OfferableSegment): number | undefined {
    const file = findFile(manifest);
    if (file === undefined) return undefined;
    const text = formatSegmentRef(ref);
    const key = this.#keys.get(text) ?? this.#nextKey;
    if (key === this.#nextKey) this.#nextKey += 1;
    this.#keys.set(text, key);
    this.#open.set(key, { key, ref, file, digest: payloadDigest(manifest), bytes });
    return key;
  }
}

function findFile(manifest: Envelope): Manifest['file'] | undefined {
  try {
    return readManifest(manifest).file;
  } catch (error) {
    if (hasErrorCode(error, 'evidence/malformed')) return undefined;
    throw error;
  }
}

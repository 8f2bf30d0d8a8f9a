import type { Envelope } from '../../../src/evidence/dsse.js';
import type { OfferableSegment, OutgoingSegments, SegmentReader } from '../../../src/sync/ports.js';
import { formatSegmentRef, sameSegment } from '../../../src/units.js';
import type { SegmentRef } from '../../../src/units.js';
import type { TestDevice, TestSegment } from './sealed-segment.js';

/** The card of a test camera, in memory. Keeps what was called for the test to look at. */
export class CardSegments implements OutgoingSegments {
  readonly receipts = new Map<string, Envelope>();
  readonly offers: string[][] = [];
  /** Called before every read of a chunk. */
  beforeRead: () => void = () => undefined;
  openReaders = 0;
  readonly #segments: TestSegment[];
  readonly #certificates: ReadonlyMap<number, Envelope>;

  constructor(owners: readonly TestDevice[], segments: readonly TestSegment[]) {
    this.#segments = [...segments];
    this.#certificates = new Map(owners.map(({ boot, certificate }) => [boot, certificate]));
  }

  add(segment: TestSegment): void {
    this.#segments.push(segment);
  }

  get #pending(): TestSegment[] {
    return this.#segments.filter(({ ref }) => !this.receipts.has(formatSegmentRef(ref)));
  }

  pending(limit: number): Promise<readonly OfferableSegment[]> {
    const oldest = this.#pending.slice(0, limit);
    return Promise.resolve(
      oldest.map(({ ref, manifest, ciphertext }) => ({ ref, manifest, bytes: ciphertext.length })),
    );
  }

  backlog(): Promise<{ segments: number; bytes: number }> {
    const bytes = this.#pending.reduce((sum, { ciphertext }) => sum + ciphertext.length, 0);
    return Promise.resolve({ segments: this.#pending.length, bytes });
  }

  certificate(boot: number): Promise<Envelope> {
    const certificate = this.#certificates.get(boot);
    return certificate === undefined
      ? Promise.reject(new Error(`no certificate of boot ${boot}`))
      : Promise.resolve(certificate);
  }

  offered(refs: readonly SegmentRef[]): Promise<void> {
    this.offers.push(refs.map(formatSegmentRef));
    return Promise.resolve();
  }

  open(ref: SegmentRef): Promise<SegmentReader> {
    const segment = this.#segments.find((candidate) => sameSegment(candidate.ref, ref));
    if (segment === undefined) return Promise.reject(new Error('no such segment'));
    this.openReaders += 1;
    return Promise.resolve({
      leaves: () => Promise.resolve(segment.leaves),
      meta: () => Promise.resolve(segment.meta),
      heads: () => Promise.resolve(segment.heads),
      readInto: (target, targetOffset, length, offset) => {
        this.beforeRead();
        const copied = segment.ciphertext.copy(target, targetOffset, offset, offset + length);
        return copied === length ? Promise.resolve() : Promise.reject(new Error('too short'));
      },
      close: () => {
        this.openReaders -= 1;
        return Promise.resolve();
      },
    });
  }

  receipted(ref: SegmentRef, receipt: Envelope): Promise<void> {
    this.receipts.set(formatSegmentRef(ref), receipt);
    return Promise.resolve();
  }
}

import {
  formatEnvelope,
  parseEnvelope,
  parseEnvelopeFile,
  payloadDigest,
} from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { readManifest } from '../evidence/manifest.js';
import { readReceipt } from '../evidence/receipt.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import type { Catalog, CatalogRow } from './catalog.js';
import type { DeviceLog } from './device-log.js';
import type { CardLayout, SegmentFile } from './layout.js';

/** A segment and the certificates its signatures need; satisfies what sync asks for. */
export interface OutgoingSegment {
  readonly ref: SegmentRef;
  readonly manifest: Envelope;
  readonly bytes: number;
}

const SMALL_FILE_BYTES_MAX = 16 * 1024 * 1024;
const ENVELOPE_BYTES_MAX = 128 * 1024;

/** The sealed segments of the card as sync sees them: what waits for a receipt, and its bytes. */
export class Outgoing {
  readonly #fs: FileSystem;
  readonly #layout: CardLayout;
  readonly #catalog: Catalog;
  readonly #log: DeviceLog;
  #lastReceipt: Promise<unknown> = Promise.resolve();

  constructor(fs: FileSystem, layout: CardLayout, catalog: Catalog, log: DeviceLog) {
    this.#fs = fs;
    this.#layout = layout;
    this.#catalog = catalog;
    this.#log = log;
  }

  /** Segments without a verified receipt, oldest first. */
  pending(limit: number): Promise<readonly OutgoingSegment[]> {
    return Promise.resolve(this.#catalog.pending(limit).map(toOutgoing));
  }

  backlog(): Promise<{ segments: number; bytes: number }> {
    const { pendingSegments, pendingBytes } = this.#catalog.totals();
    return Promise.resolve({ segments: pendingSegments, bytes: pendingBytes });
  }

  offered(refs: readonly SegmentRef[]): Promise<void> {
    this.#catalog.offered(refs);
    return Promise.resolve();
  }

  /** The certificate of the session key of a boot. Rejects with `storage/not-found`. */
  async certificate(boot: number): Promise<Envelope> {
    const file = this.#layout.sessionCertificate(boot);
    return parseEnvelopeFile((await this.#fs.readFile(file, ENVELOPE_BYTES_MAX)).toString('utf8'));
  }

  async open(ref: SegmentRef): Promise<{
    leaves(): Promise<Buffer>;
    heads(): Promise<Buffer | undefined>;
    meta(): Promise<Buffer | undefined>;
    readInto(target: Buffer, targetOffset: number, length: number, offset: number): Promise<void>;
    close(): Promise<void>;
  }> {
    const file = await this.#fs.openReadable(this.#layout.segment(ref, '.age'));
    const small = (end: SegmentFile): Promise<Buffer> =>
      this.#fs.readFile(this.#layout.segment(ref, end), SMALL_FILE_BYTES_MAX);
    const smallIfThere = async (end: SegmentFile): Promise<Buffer | undefined> =>
      (await this.#fs.exists(this.#layout.segment(ref, end))) ? small(end) : undefined;
    return {
      leaves: () => small('.leaves'),
      heads: () => smallIfThere('.heads'),
      meta: () => smallIfThere('.meta.age'),
      readInto: async (target, targetOffset, length, offset) => {
        const read = await file.readInto(target, targetOffset, length, offset);
        if (read === length) return;
        const where = `${formatSegmentRef(ref)}.age ends ${length - read} bytes early`;
        throw new CameraError('storage/corrupt', where);
      },
      close: () => file.close(),
    };
  }

  /**
   * Keeps a verified receipt: in the catalog and, with its digest, in the log. Idempotent, for a receipt is delivered
   * at least once: the first one of a segment counts. A segment that the catalog does not know gets none.
   */
  receipted(ref: SegmentRef, receipt: Envelope): Promise<void> {
    // One after the other: of two at the same time the second has to see what became of the first.
    const result = this.#lastReceipt.then(() => this.#keepReceipt(ref, receipt));
    this.#lastReceipt = result.catch(() => undefined);
    return result;
  }

  async #keepReceipt(ref: SegmentRef, receipt: Envelope): Promise<void> {
    const row = this.#catalog.find(ref);
    if (row === undefined || row.receipt !== undefined) return;
    await this.#log.append(
      {
        type: 'receipt',
        seg: formatSegmentRef(ref),
        man: row.digest,
        rx: readReceipt(receipt).rx,
        receipt: payloadDigest(receipt),
      },
      () => this.#catalog.receipted(ref, formatEnvelope(receipt)),
    );
  }
}

function toOutgoing(row: CatalogRow): OutgoingSegment {
  const manifest = parseEnvelope(row.manifest);
  return { ref: row.ref, manifest, bytes: readManifest(manifest).file.size };
}

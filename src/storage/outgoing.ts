import {
  formatEnvelope,
  parseEnvelope,
  parseEnvelopeFile,
  payloadDigest,
} from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { readManifest } from '../evidence/manifest.js';
import { readReceipt } from '../evidence/receipt.js';
import { CameraError, isCameraError, messageOf } from '../errors.js';
import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import { lifeOf } from './catalog.js';
import type { Catalog, CatalogRow } from './catalog.js';
import type { DeviceLog } from './device-log.js';
import { tellFault } from './fault.js';
import type { SegmentFile } from './layout.js';
import { stepLife } from './segment-life.js';

/** A segment and the certificates its signatures need; satisfies what sync asks for. */
export interface OutgoingSegment {
  readonly ref: SegmentRef;
  readonly manifest: Envelope;
  readonly bytes: number;
}

const SMALL_FILE_BYTES_MAX = 16 * 1024 * 1024;
const OFFERED = { type: 'offered' } as const;
const ENVELOPE_BYTES_MAX = 128 * 1024;

/** The sealed segments of the card as sync sees them: what waits for a receipt, and its bytes. */
export class Outgoing {
  readonly #ctx: Pick<BootContext, 'fs' | 'layout' | 'log'>;
  readonly #catalog: Catalog;
  readonly #log: DeviceLog;
  /** Segments whose row cannot be used, each told when it was found. */
  readonly #unreadable = new Set<string>();
  readonly #onReceipt: () => void;
  #lastReceipt: Promise<unknown> = Promise.resolve();

  /** `onReceipt`: a receipt has come, so that something may be deletable now. */
  constructor(
    ctx: Pick<BootContext, 'fs' | 'layout' | 'log'>,
    catalog: Catalog,
    log: DeviceLog,
    onReceipt: () => void = () => undefined,
  ) {
    this.#ctx = ctx;
    this.#catalog = catalog;
    this.#log = log;
    this.#onReceipt = onReceipt;
  }

  /**
   * Segments without a verified receipt, in the order of `Catalog.pending`. One whose manifest cannot be read is left out and told once in
   * the life of the process; it takes no place from the others.
   */
  async pending(limit: number): Promise<readonly OutgoingSegment[]> {
    for (;;) {
      const known = this.#unreadable.size;
      const segments: OutgoingSegment[] = [];
      for (const row of this.#catalog.pending(limit + known)) {
        const segment = await this.#toOutgoing(row);
        if (segment !== undefined) segments.push(segment);
      }
      // What was found unreadable just now has taken places; each turn finds at least one more, so this ends.
      if (this.#unreadable.size === known) return segments.slice(0, limit);
    }
  }

  async #toOutgoing(row: CatalogRow): Promise<OutgoingSegment | undefined> {
    try {
      const manifest = parseEnvelope(row.manifest);
      readManifest(manifest);
      return { ref: row.ref, manifest, bytes: row.bytes };
    } catch (error) {
      if (!isCameraError(error)) throw error;
      await this.#tellUnreadable(formatSegmentRef(row.ref), error);
      return undefined;
    }
  }

  async #tellUnreadable(name: string, error: unknown): Promise<void> {
    if (this.#unreadable.has(name)) return;
    this.#unreadable.add(name);
    const what = `the catalog's manifest of ${name} cannot be read, so it is not offered`;
    try {
      await tellFault(this.#ctx.log, this.#log, 'storage/corrupt', what, error);
    } catch (cause) {
      // The upload of the others does not depend on the log taking this.
      this.#ctx.log.error({ error: messageOf(cause) }, 'a fault could not be told');
    }
  }

  backlog(): Promise<{ segments: number; bytes: number }> {
    const { pendingSegments, pendingBytes } = this.#catalog.totals();
    return Promise.resolve({ segments: pendingSegments, bytes: pendingBytes });
  }

  /** Counts the offers; the first one of each segment has its entry in the log. */
  async offered(refs: readonly SegmentRef[]): Promise<void> {
    const again: SegmentRef[] = [];
    for (const ref of refs) {
      const row = this.#catalog.find(ref);
      const [effect] = row === undefined ? [] : stepLife(lifeOf(row, undefined), OFFERED).effects;
      if (effect?.type !== 'log') again.push(ref);
      else {
        await this.#log.append(effect.fact, () => {
          this.#catalog.offered([ref]);
        });
      }
    }
    this.#catalog.offered(again);
  }

  /** The certificate of the session key of a boot. Rejects with `storage/not-found`. */
  async certificate(boot: number): Promise<Envelope> {
    const file = this.#ctx.layout.sessionCertificate(boot);
    return parseEnvelopeFile(
      (await this.#ctx.fs.readFile(file, ENVELOPE_BYTES_MAX)).toString('utf8'),
    );
  }

  async open(ref: SegmentRef): Promise<{
    leaves(): Promise<Buffer>;
    heads(): Promise<Buffer | undefined>;
    meta(): Promise<Buffer | undefined>;
    readInto(target: Buffer, targetOffset: number, length: number, offset: number): Promise<void>;
    close(): Promise<void>;
  }> {
    const file = await this.#ctx.fs.openReadable(this.#ctx.layout.segment(ref, '.age'));
    const small = (end: SegmentFile): Promise<Buffer> =>
      this.#ctx.fs.readFile(this.#ctx.layout.segment(ref, end), SMALL_FILE_BYTES_MAX);
    const smallIfThere = async (end: SegmentFile): Promise<Buffer | undefined> =>
      (await this.#ctx.fs.exists(this.#ctx.layout.segment(ref, end))) ? small(end) : undefined;
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
    if (row === undefined) return;
    const { rx, ts } = readReceipt(receipt);
    const event = { type: 'receipted', rx, receipt: payloadDigest(receipt) } as const;
    for (const effect of stepLife(lifeOf(row, undefined), event).effects) {
      if (effect.type !== 'log') continue;
      await this.#log.append(effect.fact, () =>
        this.#catalog.receipted(ref, formatEnvelope(receipt), ts),
      );
    }
    this.#onReceipt();
  }
}

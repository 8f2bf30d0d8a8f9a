import { CameraError, messageOf } from '../errors.js';
import { formatSegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import type { Catalog } from './catalog.js';
import type { DeviceLog } from './device-log.js';
import { readManifest } from '../evidence/manifest.js';
import { rowOf } from './recovery.js';
import { SegmentWriter } from './segment-writer.js';
import type { MediaPiece, SealedSegment, SegmentEnding, SegmentFacts } from './segment-writer.js';

const NO_MANIFEST = '0'.repeat(64);

/** One segment of the running recording; satisfies capture's `OpenSegment`. */
export interface StoredSegment {
  append(piece: MediaPiece): Promise<void>;
  seal(ending: SegmentEnding): Promise<void>;
}

/**
 * Where recordings go: numbers them, opens their segments, and chains their manifests. Satisfies capture's
 * `RecordingSink` by shape.
 *
 * INVARIANTS
 * 1. A recording number is durable before anything is written under it.
 * 2. Manifests of a recording are sealed in the order of their segments, each naming the one before.
 * 3. A segment is in the catalog and in the log, or in neither: one transaction.
 */
export class RecordingStore {
  readonly #ctx: BootContext;
  readonly #catalog: Catalog;
  readonly #log: DeviceLog;
  readonly #reserveBytes: number;
  readonly #onSealed: (segment: SealedSegment) => void;
  /** The newest manifest of each recording still being written: its digest, when it is sealed. */
  readonly #chains = new Map<number, Promise<string>>();

  constructor(
    ctx: BootContext,
    catalog: Catalog,
    log: DeviceLog,
    options: { reserveBytes: number; onSealed: (segment: SealedSegment) => void },
  ) {
    this.#ctx = ctx;
    this.#catalog = catalog;
    this.#log = log;
    this.#reserveBytes = options.reserveBytes;
    this.#onSealed = options.onSealed;
  }

  /** The number of a new recording of this boot. Rejects with `storage/disk-full` when the reserve is reached. */
  async beginRecording(): Promise<number> {
    await this.#requireSpace();
    return this.#catalog.beginRecording(this.#ctx.identity.boot);
  }

  /**
   * Opens the next segment. The running recording may use the reserve: it is there so that a recording can end well.
   * Rejects with the errors of the file system, `storage/disk-full` among them.
   */
  async openSegment(facts: SegmentFacts): Promise<StoredSegment> {
    const writer = await SegmentWriter.open(this.#ctx, facts);
    return {
      append: (piece) => writer.append(piece),
      seal: (ending) => this.#seal(facts.rec, writer, ending),
    };
  }

  async #requireSpace(): Promise<void> {
    const free = await this.#ctx.fs.freeBytes(this.#ctx.layout.root);
    if (free >= this.#reserveBytes) return;
    const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);
    const message = `${mib(free)} MiB are free, a recording starts only above ${mib(this.#reserveBytes)} MiB`;
    throw new CameraError('storage/disk-full', message);
  }

  async #seal(rec: number, writer: SegmentWriter, ending: SegmentEnding): Promise<void> {
    const before = this.#chains.get(rec) ?? Promise.resolve(NO_MANIFEST);
    const sealed = before.then((previous) => writer.seal(ending, previous));
    const digest = sealed.then((segment) => segment.digest);
    // A failed seal reaches its caller below; the segment after it then has no predecessor either.
    digest.catch(() => undefined);
    if (ending.isLast) this.#chains.delete(rec);
    else this.#chains.set(rec, digest);
    await this.#publish(await sealed);
  }

  async #publish(segment: SealedSegment): Promise<void> {
    const manifest = readManifest(segment.envelope);
    await this.#log.append(
      {
        type: 'segment',
        seg: formatSegmentRef(segment.ref),
        man: segment.digest,
        size: segment.bytes,
        root: manifest.file.root,
        last: manifest.last,
      },
      () => this.#catalog.add(rowOf(segment.ref, segment.envelope, manifest)),
    );
    try {
      this.#onSealed(segment);
    } catch (error) {
      this.#ctx.log.error({ error: messageOf(error) }, 'a listener of sealed segments failed');
    }
  }
}

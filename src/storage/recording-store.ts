import { NO_DIGEST } from '../evidence/fields.js';
import { SegmentSealer } from '../evidence/segment-sealer.js';
import { readManifest } from '../evidence/manifest.js';
import type { Cancel } from '../clock.js';
import { CameraError, isCameraError, messageOf } from '../errors.js';
import { formatSegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import type { Catalog } from './catalog.js';
import type { DeviceLog } from './device-log.js';
import { tellFault } from './fault.js';
import type { Memory } from './journal.js';
import { enterSealed } from './sealed-segments.js';
import { isCardFault } from './second-try.js';
import { SegmentWriter } from './segment-writer.js';
import type { MediaPiece, SealedSegment, SegmentEnding, SegmentFacts } from './segment-facts.js';

/** One segment of the running recording; satisfies capture's `OpenSegment`. */
export interface StoredSegment {
  append(piece: MediaPiece): Promise<void>;
  seal(ending: SegmentEnding): Promise<void>;
  /** Writes nothing more; recovery seals the segment at the next start. */
  abandon(): Promise<void>;
}

export interface StoreOptions {
  /** A recording starts only above this much free space. */
  readonly reserveBytes: number;
  readonly onSealed: (segment: SealedSegment) => void;
  /** Frees what may be freed; a recording that finds too little room waits for it once. */
  readonly makeRoom?: () => Promise<void>;
  /** Enters a sealed segment later when the card does not take it into log and catalog now. */
  readonly memory?: Memory;
}

/**
 * With less than this free no further segment is opened, so that the one before can be sealed as the last: its lists and
 * manifest need far less than a megabyte, but the segment that is open grows by 40 MB a minute at 5 Mbit/s. A quarter of the
 * reserve where that is less.
 */
const LAST_BYTES_MAX = 256 * 1024 * 1024;
const LAST_SHARE = 4;

/** When the backlog of a press is written; the shortest segment is ten times as long. */
const SPARE_AFTER_MS = 500;

/**
 * Where recordings go: numbers them, opens their segments, and chains their manifests. Satisfies capture's
 * `RecordingSink` by shape.
 *
 * INVARIANTS
 * 1. A recording number is durable before anything is written under it.
 * 2. Manifests of a recording are sealed in the order of their segments, each naming the one before. After a seal that
 *    failed, no later segment of that recording is sealed: recovery seals them all, in order.
 * 3. A segment is in the catalog and in the log, or in neither: one transaction. When they do not take it, the recording
 *    goes on all the same: the manifest is durable on the card, and recovery enters it at the next start.
 */
export class RecordingStore {
  readonly #ctx: BootContext;
  readonly #catalog: Catalog;
  readonly #log: DeviceLog;
  readonly #reserveBytes: number;
  readonly #onSealed: (segment: SealedSegment) => void;
  readonly #makeRoom: () => Promise<void>;
  readonly #memory: Memory | undefined;
  /** The newest manifest of each recording still being written: its digest, when it is sealed. */
  readonly #chains = new Map<number, Promise<string>>();
  readonly #open = new Set<SegmentWriter>();
  readonly #sealing = new Set<Promise<unknown>>();
  /** Made while nobody waits: its keys take milliseconds of the time from a press to the first durable byte. */
  #spare: SegmentSealer | undefined;
  #cancelSpare: Cancel = () => undefined;

  constructor(ctx: BootContext, catalog: Catalog, log: DeviceLog, options: StoreOptions) {
    this.#ctx = ctx;
    this.#catalog = catalog;
    this.#log = log;
    this.#reserveBytes = options.reserveBytes;
    this.#onSealed = options.onSealed;
    this.#makeRoom = options.makeRoom ?? (() => Promise.resolve());
    this.#memory = options.memory;
    this.#spare = this.#makeSealer();
  }

  /** The number of a new recording of this boot. Rejects with `storage/disk-full` when the reserve is reached. */
  async beginRecording(): Promise<number> {
    await this.#requireSpace();
    return this.#catalog.beginRecording(this.#ctx.identity.boot);
  }

  /**
   * Opens the next segment. The running recording may use the reserve: it is there so that a recording can end well.
   * Rejects with the errors of the file system, `storage/disk-full` among them: also when what is free would no longer do to
   * seal what is open.
   */
  async openSegment(facts: SegmentFacts): Promise<StoredSegment> {
    if (facts.seq > 0) await this.#requireRoomToEnd();
    const sealer = this.#spare ?? this.#makeSealer();
    this.#spare = undefined;
    const writer = await SegmentWriter.open(this.#ctx, facts, sealer);
    this.#cancelSpare = this.#ctx.clock.after(SPARE_AFTER_MS, () => {
      this.#spare ??= this.#makeSealer();
    });
    this.#open.add(writer);
    return {
      append: (piece) => writer.append(piece),
      seal: async (ending) => {
        const sealing = this.#seal(facts.rec, writer, ending);
        this.#sealing.add(sealing);
        try {
          await sealing;
        } finally {
          this.#sealing.delete(sealing);
          this.#open.delete(writer);
        }
      },
      abandon: async () => {
        this.#open.delete(writer);
        await writer.abandon();
      },
    };
  }

  /** Waits for the seals under way, then gives up every segment that is still open: recovery seals it. Never rejects. */
  async close(): Promise<void> {
    this.#cancelSpare();
    // Its file key never sealed anything and is overwritten.
    this.#spare?.start();
    this.#spare?.end();
    this.#spare = undefined;
    await Promise.allSettled(this.#sealing);
    await Promise.allSettled([...this.#open].map((writer) => writer.abandon()));
  }

  #makeSealer(): SegmentSealer {
    return new SegmentSealer({ recipients: this.#ctx.identity.recipients });
  }

  async #requireRoomToEnd(): Promise<void> {
    const free = await this.#ctx.fs.freeBytes(this.#ctx.layout.root);
    if (free >= Math.min(LAST_BYTES_MAX, this.#reserveBytes / LAST_SHARE)) return;
    throw new CameraError('storage/disk-full', `${mib(free)} MiB are free: the recording ends`);
  }

  async #requireSpace(): Promise<void> {
    const { fs, layout } = this.#ctx;
    if ((await fs.freeBytes(layout.root)) >= this.#reserveBytes) return;
    await this.#makeRoom();
    const free = await fs.freeBytes(layout.root);
    if (free >= this.#reserveBytes) return;
    const message = `${mib(free)} MiB are free, a recording starts only above ${mib(this.#reserveBytes)} MiB`;
    throw new CameraError('storage/disk-full', message);
  }

  async #seal(rec: number, writer: SegmentWriter, ending: SegmentEnding): Promise<void> {
    const before = this.#chains.get(rec) ?? Promise.resolve(NO_DIGEST);
    const sealed = before.then(
      (previous) => writer.seal(ending, previous),
      // Without the manifest before it, this one cannot name it: both wait for recovery.
      async (error: unknown) => {
        await writer.abandon();
        throw error;
      },
    );
    const digest = sealed.then((segment) => segment.digest);
    // A failed seal reaches its caller below, and through the chain every segment after it.
    digest.catch(() => undefined);
    if (ending.isLast) this.#chains.delete(rec);
    else this.#chains.set(rec, digest);
    await this.#publish(await sealed);
  }

  /** Tells the rest of the camera about a segment that is durable already. Never rejects. */
  async #publish(segment: SealedSegment): Promise<void> {
    try {
      await this.#enter(segment);
    } catch (error) {
      if (this.#memory === undefined || !isCardFault(error)) {
        await this.#tellNotEntered(segment, error);
        return;
      }
      this.#memory.keep(`${formatSegmentRef(segment.ref)} in log and catalog`, async () => {
        await this.#enter(segment);
        this.#tellSealed(segment);
      });
      return;
    }
    this.#tellSealed(segment);
  }

  async #enter({ envelope, isMarked }: SealedSegment): Promise<void> {
    await enterSealed(this.#log, this.#catalog, envelope, readManifest(envelope), isMarked);
  }

  #tellSealed(segment: SealedSegment): void {
    try {
      this.#onSealed(segment);
    } catch (error) {
      this.#ctx.log.error({ error: messageOf(error) }, 'a listener of sealed segments failed');
    }
  }

  async #tellNotEntered({ ref }: SealedSegment, error: unknown): Promise<void> {
    const what = `${formatSegmentRef(ref)} is sealed but not in the catalog; the next start enters it`;
    this.#ctx.log.error({ error: messageOf(error) }, what);
    try {
      const code = isCameraError(error) ? error.code : 'storage/io';
      await tellFault(this.#ctx.log, this.#log, code, what, error);
    } catch (cause) {
      // Most likely: it is the log itself that takes nothing.
      this.#ctx.log.error({ error: messageOf(cause) }, 'a fault could not be told');
    }
  }
}

const mib = (bytes: number): number => Math.round(bytes / 2 ** 20);

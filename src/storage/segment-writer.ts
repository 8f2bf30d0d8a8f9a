import { encryptWhole } from '../evidence/age-container.js';
import { formatEnvelopeFile, payloadDigest } from '../evidence/dsse.js';
import { sealHead } from '../evidence/head.js';
import type { HeadOpening } from '../evidence/head.js';
import { sealManifest } from '../evidence/manifest.js';
import type { Manifest } from '../evidence/manifest.js';
import { sha256 } from '../evidence/merkle-tree.js';
import { formatMetadata } from '../evidence/metadata.js';
import { SegmentSealer } from '../evidence/segment-sealer.js';
import type { Leaf } from '../evidence/segment-sealer.js';
import { CameraError } from '../errors.js';
import type { WritableFile } from '../hal/ports/file-system.js';
import type { MonotonicMs, SegmentRef } from '../units.js';
import type { BootContext } from './boot.js';
import { FragmentIndex } from './fragment-index.js';
import { segmentMetadata } from './segment-metadata.js';
import type { MediaPiece, SealedSegment, SegmentEnding, SegmentFacts } from './segment-facts.js';

/**
 * A head is due when the newest one is older than this. With one fragment a second, half a second makes every fragment
 * carry one, so that a power cut leaves less than a second of footage outside a signed prefix.
 */
const HEAD_PERIOD_MS = 500;
/** Fragments are made durable together up to this size: the backlog of a press then costs few syncs, not dozens. */
const BATCH_BYTES_MAX = 4 * 1024 * 1024;
/** Longest stretch of encrypting and hashing between two turns of the event loop. */
const SLICE_MS = 4;

interface Waiting {
  readonly piece: MediaPiece;
  readonly done: () => void;
  readonly failed: (error: unknown) => void;
}

/** Ciphertext of a batch, and what a head over it and everything before it says. */
interface SealedBatch {
  readonly leaves: readonly Leaf[];
  readonly file: Manifest['file'];
  readonly duration90k: number;
  readonly frames: number;
}

/**
 * Writes one segment to the card.
 *
 * INVARIANTS
 * 1. Ciphertext is durable before its leaf hashes count, and both are before a head or a manifest names them.
 * 2. Files are created exclusively, only appended to, and never opened for writing again.
 * 3. After a failed write, or a failure to encrypt, nothing more is written and the files are closed: the segment stays as it is for recovery.
 */
export class SegmentWriter {
  readonly #ctx: BootContext;
  readonly #ref: SegmentRef;
  readonly #facts: SegmentFacts;
  readonly #sealer: SegmentSealer;
  readonly #files: { age: WritableFile; leaves: WritableFile; heads: WritableFile };
  readonly #openedAt: MonotonicMs;
  readonly #wall;
  readonly #index = new FragmentIndex();
  #waiting: Waiting[] = [];
  #pump: Promise<void> | undefined;
  #failure: unknown;
  #plainBytes = 0;
  #duration90k = 0;
  #frames = 0;
  #headAt: MonotonicMs | undefined;

  private constructor(
    ctx: BootContext,
    ref: SegmentRef,
    facts: SegmentFacts,
    sealer: SegmentSealer,
    files: readonly WritableFile[],
  ) {
    const [age, leaves, heads] = files;
    if (age === undefined || leaves === undefined || heads === undefined) {
      throw new CameraError('internal/bug', 'a segment needs three files');
    }
    this.#ctx = ctx;
    this.#ref = ref;
    this.#facts = facts;
    this.#files = { age, leaves, heads };
    this.#sealer = sealer;
    this.#openedAt = ctx.clock.monotonicMs();
    this.#wall = ctx.clock.wallTime();
  }

  /**
   * Makes the files and their names durable. `sealer` is a fresh one, for this segment only. Rejects with the errors of the
   * file system.
   */
  static async open(
    ctx: BootContext,
    facts: SegmentFacts,
    sealer = new SegmentSealer({ recipients: ctx.identity.recipients }),
  ): Promise<SegmentWriter> {
    const ref = { boot: ctx.identity.boot, rec: facts.rec, seq: facts.seq };
    await ctx.fs.makeDirectory(ctx.layout.recording(ref.boot, ref.rec));
    const files = await ctx.fs.createTogether([
      ctx.layout.segment(ref, '.age'),
      ctx.layout.segment(ref, '.leaves'),
      ctx.layout.segment(ref, '.heads'),
    ]);
    return new SegmentWriter(ctx, ref, facts, sealer, files);
  }

  /**
   * Resolves when the fragment is durable, but for the newest 64 KiB or less, which age holds back until it knows
   * whether they are the last. A signed head over it follows within half a second of clock time and the next fragment.
   * Calls may overlap; fragments keep their order and share syncs.
   */
  append(piece: MediaPiece): Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(asError(this.#failure));
    return new Promise<void>((done, failed) => {
      this.#waiting.push({ piece, done, failed });
      this.#pump ??= this.#drain();
    });
  }

  /**
   * Ends the segment: final chunk, sealed metadata, manifest. `previous` is the digest of the manifest before this one
   * in the recording. The segment is immutable when this resolves; after a rejection it is recovery's.
   */
  async seal(ending: SegmentEnding, previous: string): Promise<SealedSegment> {
    while (this.#pump !== undefined) await this.#pump;
    if (this.#failure !== undefined) throw asError(this.#failure);
    try {
      await this.#store(this.#sealer.end());
      const meta = encryptWhole(this.#metadata(ending), this.#ctx.identity.recipients);
      await this.#writeMeta(meta);
      const manifest = this.#manifest(ending, previous, sha256(meta).toString('hex'));
      const envelope = sealManifest(manifest, this.#ctx.identity.signer);
      const line = Buffer.from(formatEnvelopeFile(envelope));
      await this.#ctx.fs.writeAtomic(this.#ctx.layout.segment(this.#ref, '.dsse'), line);
      return {
        ref: this.#ref,
        bytes: manifest.file.size,
        ending: ending.end,
        envelope,
        digest: payloadDigest(envelope),
        isMarked: ending.marks.length > 0,
      };
    } finally {
      await this.#close();
    }
  }

  /** Gives the segment up as it is: files closed, no manifest. Recovery seals it at the next start. */
  async abandon(): Promise<void> {
    this.#failure ??= new CameraError('storage/io', 'the segment was given up');
    while (this.#pump !== undefined) await this.#pump;
    await this.#close();
  }

  /**
   * Encrypts one batch while the one before it is being written: the processor need not wait for the card. Never
   * rejects; every fragment that waited has its answer at the end.
   */
  async #drain(): Promise<void> {
    let batch: readonly Waiting[] = [];
    let storing = Promise.resolve();
    try {
      // One turn lets the fragments of the same burst arrive; they then share the syncs below. The first goes alone.
      if (!this.#index.isEmpty) await this.#ctx.clock.nextTurn();
      while (this.#waiting.length > 0) {
        while (this.#waiting.length > 0) {
          const isFirst = this.#index.isEmpty;
          batch = this.#nextBatch();
          const sealed = await this.#encrypt(batch);
          await storing;
          storing = this.#finish(batch, sealed);
          // What the wearer waits for has the processor to itself.
          if (isFirst) await storing;
        }
        await storing;
      }
    } catch (error) {
      // Half a batch is in the sealer: nothing that follows could be made whole again.
      await storing;
      await this.#fail([...batch, ...this.#waiting.splice(0)], error);
    } finally {
      this.#pump = undefined;
    }
  }

  /** Makes a batch durable, tells so, and signs a head over it when one is due. Never rejects. */
  async #finish(batch: readonly Waiting[], sealed: SealedBatch): Promise<void> {
    try {
      if (this.#failure !== undefined) throw asError(this.#failure);
      await this.#store(sealed.leaves);
      for (const { done } of batch) done();
      await this.#headIfDue(sealed);
    } catch (error) {
      await this.#fail(batch, error);
    }
  }

  /** Nothing is written from here on. Promises that are done already stay so; the others learn it here. */
  async #fail(batch: readonly Waiting[], error: unknown): Promise<void> {
    this.#failure ??= error;
    await this.#close();
    for (const { failed } of batch) failed(error);
  }

  /** The first fragment goes alone, so that something is durable as early as can be. */
  #nextBatch(): readonly Waiting[] {
    if (this.#index.isEmpty) return this.#waiting.splice(0, 1);
    let bytes = 0;
    let count = 0;
    for (const { piece } of this.#waiting) {
      bytes += lengthOf(piece.parts);
      if (count > 0 && bytes > BATCH_BYTES_MAX) break;
      count += 1;
    }
    return this.#waiting.splice(0, count);
  }

  async #encrypt(batch: readonly Waiting[]): Promise<SealedBatch> {
    const leaves: Leaf[] = [];
    let since = this.#ctx.clock.monotonicMs();
    if (this.#index.isEmpty) {
      leaves.push(...this.#sealer.start(), ...this.#push([this.#facts.init]));
    }
    for (const { piece } of batch) {
      // Sound alone, the end of that of the segment, is no place to find a picture at.
      if (piece.frames > 0) this.#index.note(piece.offset90k, this.#plainBytes);
      leaves.push(...this.#push(piece.parts));
      this.#duration90k = piece.offset90k + piece.duration90k;
      this.#frames += piece.frames;
      if (this.#ctx.clock.monotonicMs() - since > SLICE_MS) {
        await this.#ctx.clock.nextTurn();
        since = this.#ctx.clock.monotonicMs();
      }
    }
    return { leaves, file: this.#file(), duration90k: this.#duration90k, frames: this.#frames };
  }

  #push(parts: readonly Buffer[]): Leaf[] {
    this.#plainBytes += lengthOf(parts);
    return this.#sealer.push(parts);
  }

  async #store(leaves: readonly Leaf[]): Promise<void> {
    if (leaves.length === 0) return;
    const { age, leaves: list } = this.#files;
    await Promise.all([
      age.append(leaves.map(({ bytes }) => bytes)),
      list.append(leaves.map(({ hash }) => hash)),
    ]);
    await Promise.all([age.sync(), list.sync()]);
  }

  async #headIfDue({ file, duration90k, frames }: SealedBatch): Promise<void> {
    const now = this.#ctx.clock.monotonicMs();
    if (this.#headAt !== undefined && now - this.#headAt < HEAD_PERIOD_MS) return;
    const head = sealHead(
      {
        device: this.#ctx.identity.device,
        ...this.#ref,
        n: file.n,
        size: file.size,
        root: file.root,
        mono: Math.round(now),
        duration90k,
        frames,
        opening: this.#headAt === undefined ? this.#opening() : null,
      },
      this.#ctx.identity.signer,
    );
    this.#headAt = now;
    await this.#files.heads.append([Buffer.from(formatEnvelopeFile(head))]);
    await this.#files.heads.sync();
  }

  #file(): Manifest['file'] {
    const file = this.#sealer.file();
    return { ...file, root: file.root.toString('hex') };
  }

  #opening(): HeadOpening {
    return { media: this.#media(), pre_event: this.#preEvent() };
  }

  #media(): NonNullable<HeadOpening['media']> {
    const { avcC, width, height } = this.#facts.format;
    return {
      codec: `avc1.${avcC.toString('hex', 1, 4)}`,
      width,
      height,
      run: this.#facts.run,
      start90k: this.#facts.start90k,
      gap_before_ms: Math.round(this.#facts.gapBeforeMs),
    };
  }

  #preEvent(): Manifest['pre_event'] {
    const facts = this.#facts.preEvent;
    if (facts === undefined) return null;
    return {
      asked_ms: Math.round(facts.askedMs),
      got_ms: Math.round(facts.gotMs),
      reason: facts.reason,
    };
  }

  #manifest(ending: SegmentEnding, previous: string, meta: string): Omit<Manifest, 'v' | 'type'> {
    const { identity, clock } = this.#ctx;
    const plain = this.#sealer.plain();
    return {
      device: identity.device,
      key: identity.signer.keyId,
      sealed_by: identity.boot,
      ...this.#ref,
      last: ending.isLast,
      prev: previous,
      file: this.#file(),
      plain: { size: plain.size, root: plain.root.toString('hex') },
      meta,
      media: { ...this.#media(), duration90k: this.#duration90k, frames: this.#frames },
      fragments: this.#index.entries,
      pre_event: this.#preEvent(),
      ...(this.#facts.trigger === undefined ? {} : { trigger: this.#facts.trigger }),
      end: ending.end,
      recovered: null,
      mono: [Math.round(this.#openedAt), Math.round(clock.monotonicMs())],
      time: {
        source: this.#wall.source,
        uncertainty_ms: Math.round(this.#wall.uncertaintyMs),
      },
      cfg: identity.configDigest,
      fw: identity.firmwareDigest,
    };
  }

  #metadata(ending: SegmentEnding): Buffer {
    const written = {
      salt: this.#sealer.salt,
      openedAt: this.#openedAt,
      wall: this.#wall,
      duration90k: this.#duration90k,
    };
    return formatMetadata(segmentMetadata(this.#ctx, this.#facts, ending, written));
  }

  async #writeMeta(bytes: Buffer): Promise<void> {
    const file = await this.#ctx.fs.create(this.#ctx.layout.segment(this.#ref, '.meta.age'));
    try {
      await file.append([bytes]);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  /** Closing a second time does nothing. */
  async #close(): Promise<void> {
    const { age, leaves, heads } = this.#files;
    await Promise.allSettled([age.close(), leaves.close(), heads.close()]);
  }
}

const lengthOf = (parts: readonly Buffer[]): number =>
  parts.reduce((sum, part) => sum + part.length, 0);

const asError = (error: unknown): Error =>
  error instanceof Error ? error : new CameraError('storage/io', String(error));

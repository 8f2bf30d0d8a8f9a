import type { Logger } from '../../log.js';
import { messageOf } from '../../errors.js';
import { HASH_BYTES } from '../../evidence/merkle-tree.js';
import {
  ATTACHMENT_PART_BYTES_MAX,
  CHUNK_HEADER_BYTES,
  LEAVES_PER_MESSAGE,
  encodeAttachment,
  encodeLeaves,
  writeChunkHeader,
} from '../binary-messages.js';
import type { Ack, Address, AttachmentKind } from '../binary-messages.js';
import { LeafBitmap } from '../leaf-bitmap.js';
import { leafRange } from '../leaf-layout.js';
import type { Want } from '../messages.js';
import type { MqttConnection, OutgoingSegments, SegmentReader } from '../ports.js';
import { upTopic } from '../topics.js';
import type { OfferedSegment } from './offer-book.js';

/** One want being answered. A newer want makes a new one; the old one is then never looked at again. */
interface Job {
  readonly want: Want;
  readonly segment: OfferedSegment;
  readonly have: LeafBitmap;
  /** What was asked for beside the chunks and is not sent yet. */
  readonly requests: ('leaves' | AttachmentKind)[];
  next: number;
  creditEnd: number;
}

/**
 * Answers the newest want over one connection.
 *
 * INVARIANTS
 * 1. One step at a time: at most one read and one publish are under way, so memory is one chunk plus the socket's.
 * 2. No chunk past the credit end, none that the receiver holds, none for an older want.
 * 3. A failed read or publish ends the answer. The receiver notices the silence and asks again.
 */
export class OutgoingTransfer {
  readonly #device: string;
  readonly #connection: MqttConnection;
  readonly #segments: OutgoingSegments;
  readonly #logger: Logger;
  readonly #onSent: (segment: OfferedSegment, bytesDone: number) => void;
  #job: Job | undefined;
  #isRunning = false;
  #open: { readonly key: number; readonly reader: SegmentReader } | undefined;

  /** `onSent`: how many ciphertext bytes of the segment are held by the receiver or sent for the present want. */
  constructor(
    device: string,
    connection: MqttConnection,
    segments: OutgoingSegments,
    logger: Logger,
    onSent: (segment: OfferedSegment, bytesDone: number) => void,
  ) {
    this.#device = device;
    this.#connection = connection;
    this.#segments = segments;
    this.#logger = logger;
    this.#onSent = onSent;
  }

  /** Replaces whatever was being answered. */
  accept(want: Want, segment: OfferedSegment): void {
    const requests = (['leaves', 'meta', 'heads'] as const).filter((name) => want[name]);
    const have = LeafBitmap.fromBits(segment.file.n, want.have);
    this.#job = {
      want,
      segment,
      have,
      requests,
      next: have.firstMissing,
      creditEnd: want.creditEnd,
    };
    void this.#run();
  }

  /** More credit; false when the ack is not for the present want. Credit never shrinks. */
  extend({ key, epoch, creditEnd }: Ack): boolean {
    const job = this.#job;
    if (job?.want.key !== key || job.want.epoch !== epoch) return false;
    job.creditEnd = Math.max(job.creditEnd, creditEnd);
    void this.#run();
    return true;
  }

  /** Stops after the step under way; closes the segment. May be used again. */
  stop(): void {
    this.#job = undefined;
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#isRunning) return;
    this.#isRunning = true;
    for (let hasMore = true; hasMore;) {
      const job = this.#job;
      try {
        if (this.#open !== undefined && this.#open.key !== job?.segment.key) await this.#close();
        hasMore = job !== undefined && (await this.#step(job));
      } catch (error) {
        this.#logger.warn({ why: messageOf(error) }, 'cannot answer a want');
        if (this.#job === job) this.#job = undefined;
      }
      hasMore ||= this.#job !== job;
    }
    this.#isRunning = false;
  }

  /** Sends one thing; false when there is nothing to send until more credit or another want comes. */
  async #step(job: Job): Promise<boolean> {
    const request = job.requests.shift();
    if (request === 'leaves') await this.#sendLeaves(job);
    else if (request !== undefined) await this.#sendAttachment(job, request);
    else if (job.next < Math.min(job.creditEnd, job.segment.file.n)) await this.#sendChunk(job);
    else return false;
    return true;
  }

  async #reader({ key, ref }: OfferedSegment): Promise<SegmentReader> {
    this.#open ??= { key, reader: await this.#segments.open(ref) };
    return this.#open.reader;
  }

  async #close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    await open?.reader.close();
  }

  /** The leaf goes from the file straight behind the header: one fresh buffer, no copy, the socket's afterwards. */
  async #sendChunk(job: Job): Promise<void> {
    const { want, segment, have } = job;
    const index = job.next;
    const { offset, length } = leafRange(segment.file, index);
    const reader = await this.#reader(segment);
    const message = Buffer.allocUnsafeSlow(CHUNK_HEADER_BYTES + length);
    await reader.readInto(message, CHUNK_HEADER_BYTES, length, offset);
    writeChunkHeader(message, want, index);
    await this.#connection.publish(want.to, message, { qos: 0 });
    job.next += 1;
    while (job.next < segment.file.n && have.has(job.next)) job.next += 1;
    this.#onSent(segment, Math.min(segment.bytes, offset + length));
  }

  async #sendLeaves({ want, segment }: Job): Promise<void> {
    const leaves = await (await this.#reader(segment)).leaves();
    const partBytes = LEAVES_PER_MESSAGE * HASH_BYTES;
    for (let at = 0; at < leaves.length && this.#isCurrent(want); at += partBytes) {
      const hashes = leaves.subarray(at, at + partBytes);
      const { key, epoch } = want;
      const message = encodeLeaves({ key, epoch, first: at / HASH_BYTES, hashes });
      await this.#connection.publish(upTopic(this.#device, 'leaves'), message, { qos: 1 });
    }
  }

  async #sendAttachment({ want, segment }: Job, kind: AttachmentKind): Promise<void> {
    const reader = await this.#reader(segment);
    const bytes = (kind === 'meta' ? await reader.meta() : await reader.heads()) ?? Buffer.alloc(0);
    const address: Address = { key: want.key, epoch: want.epoch };
    let at = 0;
    do {
      const part = bytes.subarray(at, at + ATTACHMENT_PART_BYTES_MAX);
      const message = encodeAttachment({
        ...address,
        kind,
        offset: at,
        total: bytes.length,
        bytes: part,
      });
      await this.#connection.publish(upTopic(this.#device, 'meta'), message, { qos: 1 });
      at += part.length;
    } while (at < bytes.length && this.#isCurrent(want));
  }

  #isCurrent(want: Want): boolean {
    return this.#job?.want === want;
  }
}

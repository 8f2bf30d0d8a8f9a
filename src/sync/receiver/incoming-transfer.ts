import type { Clock } from '../../clock.js';
import { leafAt, leafHash } from '../../evidence/merkle-tree.js';
import type { AttachmentPart, Chunk, LeavesPart } from '../binary-messages.js';
import { encodeAck } from '../binary-messages.js';
import { LeafBitmap } from '../leaf-bitmap.js';
import { leafRange } from '../leaf-layout.js';
import { encodeWant } from '../messages.js';
import { downTopic, inboxTopic } from '../topics.js';
import type { AdmittedSegment } from './admission.js';
import type { IncomingSegment } from './incoming-segment.js';
import { Listing } from './listing.js';
import type { ListedSegment, PartOutcome } from './listing.js';
import { beginTransfer, creditEnd, stepTransfer } from './transfer-state.js';
import type {
  ChunkOutcome,
  TransferEffect,
  TransferEvent,
  TransferStage,
  TransferState,
} from './transfer-state.js';

/** Where the messages of a transfer go, and what they are called there. */
export interface Correspondence {
  readonly rx: string;
  readonly sid: string;
  /** Does not wait: a lost message is made good by the next one. */
  send(topic: string, payload: Buffer, qos: 0 | 1): void;
}

/** What a part or a chunk did. `stale`: of another want. `spoiled`: not what the leaf list says. */
export type Arrival = PartOutcome | ChunkOutcome | 'stale';

/**
 * One segment on its way in: judges what arrives, writes it, asks for more. Drives `stepTransfer`.
 *
 * INVARIANTS
 * 1. No credit before the leaf list is proved, so every chunk can be judged when it arrives.
 * 2. Only bytes whose hash stands in the list are written.
 */
export class IncomingTransfer {
  readonly segment: AdmittedSegment;
  readonly #incoming: IncomingSegment;
  readonly #clock: Clock;
  readonly #listing: Listing;
  #peer: Correspondence;
  #key: number;
  #listed: ListedSegment | undefined;
  #state: TransferState;

  /** Sends the first want. */
  constructor(
    segment: AdmittedSegment,
    incoming: IncomingSegment,
    peer: Correspondence,
    epoch: number,
    clock: Clock,
  ) {
    this.segment = segment;
    this.#incoming = incoming;
    this.#peer = peer;
    this.#key = segment.key;
    this.#clock = clock;
    this.#listing = new Listing(segment);
    const have = LeafBitmap.empty(segment.manifest.file.n);
    const { state, effects } = beginTransfer(have, epoch, clock.monotonicMs());
    this.#state = state;
    this.#carryOut(effects);
  }

  get stage(): TransferStage {
    return this.#state.stage;
  }

  get epoch(): number {
    return this.#state.epoch;
  }

  get facts(): { readonly leavesHeld: number; readonly wants: number; readonly stalls: number } {
    const { have, wants, stalls } = this.#state;
    return { leavesHeld: have.count, wants, stalls };
  }

  get droppedHeads(): number {
    return this.#listing.droppedHeads;
  }

  /** Asks again under the key and session of the newest offer. */
  rebind(peer: Correspondence, key: number): void {
    this.#peer = peer;
    this.#key = key;
    this.#dispatch({ type: 'resumed' });
  }

  /** The connection is back. */
  resume(): void {
    this.#dispatch({ type: 'resumed' });
  }

  tick(): void {
    this.#dispatch({ type: 'ticked' });
  }

  takeLeaves(part: LeavesPart): Promise<Arrival> {
    return this.#takePart(part, () => this.#listing.addLeaves(part));
  }

  takeAttachment(part: AttachmentPart): Promise<Arrival> {
    return this.#takePart(part, () => this.#listing.addAttachment(part));
  }

  /** Rejects when the leaf cannot be written. */
  async takeChunk({ key, epoch, index, leaf }: Chunk): Promise<Arrival> {
    const { file } = this.segment.manifest;
    if (key !== this.#key || index >= file.n) return 'stale';
    if (epoch < this.#state.epoch) this.#dispatch({ type: 'heard' });
    const isExpected = epoch === this.#state.epoch && this.stage === 'filling';
    if (!isExpected || this.#listed === undefined) return 'stale';
    const outcome = await this.#judge(this.#listed.leaves, index, leaf);
    this.#dispatch({ type: 'chunkArrived', index, outcome });
    return outcome;
  }

  /** Makes the complete segment durable in its place. */
  async seal(): Promise<void> {
    if (this.#listed === undefined) throw new RangeError('sealed before it was listed');
    await this.#incoming.seal(this.#listed);
  }

  close(): Promise<void> {
    return this.#incoming.close();
  }

  async #judge(leaves: Buffer, index: number, leaf: Buffer): Promise<ChunkOutcome> {
    if (this.#state.have.has(index)) return 'repeated';
    const { length } = leafRange(this.segment.manifest.file, index);
    if (leaf.length !== length || !leafHash(leaf).equals(leafAt(leaves, index))) return 'spoiled';
    await this.#incoming.write(index, leaf);
    return 'stored';
  }

  async #takePart(part: LeavesPart | AttachmentPart, add: () => PartOutcome): Promise<Arrival> {
    if (part.key !== this.#key || part.epoch !== this.#state.epoch) return 'stale';
    if (this.stage !== 'listing') return 'refused';
    const outcome = add();
    if (outcome === 'taken') this.#dispatch({ type: 'heard' });
    const listed = this.#listing.proved;
    if (listed === undefined) return outcome;
    this.#listed = listed;
    const have = await this.#incoming.survivors(listed.leaves);
    this.#dispatch({ type: 'listed', have });
    return outcome;
  }

  #dispatch(event: TransferEvent): void {
    const { state, effects } = stepTransfer(this.#state, event, this.#clock.monotonicMs());
    this.#state = state;
    this.#carryOut(effects);
  }

  #carryOut(effects: readonly TransferEffect[]): void {
    for (const effect of effects) {
      if (effect === 'want') this.#sendWant();
      else this.#sendAck();
    }
  }

  #sendWant(): void {
    const { device } = this.segment;
    const { rx, sid } = this.#peer;
    const { have, epoch } = this.#state;
    this.#listing.restart();
    const want = encodeWant({
      sid,
      rx,
      key: this.#key,
      epoch,
      to: inboxTopic(rx, device),
      ...this.#listing.missing,
      have: have.count === 0 ? Buffer.alloc(0) : have.toBits(),
      creditEnd: creditEnd(this.#state),
    });
    this.#peer.send(downTopic(device, 'want'), want, 1);
  }

  #sendAck(): void {
    const { epoch, seen } = this.#state;
    const ack = encodeAck({ key: this.#key, epoch, seen, creditEnd: creditEnd(this.#state) });
    this.#peer.send(downTopic(this.segment.device, 'ack'), ack, 0);
  }
}

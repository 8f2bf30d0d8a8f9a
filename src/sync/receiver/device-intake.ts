import type { Clock } from '../../clock.js';
import { isCameraError, messageOf } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import type { DeviceKeyChain } from '../../evidence/key-rotation.js';
import { payloadDigest } from '../../evidence/dsse.js';
import type { Envelope } from '../../evidence/dsse.js';
import type { Logger } from '../../log.js';
import { formatSegmentRef } from '../../units.js';
import type { AttachmentPart, Chunk, LeavesPart } from '../binary-messages.js';
import { encodeReceipt } from '../messages.js';
import type { Birth, DeviceState, Offer, OfferItem } from '../messages.js';
import type { Qos } from '../ports.js';
import type { Tally } from '../tally.js';
import { downTopic } from '../topics.js';
import { admit } from './admission.js';
import type { AdmittedSegment } from './admission.js';
import type { EvidenceStore } from './evidence-store.js';
import { IncomingTransfer } from './incoming-transfer.js';
import type { Arrival, Correspondence } from './incoming-transfer.js';
import { isOwnReceipt, issueReceipt } from './receipts.js';
import type { ReceiverKey } from './receipts.js';
import { CREDIT_LEAVES } from './transfer-state.js';

/** Messages of one device that wait: four times what it may have under way, 16 MiB. The rest is lost and asked for again. */
const QUEUE_MESSAGES_MAX = 4 * CREDIT_LEAVES;
/** Segments of this session that were given up, or that the store failed on: they go to the end of the line. */
const SET_ASIDE_MAX = 1_000;

/** What is wrong with one offered segment, or with what the store holds of it; everything else is the store failing. */
const itemFaults: ReadonlySet<ErrorCode> = new Set([
  'evidence/bad-signature',
  'evidence/malformed',
  'sync/refused',
  'storage/corrupt',
]);

/** What a device sent, decoded, or what happened to the connection. */
export type IntakeMessage =
  | { readonly type: 'birth'; readonly birth: Birth }
  | { readonly type: 'state'; readonly state: DeviceState }
  | { readonly type: 'offer'; readonly offer: Offer }
  | { readonly type: 'leaves'; readonly part: LeavesPart }
  | { readonly type: 'attachment'; readonly part: AttachmentPart }
  | { readonly type: 'chunk'; readonly chunk: Chunk }
  /** The receiver's own connection is back, or down. */
  | { readonly type: 'connected'; readonly isConnected: boolean }
  | { readonly type: 'ticked' };

/** What the receiver drops or refuses. */
export type ReceiverFault =
  | 'stranger'
  | 'malformed'
  | 'overflow'
  | 'refused-offer'
  | 'conflict'
  | 'no-room'
  | 'abandoned'
  | 'dropped-heads'
  | 'store-failed'
  | 'stale'
  | 'refused'
  | 'wrong'
  | 'spoiled'
  | 'repeated';

/** A segment that is now durable. */
export interface StoredFact {
  readonly device: string;
  readonly segment: string;
  readonly bytes: number;
  readonly wants: number;
  readonly stalls: number;
}

export interface IntakePorts {
  readonly key: ReceiverKey;
  readonly store: EvidenceStore;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly tally: Tally<ReceiverFault>;
  readonly publish: (topic: string, payload: Buffer, qos: Qos) => Promise<void>;
  readonly onStored: (fact: StoredFact) => void;
}

/**
 * Takes the segments of one device in, one after the other.
 *
 * INVARIANTS
 * 1. Messages are worked off in order, one at a time; the queue is bounded.
 * 2. A segment that is stored is never asked for again: its receipt is said again, if its ciphertext is still there.
 * 3. No receipt before `IncomingSegment.seal` has resolved.
 */
export class DeviceIntake {
  readonly #device: string;
  readonly #keys: Buffer | DeviceKeyChain;
  readonly #ports: IntakePorts;
  readonly #queue: IntakeMessage[] = [];
  readonly #setAside = new Set<string>();
  #working: Promise<void> = Promise.resolve();
  #isWorking = false;
  #isClosed = false;
  /** The device and the connection to it are there; otherwise silence means nothing. */
  #isPeerHere = true;
  #sid = '';
  #offer: Offer = { sid: '', items: [], certificates: new Map() };
  #waiting: OfferItem[] = [];
  #transfer: IncomingTransfer | undefined;
  #epoch: number;

  constructor(device: string, keys: Buffer | DeviceKeyChain, ports: IntakePorts) {
    this.#device = device;
    this.#keys = keys;
    this.#ports = { ...ports, logger: ports.logger.child({ device }) };
    // Above every epoch of an earlier start, unless the clock was set back; then the new start id tells the device.
    this.#epoch = Math.floor(ports.clock.wallTime().ms / 1000);
  }

  /** Takes the message in turn, or counts it as lost when too many wait. Never throws. */
  enqueue(message: IntakeMessage): void {
    if (this.#isClosed) return;
    if (this.#queue.length >= QUEUE_MESSAGES_MAX) {
      this.#ports.tally.add('overflow', { device: this.#device });
      return;
    }
    this.#queue.push(message);
    if (!this.#isWorking) this.#working = this.#work();
  }

  /** Time passes: matters only when nothing else is going on. */
  tick(): void {
    if (!this.#isWorking) this.enqueue({ type: 'ticked' });
  }

  /** Resolves when every message so far has been worked off. */
  async settled(): Promise<void> {
    await this.#working;
  }

  /** Works off what has arrived, then closes the partial file. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#working;
    await this.#dropTransfer();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await this.#take(next);
        await this.#endTransfer();
      } catch (error) {
        await this.#transferFailed(error);
      }
      await this.#beginNext();
    }
    this.#isWorking = false;
  }

  async #take(message: IntakeMessage): Promise<void> {
    const transfer = this.#transfer;
    switch (message.type) {
      case 'birth':
        this.#takeBirth(message.birth);
        return;
      case 'state':
        if (message.state.sid === this.#sid) this.#isPeerHere = message.state.s !== 'lost';
        return;
      case 'offer':
        await this.#takeOffer(message.offer);
        return;
      case 'connected':
        this.#isPeerHere = message.isConnected;
        if (message.isConnected) transfer?.resume();
        return;
      case 'ticked':
        if (this.#isPeerHere) transfer?.tick();
        return;
      case 'leaves':
        this.#count((await transfer?.takeLeaves(message.part)) ?? 'stale');
        return;
      case 'attachment':
        this.#count((await transfer?.takeAttachment(message.part)) ?? 'stale');
        return;
      case 'chunk':
        this.#count((await transfer?.takeChunk(message.chunk)) ?? 'stale');
    }
  }

  #count(arrival: Arrival): void {
    if (arrival === 'taken' || arrival === 'stored') return;
    this.#ports.tally.add(arrival, { device: this.#device });
  }

  /** An offer follows, and asks again: in a new session it says what is under which key. Until then nothing is asked. */
  #takeBirth({ sid }: Birth): void {
    if (sid === this.#sid) return;
    this.#sid = sid;
    this.#isPeerHere = false;
    this.#setAside.clear();
  }

  async #takeOffer(offer: Offer): Promise<void> {
    this.#sid = offer.sid;
    this.#offer = offer;
    this.#isPeerHere = true;
    const isAside = ({ manifest }: OfferItem): boolean =>
      this.#setAside.has(payloadDigest(manifest));
    this.#waiting = [
      ...offer.items.filter((item) => !isAside(item)),
      ...offer.items.filter(isAside),
    ];
    const transfer = this.#transfer;
    if (transfer === undefined) return;
    const { digest } = transfer.segment;
    const same = offer.items.find(({ manifest }) => payloadDigest(manifest) === digest);
    if (same === undefined) {
      await this.#dropTransfer();
      return;
    }
    this.#waiting = this.#waiting.filter((item) => item !== same);
    transfer.rebind(this.#correspondence(), same.key);
  }

  /** Ends a transfer that is over. */
  async #endTransfer(): Promise<void> {
    const transfer = this.#transfer;
    if (transfer === undefined) return;
    this.#epoch = transfer.epoch;
    if (transfer.stage === 'complete') await this.#finish(transfer);
    else if (transfer.stage === 'abandoned') await this.#giveUp(transfer);
  }

  /** Starts the next transfer when there is none. Never rejects. */
  async #beginNext(): Promise<void> {
    while (this.#transfer === undefined && !this.#isClosed) {
      const item = this.#waiting.shift();
      if (item === undefined) return;
      await this.#consider(item);
    }
  }

  async #finish(transfer: IncomingTransfer): Promise<void> {
    const { segment } = transfer;
    await transfer.seal();
    this.#transfer = undefined;
    if (transfer.droppedHeads > 0) {
      const name = formatSegmentRef(segment.ref);
      this.#ports.tally.add('dropped-heads', { device: this.#device, segment: name });
    }
    await this.#issue(segment);
    const { wants, stalls } = transfer.facts;
    const fact = {
      device: this.#device,
      segment: formatSegmentRef(segment.ref),
      bytes: segment.manifest.file.size,
      wants,
      stalls,
    };
    this.#ports.logger.info(fact, 'segment stored');
    this.#ports.onStored(fact);
  }

  async #giveUp(transfer: IncomingTransfer): Promise<void> {
    const { digest, ref } = transfer.segment;
    this.#ports.tally.add('abandoned', { device: this.#device, segment: formatSegmentRef(ref) });
    this.#putLast(digest);
    await this.#dropTransfer();
  }

  /** The partial file stays; the next offer starts the segment again, after the others. */
  async #transferFailed(error: unknown): Promise<void> {
    this.#countFailure(error);
    if (this.#transfer !== undefined) this.#putLast(this.#transfer.segment.digest);
    await this.#dropTransfer();
  }

  /** The store failed: a full disk, say, or one bad place of it, which must not hold up the other segments. */
  #countFailure(error: unknown): void {
    const why = isCameraError(error) ? error.line : messageOf(error);
    this.#ports.tally.add('store-failed', { device: this.#device, why });
  }

  #putLast(digest: string): void {
    if (this.#setAside.size >= SET_ASIDE_MAX) this.#setAside.clear();
    this.#setAside.add(digest);
  }

  async #dropTransfer(): Promise<void> {
    const transfer = this.#transfer;
    this.#transfer = undefined;
    if (transfer === undefined) return;
    this.#epoch = transfer.epoch;
    try {
      await transfer.close();
    } catch (error) {
      this.#ports.logger.warn({ why: messageOf(error) }, 'cannot close a partial file');
    }
  }

  /** Says the receipt, starts the transfer, or does neither. What is wrong with one item must not stop the others. */
  async #consider(item: OfferItem): Promise<void> {
    try {
      const segment = admit(this.#device, this.#keys, item, this.#offer.certificates);
      await this.#answer(item, segment);
    } catch (error) {
      if (!isCameraError(error) || !itemFaults.has(error.code)) {
        this.#countFailure(error);
        this.#putLast(payloadDigest(item.manifest));
        return;
      }
      const segment = formatSegmentRef(item.ref);
      this.#ports.tally.add('refused-offer', { device: this.#device, segment, why: error.line });
    }
  }

  async #answer(item: OfferItem, segment: AdmittedSegment): Promise<void> {
    const { store, tally } = this.#ports;
    const name = formatSegmentRef(item.ref);
    const stored = await store.find(this.#device, item.ref);
    if (stored !== undefined) {
      if (payloadDigest(stored.manifest) !== segment.digest) {
        tally.add('conflict', { device: this.#device, segment: name });
        await store.keepConflict(this.#device, item.ref, item.manifest);
      } else await this.#confirm(segment, stored.receipt);
      return;
    }
    if (!(await store.hasRoomFor(segment.manifest.file.size))) {
      tally.add('no-room', { device: this.#device, segment: name });
      return;
    }
    const incoming = await store.begin(segment);
    const { clock } = this.#ports;
    const peer = this.#correspondence();
    this.#transfer = new IncomingTransfer(segment, incoming, peer, this.#epoch + 1, clock);
  }

  /** Says the receipt of a stored segment again, or issues it now. */
  async #confirm(segment: AdmittedSegment, receipt: Envelope | undefined): Promise<void> {
    await this.#ports.store.requireCiphertext(segment);
    if (receipt !== undefined && isOwnReceipt(receipt, this.#ports.key)) {
      this.#send(downTopic(this.#device, 'receipt'), encodeReceipt(receipt), 1);
    } else await this.#issue(segment);
  }

  async #issue(segment: AdmittedSegment): Promise<void> {
    const { key, clock, store } = this.#ports;
    const receipt = issueReceipt(segment, key, clock);
    await store.keepReceipt(this.#device, segment.ref, receipt);
    this.#send(downTopic(this.#device, 'receipt'), encodeReceipt(receipt), 1);
  }

  #correspondence(): Correspondence {
    return {
      rx: this.#ports.key.rx,
      sid: this.#offer.sid,
      send: (topic, payload, qos) => {
        this.#send(topic, payload, qos);
      },
    };
  }

  #send(topic: string, payload: Buffer, qos: Qos): void {
    this.#ports.publish(topic, payload, qos).catch((error: unknown) => {
      this.#ports.logger.debug({ topic, why: messageOf(error) }, 'a message was not sent');
    });
  }
}

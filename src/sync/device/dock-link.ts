import { randomBytes } from 'node:crypto';
import type { Cancel } from '../../clock.js';
import { hasErrorCode, messageOf } from '../../errors.js';
import type { Envelope } from '../../evidence/dsse.js';
import type { Logger } from '../../log.js';
import { decodeAck } from '../binary-messages.js';
import { decodeReceipt, decodeReceiverState, decodeWant, encodeDeviceState } from '../messages.js';
import type { Offer } from '../messages.js';
import type { MqttConnection, OutgoingSegments, Will } from '../ports.js';
import type { Tally } from '../tally.js';
import { parseTopic, upTopic } from '../topics.js';
import type { Topic } from '../topics.js';
import { OfferBook } from './offer-book.js';
import type { OfferedSegment, ReadableSegment } from './offer-book.js';
import { OutgoingTransfer } from './outgoing-transfer.js';
import { checkReceipt } from './receipt-check.js';
import type { PinnedReceiver, ReceiptFault } from './receipt-check.js';
import { checkWant } from './want-check.js';
import type { WantFault } from './want-check.js';

/** What the device drops or refuses. */
export type DeviceFault =
  | WantFault
  | Exclude<ReceiptFault, 'repeated'>
  | 'malformed'
  | 'stale-ack'
  | 'unreadable-segment'
  | 'unreadable-certificate';

/** What a link tells the dock session. */
export interface LinkListener {
  connected(isConnected: boolean): void;
  /** A pinned receiver has started anew. */
  receiverStarted(): void;
  /** A want or an ack was good. */
  heard(): void;
  /** A receipt was good and is now to be kept. Said once until `forget`. */
  receipt(segment: OfferedSegment, receipt: Envelope): void;
  sent(bytesDone: number): void;
}

/** Who the device is and whom it believes. */
export interface DeviceIdentity {
  readonly device: string;
  readonly boot: number;
  /** Certificate of this boot's session key. */
  readonly certificate: Envelope;
  readonly receivers: readonly PinnedReceiver[];
}

export const newSessionId = (): string => randomBytes(8).toString('hex');

/** What the broker says when the device is gone, and the device itself before it goes. */
export const lostWill = (device: string, sid: string): Will => ({
  topic: upTopic(device, 'state'),
  payload: encodeDeviceState({ sid, s: 'lost' }),
  retain: true,
});

/**
 * One connection object and everything that lives as long as it: session id, offers, epochs, the answer under way.
 * Judges what comes from the broker; decides nothing about the session.
 */
export class DockLink {
  readonly sid: string;
  readonly connection: MqttConnection;
  readonly offers = new OfferBook();
  readonly #identity: DeviceIdentity;
  readonly #tally: Tally<DeviceFault>;
  readonly #listener: LinkListener;
  readonly #transfer: OutgoingTransfer;
  /** The newest epoch of each pinned receiver since the newest offer. */
  readonly #epochs = new Map<string, number>();
  /** The start of each pinned receiver. */
  readonly #starts = new Map<string, number>();
  /** Keys whose receipt is being kept. */
  readonly #keeping = new Set<number>();
  readonly #cancels: readonly Cancel[];

  constructor(
    sid: string,
    connection: MqttConnection,
    identity: DeviceIdentity,
    segments: OutgoingSegments,
    listener: LinkListener,
    logger: Logger,
    tally: Tally<DeviceFault>,
  ) {
    this.sid = sid;
    this.connection = connection;
    this.#identity = identity;
    this.#tally = tally;
    this.#listener = listener;
    const onSent = (_: OfferedSegment, bytesDone: number): void => {
      listener.sent(bytesDone);
    };
    this.#transfer = new OutgoingTransfer(identity.device, connection, segments, logger, onSent);
    this.#cancels = [
      connection.onMessage((topic, payload) => {
        this.#hear(topic, payload);
      }),
      connection.onConnected((isConnected) => {
        if (!isConnected) this.#transfer.stop();
        listener.connected(isConnected);
      }),
    ];
  }

  /**
   * The next offer, as by `OfferBook.pack`. Receivers may begin at any epoch after it: an offer is repeated when no want
   * was good for a while, and that may be because a forged one was.
   */
  offer(pending: readonly ReadableSegment[], certificates: ReadonlyMap<number, Envelope>): Offer {
    this.#epochs.clear();
    return this.offers.pack(this.sid, pending, certificates);
  }

  /** A receipt that `receipt` handed out is kept (the offer is closed) or could not be (it may come again). */
  settle(segment: OfferedSegment, isKept: boolean): void {
    this.#keeping.delete(segment.key);
    if (isKept) this.offers.close(segment.key);
  }

  /** Ends the answer under way and the connection. Never rejects. */
  async close(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    this.#transfer.stop();
    await this.connection.close();
  }

  #hear(text: string, payload: Buffer): void {
    const topic = parseTopic(text);
    if (topic === undefined) return;
    try {
      this.#take(topic, payload);
    } catch (error) {
      if (!hasErrorCode(error, 'sync/malformed')) throw error;
      this.#tally.add('malformed', { topic: text, why: messageOf(error) });
    }
  }

  #take(topic: Topic, payload: Buffer): void {
    if (topic.kind === 'receiver-state') this.#takeReceiverState(topic.receiver, payload);
    if (topic.kind !== 'down' || topic.device !== this.#identity.device) return;
    if (topic.message === 'want') this.#takeWant(payload);
    else if (topic.message === 'ack') this.#takeAck(payload);
    else this.#takeReceipt(payload);
  }

  #takeReceiverState(rx: string, payload: Buffer): void {
    if (!this.#identity.receivers.some((receiver) => receiver.rx === rx)) return;
    const { s, ts } = decodeReceiverState(payload);
    if (s === 'offline' || this.#starts.get(rx) === ts) return;
    this.#starts.set(rx, ts);
    // Its epochs start again, from a clock that may have been set back.
    this.#epochs.delete(rx);
    this.#listener.receiverStarted();
  }

  #takeWant(payload: Buffer): void {
    const want = decodeWant(payload);
    const { device, receivers } = this.#identity;
    const context = { device, receivers, sid: this.sid, offers: this.offers, epochs: this.#epochs };
    const { segment, fault } = checkWant(want, context);
    if (fault !== undefined) {
      this.#tally.add(fault, { rx: want.rx, key: want.key });
      return;
    }
    this.#epochs.set(want.rx, want.epoch);
    this.#transfer.accept(want, segment);
    this.#listener.heard();
  }

  #takeAck(payload: Buffer): void {
    if (this.#transfer.extend(decodeAck(payload))) this.#listener.heard();
    else this.#tally.add('stale-ack');
  }

  #takeReceipt(payload: Buffer): void {
    const envelope = decodeReceipt(payload);
    const { device, receivers } = this.#identity;
    const { segment, fault } = checkReceipt(envelope, device, receivers, this.offers);
    if (fault !== undefined) {
      if (fault !== 'repeated') this.#tally.add(fault, { key: envelope.signatures[0]?.keyid });
      return;
    }
    if (this.#keeping.has(segment.key)) return;
    this.#keeping.add(segment.key);
    this.#listener.receipt(segment, envelope);
  }
}

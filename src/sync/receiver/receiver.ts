import type { Cancel, Clock } from '../../clock.js';
import { CameraError, hasErrorCode, messageOf } from '../../errors.js';
import { findDeviceChain } from '../../evidence/trust.js';
import type { Trust } from '../../evidence/trust.js';
import type { Logger } from '../../log.js';
import { decodeAttachment, decodeChunk, decodeLeaves } from '../binary-messages.js';
import { decodeBirth, decodeDeviceState, decodeOffer, encodeReceiverState } from '../messages.js';
import type { ReceiverState } from '../messages.js';
import type { MqttConnection, Will } from '../ports.js';
import { Tally } from '../tally.js';
import { parseTopic, receiverFilters, receiverStateTopic } from '../topics.js';
import type { Topic, UpMessage } from '../topics.js';
import { DeviceIntake } from './device-intake.js';
import type { IntakeMessage, ReceiverFault, StoredFact } from './device-intake.js';
import type { EvidenceStore } from './evidence-store.js';
import type { ReceiverKey } from './receipts.js';
import { ACK_SILENCE_MS } from './transfer-state.js';

/** Half the shortest silence that means something. */
const TICK_MS = ACK_SILENCE_MS / 2;

export interface ReceiverPorts {
  readonly store: EvidenceStore;
  /** Connects with the will given. */
  readonly connect: (will: Will) => Promise<MqttConnection>;
  readonly clock: Clock;
  readonly logger: Logger;
}

export interface ReceiverListener {
  /** A segment is durable and its receipt kept. */
  readonly onStored?: (fact: StoredFact) => void;
}

/**
 * Takes in the segments of every device it trusts, verifies and stores them, and signs receipts.
 *
 * INVARIANTS
 * 1. Only devices of the trust file have an intake, so memory is bounded by the trust file.
 * 2. Nothing that comes from the broker throws out of the callback: it is decoded, counted or enqueued.
 * 3. What must not be lost is in the store; a receiver may be killed at any time.
 */
export class Receiver {
  readonly #key: ReceiverKey;
  readonly #trust: Trust;
  readonly #ports: ReceiverPorts;
  readonly #listener: ReceiverListener;
  readonly #logger: Logger;
  readonly #tally: Tally<ReceiverFault>;
  readonly #intakes = new Map<string, DeviceIntake>();
  /** Names this start, so that devices see that everything but the store is forgotten. */
  readonly #startId: number;
  #connection: MqttConnection | undefined;
  #cancels: Cancel[] = [];

  constructor(
    key: ReceiverKey,
    trust: Trust,
    ports: ReceiverPorts,
    listener: ReceiverListener = {},
  ) {
    this.#key = key;
    this.#trust = trust;
    this.#ports = ports;
    this.#listener = listener;
    this.#logger = ports.logger.child({ rx: key.rx });
    this.#tally = new Tally(this.#logger);
    this.#startId = Math.round(ports.clock.wallTime().ms);
  }

  /** What was dropped or refused since the start, by kind. */
  get faults(): Readonly<Partial<Record<ReceiverFault, number>>> {
    return this.#tally.all();
  }

  /** Connects and listens until `close`. Rejects with `sync/no-broker`, or like a publish; then nothing is left open. */
  async start(): Promise<void> {
    if (this.#connection !== undefined) throw new CameraError('internal/bug', 'started twice');
    const connection = await this.#ports.connect(this.#state('offline'));
    this.#connection = connection;
    this.#cancels = [
      connection.onMessage((topic, payload) => {
        this.#hear(topic, payload);
      }),
      this.#ports.clock.every(TICK_MS, () => {
        for (const intake of this.#intakes.values()) intake.tick();
      }),
    ];
    try {
      await connection.subscribe(receiverFilters(this.#key.rx));
    } catch (error) {
      await this.close();
      throw error;
    }
    this.#cancels.push(
      connection.onConnected((isConnected) => {
        if (isConnected) this.#sayOnline();
        for (const intake of this.#intakes.values()) {
          intake.enqueue({ type: 'connected', isConnected });
        }
      }),
    );
  }

  /** Closes partial files and the connection. The next start goes on where this one stopped. */
  async close(): Promise<void> {
    const connection = this.#connection;
    if (connection === undefined) return;
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
    await Promise.all([...this.#intakes.values()].map((intake) => intake.close()));
    this.#intakes.clear();
    const { topic, payload } = this.#state('offline');
    try {
      await connection.publish(topic, payload, { qos: 1, retain: true });
    } catch (error) {
      this.#logger.debug({ why: messageOf(error) }, 'the broker did not hear the goodbye');
    }
    await connection.close();
    this.#connection = undefined;
  }

  #state(s: ReceiverState['s']): Will {
    const payload = encodeReceiverState({ s, ts: this.#startId });
    return { topic: receiverStateTopic(this.#key.rx), payload, retain: true };
  }

  #sayOnline(): void {
    const { topic, payload } = this.#state('online');
    this.#connection?.publish(topic, payload, { qos: 1, retain: true }).catch((error: unknown) => {
      this.#logger.warn({ why: messageOf(error) }, 'the devices do not hear that we are here');
    });
  }

  #hear(text: string, payload: Buffer): void {
    const topic = parseTopic(text);
    if (topic?.kind !== 'up' && topic?.kind !== 'inbox') return;
    const intake = this.#intake(topic.device);
    if (intake === undefined) {
      this.#tally.add('stranger', { device: topic.device });
      return;
    }
    try {
      const message = decode(topic, payload);
      if (message.type === 'birth' && message.birth.device !== topic.device) {
        throw new CameraError('sync/malformed', 'a birth of another device');
      }
      intake.enqueue(message);
    } catch (error) {
      if (!hasErrorCode(error, 'sync/malformed')) throw error;
      this.#tally.add('malformed', { topic: text, why: messageOf(error) });
    }
  }

  #intake(device: string): DeviceIntake | undefined {
    const known = this.#intakes.get(device);
    if (known !== undefined) return known;
    const keys = findDeviceChain(this.#trust, device);
    const connection = this.#connection;
    if (keys === undefined || connection === undefined) return undefined;
    const { store, clock } = this.#ports;
    const intake = new DeviceIntake(device, keys, {
      key: this.#key,
      store,
      clock,
      logger: this.#logger,
      tally: this.#tally,
      publish: (topic, payload, qos) => connection.publish(topic, payload, { qos }),
      onStored: (fact) => this.#listener.onStored?.(fact),
    });
    this.#intakes.set(device, intake);
    return intake;
  }
}

const decoders: Readonly<Record<UpMessage, (payload: Buffer) => IntakeMessage>> = {
  birth: (payload) => ({ type: 'birth', birth: decodeBirth(payload) }),
  state: (payload) => ({ type: 'state', state: decodeDeviceState(payload) }),
  offer: (payload) => ({ type: 'offer', offer: decodeOffer(payload) }),
  leaves: (payload) => ({ type: 'leaves', part: decodeLeaves(payload) }),
  meta: (payload) => ({ type: 'attachment', part: decodeAttachment(payload) }),
};

const decode = (topic: Topic & { kind: 'up' | 'inbox' }, payload: Buffer): IntakeMessage =>
  topic.kind === 'up'
    ? decoders[topic.message](payload)
    : { type: 'chunk', chunk: decodeChunk(payload) };

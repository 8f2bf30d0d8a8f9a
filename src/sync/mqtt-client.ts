import mqtt from 'mqtt';
import type { IConnackPacket, MqttClient } from 'mqtt';
import type { Cancel, Clock } from '../clock.js';
import { CameraError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import { backoffMs } from './backoff.js';
import type { MqttConnection, Qos, Will } from './ports.js';

/** From the first packet to the broker's answer, name lookup and TLS included. */
const CONNECT_TIMEOUT_MS = 10_000;
/** A broker answers a publish in milliseconds; the package's own promise may never settle. */
const REQUEST_TIMEOUT_MS = 10_000;
/** A dead peer is noticed after one and a half of it: before an agent has turned away from the dock. */
const KEEPALIVE_S = 20;
/** A goodbye is one packet. */
const GOODBYE_TIMEOUT_MS = 1_000;
/** Fixed header, topic length, packet id and an empty property list of MQTT 5: what a packet adds to topic and payload. */
const PACKET_OVERHEAD_BYTES = 16;
/** The largest value MQTT 5 allows (§3.1.2.11.3): we take what comes. */
const RECEIVE_MAXIMUM = 65_535;

/** 4 is MQTT 3.1.1, 5 is MQTT 5. Both carry the same bytes. */
export type MqttVersion = 4 | 5;

/** PEM texts for `mqtts:`. */
export interface TlsMaterial {
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

export interface ConnectOptions {
  /** `mqtt://[user[:password]@]host[:port]` or `mqtts://…`. */
  readonly url: string;
  /** Also the id of the device or receiver: a second connection with it ends the first. */
  readonly clientId: string;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly protocolVersion?: MqttVersion;
  readonly will?: Will;
  readonly tls?: TlsMaterial;
  /** For the jitter of the back-off; in [0, 1). */
  readonly random?: () => number;
}

/**
 * Connects with a clean session. Resolves when the broker has accepted the first connection; from then on the
 * connection comes back by itself until it is closed. Rejects with `sync/no-broker` within 10 s, naming the URL
 * without its password, and leaves nothing behind.
 */
export async function connectMqtt(options: ConnectOptions): Promise<MqttConnection> {
  const connection = new MqttClientConnection(options);
  await connection.open();
  return connection;
}

/** The URL as it may be logged. Throws `sync/no-broker` when it is none, or of a scheme other than MQTT's. */
function printableUrl(text: string): string {
  if (!URL.canParse(text) || !/^mqtts?:\/\/[^/]/.test(text)) {
    throw new CameraError('sync/no-broker', 'the broker URL must be mqtt://host or mqtts://host');
  }
  const url = new URL(text);
  url.password = '';
  return url.href;
}

/**
 * INVARIANTS
 * 1. Each connection is a fresh client of the package, so nothing of an old one (store, queue, ids) lives on.
 * 2. Nothing is published while down: the caller is told at once and keeps what must not be lost.
 * 3. "Connected" means subscribed again as well.
 * 4. Every request settles: by the broker, by its timeout, or by the loss of the connection.
 */
class MqttClientConnection implements MqttConnection {
  readonly #options: ConnectOptions;
  readonly #url: string;
  readonly #clock: Clock;
  readonly #logger: Logger;
  readonly #filters = new Map<string, Qos>();
  readonly #messageListeners = new Set<(topic: string, payload: Buffer) => void>();
  readonly #connectedListeners = new Set<(isConnected: boolean) => void>();
  readonly #pending = new Set<(error: CameraError) => void>();
  #client: MqttClient | undefined;
  #packetBytesMax = Infinity;
  #isConnected = false;
  #isClosed = false;
  #failures = 0;
  #cancelRetry: Cancel = () => undefined;

  constructor(options: ConnectOptions) {
    this.#options = options;
    this.#url = printableUrl(options.url);
    this.#clock = options.clock;
    this.#logger = options.logger.child({ broker: this.#url });
  }

  /** The first attempt. */
  open(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#attempt(resolve, (why) => {
        this.#isClosed = true;
        reject(new CameraError('sync/no-broker', `no MQTT broker answers at ${this.#url}: ${why}`));
      });
    });
  }

  publish(topic: string, payload: Buffer, options: { qos: Qos; retain?: boolean }): Promise<void> {
    const bytes = Buffer.byteLength(topic) + payload.length + PACKET_OVERHEAD_BYTES;
    if (this.#isConnected && bytes > this.#packetBytesMax) {
      const limit = `the broker takes packets of ${this.#packetBytesMax} bytes`;
      return Promise.reject(new CameraError('sync/refused', `${topic}: ${limit}, not ${bytes}`));
    }
    const { qos, retain = false } = options;
    return this.#request(`publish to ${topic}`, (client, done) => {
      client.publish(topic, payload, { qos, retain }, done);
      const id = client.getLastMessageId();
      // Without this a broker that never answers would fill the package's store.
      return () => qos > 0 && client.removeOutgoingMessage(id);
    });
  }

  async subscribe(filters: Readonly<Record<string, Qos>>): Promise<void> {
    for (const [filter, qos] of Object.entries(filters)) this.#filters.set(filter, qos);
    await this.#request('subscribe', (client, done) => {
      this.#subscribe(client, filters, done);
      return () => undefined;
    });
  }

  onMessage(listener: (topic: string, payload: Buffer) => void): Cancel {
    this.#messageListeners.add(listener);
    return () => this.#messageListeners.delete(listener);
  }

  onConnected(listener: (isConnected: boolean) => void): Cancel {
    this.#connectedListeners.add(listener);
    listener(this.#isConnected);
    return () => this.#connectedListeners.delete(listener);
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#cancelRetry();
    this.#connectedListeners.clear();
    this.#messageListeners.clear();
    const client = this.#client;
    const wasConnected = this.#isConnected;
    this.#isConnected = false;
    this.#failPending('the connection was closed');
    if (client === undefined) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#clock.after(GOODBYE_TIMEOUT_MS, () => {
        client.stream.destroy();
        resolve();
      });
      client.end(!wasConnected, () => {
        cancel();
        resolve();
      });
    });
  }

  /** One connection from start to end. `onFirst` and `onFailure` belong to `open` and are called at most once. */
  #attempt(onFirst?: () => void, onFailure?: (why: string) => void): void {
    let hasOpened = false;
    let why = 'the connection was closed';
    const ended = (): void => {
      if (this.#client !== client) return;
      this.#client = undefined;
      client?.end(true);
      if (!hasOpened && onFailure !== undefined) onFailure(why);
      else this.#lost(why);
    };
    let client: MqttClient | undefined;
    try {
      client = this.#createClient();
    } catch (error) {
      // Unusable certificates make the package throw at once.
      why = messageOf(error);
      ended();
      return;
    }
    this.#client = client;
    sendAtOnce(client.stream);
    const cancelTimeout = this.#clock.after(CONNECT_TIMEOUT_MS, () => {
      why = `no answer within ${CONNECT_TIMEOUT_MS} ms`;
      client.end(true);
    });
    client.on('error', (error) => {
      why = describeFailure(error);
    });
    client.on('close', () => {
      cancelTimeout();
      ended();
    });
    client.on('message', (topic, payload) => {
      if (this.#client === client) for (const hear of this.#messageListeners) hear(topic, payload);
    });
    client.on('connect', (connack) => {
      hasOpened = true;
      cancelTimeout();
      this.#opened(client, connack, onFirst);
    });
  }

  #createClient(): MqttClient {
    const { url, clientId, protocolVersion = 4, will, tls } = this.#options;
    return mqtt.connect(url, {
      clientId,
      protocolVersion,
      clean: true,
      keepalive: KEEPALIVE_S,
      // Never reached: our own time-out runs on the Clock and says why.
      connectTimeout: 2 * CONNECT_TIMEOUT_MS,
      reconnectPeriod: 0,
      resubscribe: false,
      queueQoSZero: false,
      ...tls,
      ...(protocolVersion === 5 ? { properties: { receiveMaximum: RECEIVE_MAXIMUM } } : {}),
      ...(will === undefined ? {} : { will: { ...will, qos: 1 as const } }),
    });
  }

  #opened(client: MqttClient, connack: IConnackPacket, onFirst?: () => void): void {
    this.#packetBytesMax = connack.properties?.maximumPacketSize ?? Infinity;
    const ready = (): void => {
      if (this.#client !== client || this.#isClosed) return;
      this.#failures = 0;
      this.#setConnected(true);
      onFirst?.();
    };
    if (this.#filters.size === 0) {
      ready();
      return;
    }
    const cancel = this.#clock.after(REQUEST_TIMEOUT_MS, () => client.end(true));
    this.#subscribe(client, Object.fromEntries(this.#filters), (error) => {
      cancel();
      if (error) client.end(true);
      else ready();
    });
  }

  #subscribe(
    client: MqttClient,
    filters: Readonly<Record<string, Qos>>,
    done: (error?: Error | null) => void,
  ): void {
    const map = Object.fromEntries(Object.entries(filters).map(([name, qos]) => [name, { qos }]));
    client.subscribe(map, (error) => {
      done(error);
    });
  }

  #lost(why: string): void {
    if (this.#isClosed) return;
    if (this.#isConnected) this.#logger.warn({ why }, 'connection to the broker lost');
    this.#setConnected(false);
    this.#failPending(why);
    this.#failures += 1;
    const random = this.#options.random ?? Math.random;
    this.#cancelRetry = this.#clock.after(backoffMs(this.#failures, random()), () => {
      this.#attempt();
    });
  }

  #setConnected(isConnected: boolean): void {
    if (this.#isConnected === isConnected) return;
    this.#isConnected = isConnected;
    if (isConnected) this.#logger.info({}, 'connected to the broker');
    for (const listener of this.#connectedListeners) listener(isConnected);
  }

  #failPending(why: string): void {
    for (const fail of [...this.#pending]) {
      fail(new CameraError('sync/lost-connection', `${this.#url}: ${why}`));
    }
  }

  /** `start` sends and returns how to take it back; `done` is the package's answer. */
  #request(
    what: string,
    start: (client: MqttClient, done: (error?: Error | null) => void) => () => unknown,
  ): Promise<void> {
    const client = this.#client;
    if (client === undefined || !this.#isConnected) {
      const message = `cannot ${what}: not connected to ${this.#url}`;
      return Promise.reject(new CameraError('sync/lost-connection', message));
    }
    return new Promise((resolve, reject) => {
      const settle = (error?: CameraError): void => {
        cancel();
        if (!this.#pending.delete(settle)) return;
        if (error === undefined) resolve();
        else reject(error);
      };
      const cancel = this.#clock.after(REQUEST_TIMEOUT_MS, () => {
        const limit = `no answer within ${REQUEST_TIMEOUT_MS} ms`;
        settle(new CameraError('sync/timeout', `cannot ${what}: ${limit}`));
        takeBack();
      });
      this.#pending.add(settle);
      const takeBack = start(client, (error) => {
        settle(error ? requestError(what, error) : undefined);
      });
    });
  }
}

/** The package leaves Nagle's algorithm on: with delayed ACKs every small message would wait up to 40 ms (measured). */
function sendAtOnce(stream: object): void {
  if ('setNoDelay' in stream) (stream as { setNoDelay(isOn: boolean): void }).setNoDelay(true);
}

/** An answer of the broker carries a code; everything else is the connection going down. */
function requestError(what: string, cause: Error): CameraError {
  const isAnswer = 'code' in cause && typeof cause.code === 'number';
  const message = `cannot ${what}: ${cause.message}`;
  return new CameraError(isAnswer ? 'sync/refused' : 'sync/lost-connection', message, { cause });
}

/** Node gathers the refusals of all addresses of a name in one error without a message of its own. */
function describeFailure(error: Error): string {
  if (error.message !== '') return error.message;
  if (error instanceof AggregateError) return error.errors.map(messageOf).join('; ');
  return error.name;
}

import type { Cancel } from '../clock.js';
import type { Envelope } from '../evidence/dsse.js';
import type { SegmentRef } from '../units.js';

/** Deliver at most once, or at least once to the broker. Neither says anything about the receiver. */
export type Qos = 0 | 1;

/** What the broker says in our name when the connection dies without a goodbye. At QoS 1. */
export interface Will {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
}

/** A connection to a broker, MQTT 3.1.1 or 5. Transport only: it keeps nothing that must not be lost. */
export interface MqttConnection {
  /**
   * Resolves when the socket can take more (QoS 0) or the broker answered (QoS 1); awaiting it is back-pressure.
   * Rejects with `sync/lost-connection` when the connection is down or goes down, `sync/timeout` after 10 s,
   * `sync/refused` when the broker says no (MQTT 3.1.1 has no way to say so).
   * `payload` belongs to the connection afterwards.
   */
  publish(topic: string, payload: Buffer, options: { qos: Qos; retain?: boolean }): Promise<void>;
  /** Subscribes again by itself after every reconnect. Rejects like `publish`. */
  subscribe(filters: Readonly<Record<string, Qos>>): Promise<void>;
  onMessage(listener: (topic: string, payload: Buffer) => void): Cancel;
  /** Calls back on every change, and once at the start with the present state. */
  onConnected(listener: (isConnected: boolean) => void): Cancel;
  /** Says goodbye to the broker, so that no will is sent. Never rejects; nothing is called back afterwards. */
  close(): Promise<void>;
}

/** A sealed segment as the device offers it. */
export interface OfferableSegment {
  readonly ref: SegmentRef;
  readonly manifest: Envelope;
  readonly bytes: number;
}

/** A sealed segment open for reading. */
export interface SegmentReader {
  /** The 32-byte leaf hashes of the ciphertext, in order. */
  leaves(): Promise<Buffer>;
  /** Fills `target` from `targetOffset` with `length` bytes of the ciphertext at `offset`; rejects when there are fewer. */
  readInto(target: Buffer, targetOffset: number, length: number, offset: number): Promise<void>;
  /** The sealed metadata (age file), or undefined when the segment has none. */
  meta(): Promise<Buffer | undefined>;
  /** The signed heads, one envelope a line, or undefined when the segment has none. */
  heads(): Promise<Buffer | undefined>;
  close(): Promise<void>;
}

/** What the device side of sync needs from storage. */
export interface OutgoingSegments {
  /** Sealed segments without a verified receipt, oldest first, at most `limit`. */
  pending(limit: number): Promise<readonly OfferableSegment[]>;
  /** How many there are and their bytes: for progress. */
  backlog(): Promise<{ segments: number; bytes: number }>;
  /** The session certificate of a boot that recorded or sealed something that is pending; rejects when it is lost. */
  certificate(boot: number): Promise<Envelope>;
  offered(refs: readonly SegmentRef[]): Promise<void>;
  open(ref: SegmentRef): Promise<SegmentReader>;
  /** Keeps a receipt whose signature, manifest digest and root sync has verified. Idempotent. */
  receipted(ref: SegmentRef, receipt: Envelope): Promise<void>;
}

/** What came over the network to start a recording, as far as is known of it. */
export interface TriggerFact {
  readonly kind: 'command' | 'peer';
  readonly op: string | null;
  /** Name of the fleet key or of the camera that signed it. */
  readonly by: string | null;
  readonly key: string | null;
  readonly nonce: string | null;
}

/** What the device side of triggers needs from storage: a memory that outlives a restart. */
export interface TriggerLedger {
  /**
   * Enters a trigger that is taken and spends its nonce, both durable before it resolves. Resolves false, with nothing
   * entered, when the nonce was spent before. Rejects with the errors of the log; nothing is entered then.
   */
  take(fact: TriggerFact & { readonly nonce: string }, unlogged: number): Promise<boolean>;
  /** Enters one that was refused, with the code word of why, and how many before it were not entered. */
  refuse(fact: TriggerFact, code: string, unlogged: number): Promise<void>;
}

import { z } from 'zod';
import { MEDIA_TYPES, openAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import { signedBytes } from './dsse.js';
import type { Envelope } from './dsse.js';
import {
  claimedTime,
  count,
  counter,
  deviceId,
  digest,
  keyId,
  nonce,
  segmentText,
  words,
} from './fields.js';
import { leafHash } from './merkle-tree.js';
import type { Signer } from './signer.js';

/** A kind of entry: what every entry says, and its own fields. `mono` is in milliseconds of the boot. */
const entry = <T extends string, S extends z.core.$ZodLooseShape>(type: T, fields: S) =>
  z.strictObject({
    v: z.literal(1),
    type: z.literal(type),
    device: deviceId,
    boot: counter,
    mono: count,
    ...fields,
  });

const mode = z.enum(['idle', 'asleep', 'buffering', 'recording', 'post-event', 'fault']);

const schema = z.discriminatedUnion('type', [
  /** The first entry of every boot. */
  entry('boot', { fw: digest, cfg: digest, time: claimedTime }),
  /** The session key of this boot; `cert` is the digest of its certificate's payload. */
  entry('session-key', { key: keyId, spki: z.string().max(80), cert: digest }),
  /**
   * An edge of a button, or of what presses in its place: `fall` is the motion sensor, `command` a signed
   * command, `peer` another camera. Written twice under the same `edge` number: before anything is decided, with null, and again
   * with the outcome and how long it took.
   */
  entry('press', {
    edge: count,
    button: z.enum(['record', 'function', 'fall', 'command', 'peer']),
    pressed: z.boolean(),
    /** Monotonic milliseconds of the edge itself. */
    at: count,
    outcome: z
      .enum([
        'started',
        'mark',
        'stopped',
        'held',
        'released',
        'bounce',
        'first-press',
        'mute-on',
        'mute-off',
        'stealth-on',
        'stealth-off',
        'slept',
        'woke',
        'category',
        'refused-no-video',
        'refused-storage',
        'refused-fault',
        'refused-guarded',
        'refused-battery',
        'refused-heat',
      ])
      .nullable(),
    latency_ms: count.nullable(),
  }),
  entry('mode', { mode, reason: words }),
  /**
   * What came over the network and would start a recording: a signed command, or the word of another camera, whose
   * `stop` only ends the confirmation that a stop needs. Written before anything follows from it; the `press` of the
   * same kind comes after it.
   */
  entry('trigger', {
    kind: z.enum(['command', 'peer']),
    op: z.string().max(32).nullable(),
    /** Name of the fleet key or of the camera that signed it, its key and its nonce, as far as they are known. */
    by: deviceId.nullable(),
    key: keyId.nullable(),
    nonce: nonce.nullable(),
    /** Why it was refused, in the words of the error codes; null when it was taken. */
    code: z.string().max(64).nullable(),
    /** Refusals before this one that have no entry, because there were too many of them. */
    unlogged: count,
  }),
  /** A segment was sealed; `man` is the digest of its manifest's payload. */
  entry('segment', { seg: segmentText, man: digest, size: count, root: digest, last: z.boolean() }),
  /** A segment that a power cut left open was sealed by recovery: so many leaves signed, so many not. */
  entry('recovered', {
    seg: segmentText,
    man: digest,
    signed: count,
    tail: count,
    head: digest.nullable(),
  }),
  entry('config-applied', { version: count, cfg: digest, by: words }),
  /** A receipt was verified; `receipt` is the digest of its payload. */
  entry('receipt', { seg: segmentText, man: digest, rx: deviceId, receipt: digest }),
  entry('fault', { code: words, detail: words }),
  /** Time without pictures; `rec` is null when nothing was being recorded. */
  entry('gap', { rec: counter.nullable(), gap_ms: count, cause: words }),
  /** Silence is recorded in `rec` from `at` on, `media_ms` from its start, or sound again. */
  entry('mute', { rec: counter, on: z.boolean(), at: count, media_ms: count }),
  /** Lights, motor and tones are off, or on again. */
  entry('stealth', { on: z.boolean() }),
  /** What the wearer chose for a recording after its end; null for no choice. Never in the recording itself. */
  entry('category', { rec: counter, category: z.string().max(64).nullable() }),
  /** The recording `from` had its longest time and goes on as `rec`. */
  entry('rolled', { rec: counter, from: counter }),
  /**
   * The clock of the machine stepped, claims another source, or was slewed by half a second: what it would have said at `at`,
   * what it says, and new minus old. `believed` is false when the camera goes on by the time it had.
   */
  entry('clock-set', {
    at: count,
    from: claimedTime,
    time: claimedTime,
    step_ms: z.int(),
    believed: z.boolean(),
  }),
  /**
   * Somebody surer gave the time: what the camera believed of the moment `at`, and what it was. What was recorded in this
   * boot is dated anew by it; every statement made before stays as it is.
   */
  entry('time-correction', {
    at: count,
    before: claimedTime,
    after: claimedTime,
    step_ms: z.int(),
  }),
  /** Once a minute, so that silence is visible. */
  entry('heartbeat', { mode, free_bytes: count }),
]);

/** One line of the device log: a fact, who states it, in which boot and when. */
export type LogEntry = z.infer<typeof schema>;
export type LogEntryType = LogEntry['type'];

const kind: DocumentKind<LogEntry> = { name: 'log entry', type: MEDIA_TYPES.entry, schema };

export const sealEntry = (logEntry: LogEntry, session: Signer): Envelope =>
  sealAs(kind, logEntry, session);

/** Throws `evidence/bad-signature` or `evidence/malformed`. */
export const openEntry = (envelope: Envelope, sessionPublicKey: Buffer): LogEntry =>
  openAs(kind, envelope, [sessionPublicKey]);

/** The leaf of an entry in the device log: over its PAE bytes, so that its type is bound. */
export const entryLeaf = (envelope: Envelope): Buffer => leafHash(signedBytes(envelope));

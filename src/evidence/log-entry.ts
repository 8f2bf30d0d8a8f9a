import { z } from 'zod';
import { CameraError } from '../errors.js';
import { MEDIA_TYPES, openAs, readAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import { decodePayload, signedBytes } from './dsse.js';
import type { Envelope } from './dsse.js';
import {
  claimedTime,
  count,
  counter,
  deviceId,
  digest,
  keyId,
  nonce,
  recordingText,
  segmentText,
  words,
} from './fields.js';
import { leafHash } from './merkle-tree.js';
import type { Signer } from './signer.js';

/** A rotation has two signatures and a body of some 300 bytes. */
const ROTATION_TEXT_MAX = 2000;

/** A kind of entry: what every entry says, and its own fields. `mono` is in milliseconds of the boot. */
const entry = <T extends string, S extends z.core.$ZodLooseShape>(type: T, fields: S) =>
  z.strictObject({
    v: z.literal(1),
    type: z.literal(type),
    device: deviceId,
    boot: counter,
    mono: count,
    /** When it was to be written, in `mono` of the same boot: the card did not take it then, and memory kept it. */
    late: count.optional(),
    ...fields,
  });

const mode = z.enum(['idle', 'asleep', 'buffering', 'recording', 'post-event', 'fault']);

/** Everybody's words about keeping footage; `key` and `nonce` are of the signed document that asked for it, if one did. */
const holdFields = {
  /** A recording, or one segment of it. */
  target: z.union([recordingText, segmentText]),
  /** Who: the name of a fleet key, `local` for a person at the camera, `mark` for what the wearer marked. */
  by: deviceId,
  key: keyId.nullable(),
  nonce: nonce.nullable(),
  reason: words,
};

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
  /** A configuration came into force: its number, digest, and the fleet key or `local` that it is from. */
  entry('config-applied', { version: count, cfg: digest, by: words }),
  /** A segment was offered to a receiver for the first time. */
  entry('offered', { seg: segmentText, man: digest }),
  /** A receipt was verified; `receipt` is the digest of its payload. */
  entry('receipt', { seg: segmentText, man: digest, rx: deviceId, receipt: digest }),
  /**
   * The first half of a deletion: this receipt, and `age` or need of `space`, allow it, and no hold forbids it. From
   * here on the files may go; a power cut may leave some of them.
   */
  entry('deletable', {
    seg: segmentText,
    man: digest,
    receipt: digest,
    cause: z.enum(['age', 'space']),
  }),
  /** The second half: the last file is gone. `receipt` is that of the `deletable` before it, `bytes` what became free. */
  entry('deleted', { seg: segmentText, man: digest, receipt: digest, bytes: count }),
  /** The deletion is taken back before anything was gone: somebody holds it now, or its receipt does not count any more. */
  entry('kept', {
    seg: segmentText,
    man: digest,
    receipt: digest,
    why: z.enum(['hold', 'receipt']),
  }),
  /** A recording or segment must not be deleted, whatever receipt there is. */
  entry('hold', holdFields),
  /** The hold of the same `by` and target ends. */
  entry('release', holdFields),
  /**
   * A receiver cosigned a checkpoint of this log: the first `size` entries cannot be denied any more. `note` is the
   * digest of the text of the whole note, `time` the second that the cosignature claims.
   */
  entry('witnessed', {
    witness: words.min(1),
    key: keyId,
    size: count,
    root: digest,
    time: count,
    note: digest,
  }),
  /**
   * The device key was replaced. `doc` is the rotation in the one text form of its envelope, signed by the old and the
   * new key (`key-rotation.ts`): with it whoever trusts the old key can trust the new one.
   */
  entry('key-rotate', {
    old: keyId,
    new: keyId,
    from_boot: counter,
    doc: z.string().max(ROTATION_TEXT_MAX),
  }),
  /**
   * Who wears the camera, without saying it: SHA-256 over 32 random bytes and the name in UTF-8; the bytes are sealed
   * with the name. Null when nobody is named.
   */
  entry('wearer', { commitment: digest.nullable() }),
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
  /**
   * Every 60 s in every mode, so that a log that is silent for longer has lost entries or its camera had no power.
   * `beat` counts from 1 in each boot: a missing one shows. `free_bytes` is null when the card does not say.
   */
  entry('heartbeat', {
    beat: count.min(1),
    mode,
    docked: z.boolean(),
    free_bytes: count.nullable(),
  }),
  /** The last entry of a boot that ended as it should. A boot without it was cut off. */
  entry('end', { reason: words }),
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

/** An entry that nobody vouches for, or somebody else does. Throws `evidence/malformed`. */
export const readEntry = (envelope: Envelope): LogEntry => {
  if (envelope.payloadType !== kind.type) {
    throw new CameraError(
      'evidence/malformed',
      `expected ${kind.type}, got ${envelope.payloadType}`,
    );
  }
  return readAs(kind, decodePayload(envelope));
};

/** The leaf of an entry in the device log: over its PAE bytes, so that its type is bound. */
export const entryLeaf = (envelope: Envelope): Buffer => leafHash(signedBytes(envelope));

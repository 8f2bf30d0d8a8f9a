import { z } from 'zod';
import { LEAF_BYTES } from './age-container.js';
import { TAG_BYTES } from './age-header.js';
import { MEDIA_TYPES, openAs, readAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import { decodePayload } from './dsse.js';
import type { Envelope } from './dsse.js';
import { NO_DIGEST, count, counter, deviceId, digest, keyId } from './fields.js';
import { TREE_SIZE_MAX } from './merkle-tree.js';
import type { Signer } from './signer.js';

const fileSchema = z.strictObject({
  /** Bytes of the ciphertext; whole leaves only. */
  size: count,
  /** Bytes of leaf 0: the age header and the nonce. */
  head: count.min(1),
  leaf: z.literal(LEAF_BYTES),
  /** Leaves. */
  n: count.min(1).max(TREE_SIZE_MAX),
  root: digest,
});

/** What of the pictures is known when a segment opens. */
export const openingMediaSchema = z.strictObject({
  codec: z.string().max(64),
  /** Pixels; 0 when not known, which only a recovered segment may say. */
  width: count,
  height: count,
  /** Life of the pipeline within the boot, from 1; 0 when not known. */
  run: count,
  /** Media time of the first access unit in its run. */
  start90k: count,
  /** Time without pictures since the previous segment. */
  gap_before_ms: count,
});

const mediaSchema = openingMediaSchema.extend({ duration90k: count, frames: count });

/** What of the pre-event was asked and what there was. */
export const preEventSchema = z.strictObject({
  asked_ms: count,
  got_ms: count,
  reason: z.enum(['none', 'boot', 'memory', 'pipeline-restart', 'sleep']),
});

const recoveredSchema = z.strictObject({
  /** Leaves under the newest valid head. */
  signed: count,
  /** Whole leaves after it, which nobody signed while they were written. */
  tail: count,
  /** Digest of that head's payload; null when there was none. */
  head: digest.nullable(),
});

const shape = z.strictObject({
  v: z.literal(1),
  type: z.literal('segment'),
  device: deviceId,
  /** Key id of the session key that signs this manifest. */
  key: keyId,
  /** Boot whose session key that is: `boot`, or a later one for a segment that recovery sealed. */
  sealed_by: counter,
  boot: counter,
  rec: counter,
  seq: counter,
  /** True in the last segment of a recording. */
  last: z.boolean(),
  /** Digest of the previous manifest's payload in this recording; 64 zeros in the first. */
  prev: digest,
  file: fileSchema,
  /** Size of the MP4 and the salted root over its chunks; null after a power cut, when the salt is lost. */
  plain: z.strictObject({ size: count, root: digest }).nullable(),
  /** Digest of the sealed metadata; null when there is none. */
  meta: digest.nullable(),
  media: mediaSchema,
  /** Start of each fragment: ticks from the start of the segment, byte offset in the MP4. */
  fragments: z.array(z.tuple([count, count])),
  /** What of the pre-event was there; only in the first segment. */
  pre_event: preEventSchema.nullable(),
  /** What the recording began with; only in the first segment, and not in one that recovery sealed. */
  trigger: z.enum(['press', 'fall', 'command', 'peer', 'roll']).optional(),
  end: z.enum(['normal', 'power-loss', 'storage-full', 'stall']),
  /** Only after a power cut. */
  recovered: recoveredSchema.nullable(),
  /** Monotonic milliseconds of the boot: first and last. */
  mono: z.tuple([count, count]),
  /** How good the wall time was. The time itself is in the sealed metadata: a finder of the card must not learn it. */
  time: z.strictObject({
    source: z.enum(['gnss', 'ntp', 'rtc', 'unset']),
    uncertainty_ms: count,
  }),
  /** Digests of the configuration in force and of the program. */
  cfg: digest,
  fw: digest,
});

type Shape = z.infer<typeof shape>;

/** Largest and smallest size of a file with this head and number of leaves; the last leaf may be short. */
function sizeFits({ size, head, n }: Shape['file']): boolean {
  if (n === 1) return size === head;
  const whole = head + (n - 2) * LEAF_BYTES;
  return size >= whole + TAG_BYTES && size <= whole + LEAF_BYTES;
}

const rises = (values: readonly number[]): boolean =>
  values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0));

/** What must hold between fields. Each rule has its own sentence: a broken manifest says what is wrong with it. */
function brokenRule(m: Shape): string | undefined {
  const isCut = m.end === 'power-loss';
  const { recovered } = m;
  if (isCut ? m.sealed_by < m.boot : m.sealed_by !== m.boot) return 'sealed_by: not that boot';
  if (!sizeFits(m.file)) return 'file: size, head and n contradict each other';
  if (isCut !== (recovered !== null)) return 'recovered: belongs to a power cut and only to it';
  if (recovered !== null && recovered.signed + recovered.tail !== m.file.n) {
    return 'recovered: signed and tail are not all leaves';
  }
  if (recovered !== null && recovered.signed > 0 !== (recovered.head !== null)) {
    return 'recovered: leaves are signed by a head or not at all';
  }
  if (!isCut && m.plain === null) return 'plain: missing';
  if (!isCut && m.file.n < 2) return 'file: there is no chunk';
  if (!isCut && (m.media.width === 0 || m.media.height === 0 || m.media.run === 0)) {
    return 'media: width, height or run is missing';
  }
  if (m.seq === 0 && m.prev !== NO_DIGEST) return 'prev: the first segment has none';
  if (m.seq > 0 && m.pre_event !== null) return 'pre_event: only the first segment has one';
  if (!rises(m.fragments.map(([offset90k]) => offset90k))) return 'fragments: times do not rise';
  if (!rises(m.fragments.map(([, offset]) => offset))) return 'fragments: offsets do not rise';
  if (m.mono[1] < m.mono[0]) return 'mono: ends before it starts';
  return undefined;
}

const schema = shape.superRefine((manifest, context) => {
  const message = brokenRule(manifest);
  if (message !== undefined) context.addIssue({ code: 'custom', message });
});

/** The signed record of one segment: which it is, what its files hash to, what it shows and how it ended. */
export type Manifest = z.infer<typeof schema>;

const kind: DocumentKind<Manifest> = {
  name: 'segment manifest',
  type: MEDIA_TYPES.segment,
  schema,
};

export const sealManifest = (manifest: Omit<Manifest, 'v' | 'type'>, session: Signer): Envelope =>
  sealAs(kind, { v: 1, type: 'segment', ...manifest }, session);

/** Throws `evidence/bad-signature` or `evidence/malformed`. */
export const openManifest = (envelope: Envelope, sessionPublicKey: Buffer): Manifest =>
  openAs(kind, envelope, [sessionPublicKey]);

/**
 * The manifest without a look at its signature: for the device reading what it wrote, and to learn which session key
 * is needed. Throws `evidence/malformed`.
 */
export const readManifest = (envelope: Envelope): Manifest => readAs(kind, decodePayload(envelope));

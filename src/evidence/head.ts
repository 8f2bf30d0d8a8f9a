import { z } from 'zod';
import { MEDIA_TYPES, openAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import type { Envelope } from './dsse.js';
import { count, counter, deviceId, digest } from './fields.js';
import { openingMediaSchema, preEventSchema } from './manifest.js';
import { TREE_SIZE_MAX } from './merkle-tree.js';
import type { Signer } from './signer.js';

const openingSchema = z.strictObject({
  media: openingMediaSchema,
  pre_event: preEventSchema.nullable(),
});

/** What the manifest will say and a power cut must not take away: recovery copies it from the first head. */
export type HeadOpening = z.infer<typeof openingSchema>;

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('head'),
  device: deviceId,
  boot: counter,
  rec: counter,
  seq: counter,
  /** Leaves so far. */
  n: count.min(1).max(TREE_SIZE_MAX),
  /** Ciphertext bytes of those leaves. */
  size: count,
  /** Root over them. */
  root: digest,
  /** Monotonic milliseconds of the boot. */
  mono: count,
  /** Video in those leaves and in the 64 KiB or less that the next leaf still waits for. */
  duration90k: count,
  frames: count,
  /** In the first head of a segment, null in all others. */
  opening: openingSchema.nullable(),
});

/**
 * A signed statement about the first leaves of a segment that is still being written. What the newest one covers
 * survives a power cut as signed evidence.
 */
export type Head = z.infer<typeof schema>;

const kind: DocumentKind<Head> = { name: 'head', type: MEDIA_TYPES.head, schema };

export const sealHead = (head: Omit<Head, 'v' | 'type'>, session: Signer): Envelope =>
  sealAs(kind, { v: 1, type: 'head', ...head }, session);

/** Throws `evidence/bad-signature` or `evidence/malformed`. */
export const openHead = (envelope: Envelope, sessionPublicKey: Buffer): Head =>
  openAs(kind, envelope, [sessionPublicKey]);

import { z } from 'zod';
import { MEDIA_TYPES, openAs, readAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import { decodePayload } from './dsse.js';
import type { Envelope } from './dsse.js';
import { count, deviceId, digest, segmentText, words } from './fields.js';
import type { Signer } from './signer.js';

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('receipt'),
  device: deviceId,
  /** `<boot>/<rec>/<seq>`. */
  seg: segmentText,
  /** Digest of the manifest's payload. */
  man: digest,
  /** Root and size of the stored ciphertext. */
  root: digest,
  size: count,
  /** Where the manifest stands in the device log the receiver has witnessed; null while it keeps none. */
  log: z.strictObject({ index: count, size: count, root: digest }).nullable(),
  /** Every place that holds a durable copy. */
  stores: z
    .array(
      z.strictObject({
        id: words.min(1),
        kind: z.enum(['fs', 's3']),
        durable: z.literal(true),
      }),
    )
    .min(1)
    .max(8),
  /** Id of the receiver. */
  rx: deviceId,
  /** Wall milliseconds of the receiver. */
  ts: count,
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
});

/** The receiver's word that it holds a verified, durable copy of a segment. Only this lets the device free the space. */
export type Receipt = z.infer<typeof schema>;

const kind: DocumentKind<Receipt> = { name: 'receipt', type: MEDIA_TYPES.receipt, schema };

export const sealReceipt = (receipt: Omit<Receipt, 'v' | 'type'>, receiverKey: Signer): Envelope =>
  sealAs(kind, { v: 1, type: 'receipt', ...receipt }, receiverKey);

/**
 * Throws `evidence/bad-signature` or `evidence/malformed`. The caller still compares device, segment, manifest digest,
 * root and size with its own.
 */
export const openReceipt = (envelope: Envelope, receiverPublicKey: Buffer): Receipt =>
  openAs(kind, envelope, [receiverPublicKey]);

/** A receipt whose signature was checked before. Throws `evidence/malformed`. */
export const readReceipt = (envelope: Envelope): Receipt => readAs(kind, decodePayload(envelope));

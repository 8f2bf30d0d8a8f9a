import { z } from 'zod';
import { CameraError } from '../errors.js';
import { toCanonicalBytes } from './jcs.js';
import { sha256Hex } from './merkle-tree.js';
import { SIGNATURE_BYTES, keyIdOf, verifySignature } from './public-key.js';
import type { Signer } from './signer.js';

/**
 * DSSE v1 envelopes (github.com/secure-systems-lab/dsse): the signature covers the type as well as the body, so one
 * kind of document cannot pass as another, and the body is verified as it was received, never serialised again.
 *
 * An envelope has ONE text form: a line of JSON with its keys in the order of `Envelope`, no white space, base64
 * without spare bits. Files are compared with that form, because a changed byte that a JSON or base64 parser would
 * shrug off (a space, a doubled key, a bit in the last base64 digit) must not pass as "unchanged".
 */
export interface Envelope {
  readonly payload: string;
  readonly payloadType: string;
  readonly signatures: readonly { readonly keyid: string; readonly sig: string }[];
}

/** With its PAE head a payload stays a valid entry of a tlog-tiles bundle (65,535 bytes). */
export const PAYLOAD_BYTES_MAX = 65_000;
/** Several people may have to sign one document; nobody needs more of them. */
export const SIGNATURES_MAX = 8;
const PAYLOAD_TYPE_LENGTH_MAX = 128;
/** base64 of the largest payload, the signatures and the type. */
export const ENVELOPE_TEXT_MAX = 90_000;

const isCanonicalBase64 = (text: string): boolean =>
  Buffer.from(text, 'base64').toString('base64') === text;

const base64 = (bytesMax: number): z.ZodString =>
  z
    .string()
    .max(Math.ceil(bytesMax / 3) * 4)
    .refine(isCanonicalBase64, 'not canonical base64');

export const envelopeSchema: z.ZodType<Envelope> = z.strictObject({
  payload: base64(PAYLOAD_BYTES_MAX),
  payloadType: z
    .string()
    .max(PAYLOAD_TYPE_LENGTH_MAX)
    .regex(/^[\x21-\x7e]+$/),
  signatures: z
    .array(
      z.strictObject({
        keyid: z.string().regex(/^[0-9a-f]{16}$/),
        sig: base64(SIGNATURE_BYTES),
      }),
    )
    .min(1)
    .max(SIGNATURES_MAX),
});

/** Pre-authentication encoding: the bytes that are signed, and the bytes of a log entry. */
export const pae = (type: string, body: Uint8Array): Buffer =>
  Buffer.concat([
    Buffer.from(`DSSEv1 ${Buffer.byteLength(type)} ${type} ${body.length} `, 'utf8'),
    body,
  ]);

/** Signs the canonical form of `document`. Throws `evidence/malformed` when it has none or is too large. */
export function sealDocument(
  document: unknown,
  type: string,
  signer: Pick<Signer, 'sign' | 'keyId'>,
): Envelope {
  const body = toCanonicalBytes(document);
  if (body.length > PAYLOAD_BYTES_MAX) {
    throw new CameraError('evidence/malformed', `document of ${body.length} bytes is too large`);
  }
  const sig = signer.sign(pae(type, body)).toString('base64');
  return {
    payload: body.toString('base64'),
    payloadType: type,
    signatures: [{ keyid: signer.keyId, sig }],
  };
}

/** The same document, signed once more. */
export const addSignature = (
  envelope: Envelope,
  signer: Pick<Signer, 'sign' | 'keyId'>,
): Envelope => ({
  ...envelope,
  signatures: [
    ...envelope.signatures,
    { keyid: signer.keyId, sig: signer.sign(signedBytes(envelope)).toString('base64') },
  ],
});

/** The body, unverified. */
export const decodePayload = (envelope: Envelope): Buffer =>
  Buffer.from(envelope.payload, 'base64');

/** SHA-256 of the body in hex: how other documents name this one. */
export const payloadDigest = (envelope: Envelope): string => sha256Hex(decodePayload(envelope));

/** The bytes that the signatures of an envelope cover. */
export const signedBytes = (envelope: Envelope): Buffer =>
  pae(envelope.payloadType, decodePayload(envelope));

/**
 * The body, verified: the envelope is of `type` and every one of its signatures is by one of `publicKeys` and names
 * that key. Throws `evidence/malformed` for another type, `evidence/bad-signature` for a signature that does not hold
 * or whose key is not among `publicKeys`.
 */
export function openEnvelope(
  envelope: Envelope,
  type: string,
  publicKeys: readonly Buffer[],
): Buffer {
  if (envelope.payloadType !== type) {
    throw new CameraError('evidence/malformed', `expected ${type}, got ${envelope.payloadType}`);
  }
  const signed = signedBytes(envelope);
  for (const { keyid, sig } of envelope.signatures) {
    const publicKey = publicKeys.find((key) => keyIdOf(key) === keyid);
    if (publicKey === undefined) {
      throw new CameraError('evidence/bad-signature', `signed by the unknown key ${keyid}`);
    }
    if (!verifySignature(publicKey, signed, Buffer.from(sig, 'base64'))) {
      throw new CameraError('evidence/bad-signature', `the signature of ${keyid} does not hold`);
    }
  }
  if (envelope.signatures.length === 0) {
    throw new CameraError('evidence/bad-signature', 'there is no signature');
  }
  return decodePayload(envelope);
}

/** The one text form, one line without its newline. */
export const formatEnvelope = ({ payload, payloadType, signatures }: Envelope): string =>
  JSON.stringify({
    payload,
    payloadType,
    signatures: signatures.map(({ keyid, sig }) => ({ keyid, sig })),
  });

/** What an envelope file holds: the one line and its newline. */
export const formatEnvelopeFile = (envelope: Envelope): string => `${formatEnvelope(envelope)}\n`;

/**
 * Reads the one text form; a single newline at the end may be there or not. Says nothing about the signatures.
 * Throws `evidence/malformed` for any other text, however little it differs.
 */
export function parseEnvelope(text: string): Envelope {
  const line = text.endsWith('\n') ? text.slice(0, -1) : text;
  if (line.length > ENVELOPE_TEXT_MAX) {
    throw new CameraError('evidence/malformed', 'envelope is too long');
  }
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch (cause) {
    throw new CameraError('evidence/malformed', 'envelope is not JSON', { cause });
  }
  const result = envelopeSchema.safeParse(value);
  if (!result.success) {
    throw new CameraError('evidence/malformed', 'not a DSSE envelope', { cause: result.error });
  }
  if (formatEnvelope(result.data) !== line) {
    throw new CameraError('evidence/malformed', 'envelope is not in its canonical form');
  }
  return result.data;
}

/** Like `parseEnvelope`, and the newline must be there: a file is one whole line. */
export function parseEnvelopeFile(text: string): Envelope {
  if (!text.endsWith('\n')) {
    throw new CameraError('evidence/malformed', 'envelope file does not end with a newline');
  }
  return parseEnvelope(text);
}

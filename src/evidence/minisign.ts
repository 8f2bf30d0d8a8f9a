import { createHash } from 'node:crypto';
import { CameraError } from '../errors.js';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES } from './public-key.js';
import type { Signer } from './signer.js';

/**
 * minisign's files (jedisct1, minisign(1), "Signature format" and "Public key format"): Ed25519 of the BLAKE2b-512 of a
 * file, and a second signature over that and a trusted comment. Written only: `minisign -V` is the reader.
 */

/** Of the prehashed form, the only one minisign writes since 0.10. */
const PREHASHED = 'ED';
/** Of a public key, whatever the form of its signatures. */
const KEY = 'Ed';
const KEY_ID_BYTES = 8;
/** BLAKE2b-512. */
export const MINISIGN_DIGEST_BYTES = 64;
/** minisign reads so many bytes of a trusted comment, its prefix included (COMMENTMAXBYTES 1024, TRUSTEDCOMMENTMAXBYTES 8192). */
const COMMENT_LENGTH_MAX = 1_000;

/** What minisign shows as the name of a key; a hint, never a proof. */
const keyIdOf = (publicKey: Buffer): Buffer =>
  createHash('sha256').update(publicKey).digest().subarray(0, KEY_ID_BYTES);

/** The key id as minisign prints it: 16 hex digits, the bytes from the last to the first. */
export const minisignKeyId = (publicKey: Buffer): string =>
  Buffer.from(keyIdOf(publicKey)).reverse().toString('hex').toUpperCase();

/** The key in one line, for `minisign -P`. */
export function minisignKey(publicKey: Buffer): string {
  if (publicKey.length !== PUBLIC_KEY_BYTES) throw new RangeError('not an Ed25519 public key');
  return Buffer.concat([Buffer.from(KEY), keyIdOf(publicKey), publicKey]).toString('base64');
}

/** The text of a public key file, for `minisign -p`. */
export const minisignKeyFile = (publicKey: Buffer): string =>
  `untrusted comment: minisign public key ${minisignKeyId(publicKey)}\n${minisignKey(publicKey)}\n`;

/**
 * The text of a `.minisig` file. `digest` is the BLAKE2b-512 of the file; `comment` is signed and shown by minisign.
 * Throws `evidence/malformed` for a comment of more than one line or of more than 1,000 characters.
 */
export function minisign(digest: Buffer, comment: string, signer: Signer): string {
  if (digest.length !== MINISIGN_DIGEST_BYTES) throw new RangeError('not a BLAKE2b-512 digest');
  if (comment.length > COMMENT_LENGTH_MAX || /\p{Cc}/u.test(comment)) {
    throw new CameraError(
      'evidence/malformed',
      'a trusted comment is one line of 1,000 characters',
    );
  }
  const signature = signer.sign(digest);
  const whole = signer.sign(Buffer.concat([signature, Buffer.from(comment, 'utf8')]));
  if (signature.length !== SIGNATURE_BYTES) throw new RangeError('not an Ed25519 signature');
  const head = Buffer.concat([Buffer.from(PREHASHED), keyIdOf(signer.publicKey)]);
  return [
    `untrusted comment: signature of a lapel export, key ${minisignKeyId(signer.publicKey)}`,
    Buffer.concat([head, signature]).toString('base64'),
    `trusted comment: ${comment}`,
    whole.toString('base64'),
    '',
  ].join('\n');
}

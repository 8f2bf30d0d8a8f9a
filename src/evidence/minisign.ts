import { createHash } from 'node:crypto';
import { CameraError } from '../errors.js';
import { PUBLIC_KEY_BYTES, SIGNATURE_BYTES, verifySignature } from './public-key.js';
import type { Signer } from './signer.js';

/**
 * minisign's files (jedisct1, minisign(1), "Signature format" and "Public key format"): Ed25519 of the BLAKE2b-512 of a
 * file, and a second signature over that and a trusted comment. `minisign -V` reads what is written here.
 */

/** Of the prehashed form, the only one minisign writes since 0.10. */
const PREHASHED = 'ED';
/** Of a public key, whatever the form of its signatures. */
const KEY = 'Ed';
const KEY_ID_BYTES = 8;
const TRUSTED = 'trusted comment: ';
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
  return [
    `untrusted comment: signature of a lapel export, key ${minisignKeyId(signer.publicKey)}`,
    Buffer.concat([headOf(signer.publicKey), signature]).toString('base64'),
    `${TRUSTED}${comment}`,
    whole.toString('base64'),
    '',
  ].join('\n');
}

/**
 * The trusted comment of a `.minisig` file that `publicKey` has signed for a file of this BLAKE2b-512; undefined for any other
 * text, also for the older form without prehash. The first line is nobody's word and not looked at.
 */
export function openMinisign(text: string, digest: Buffer, publicKey: Buffer): string | undefined {
  const [, head = '', comment = '', whole = '', ...rest] = text.split('\n');
  const bytes = Buffer.from(head, 'base64');
  const signature = bytes.subarray(PREHASHED.length + KEY_ID_BYTES);
  const commentSignature = Buffer.from(whole, 'base64');
  const isOneForm =
    rest.length === 1 &&
    rest[0] === '' &&
    comment.startsWith(TRUSTED) &&
    bytes.toString('base64') === head &&
    commentSignature.toString('base64') === whole &&
    bytes.subarray(0, -SIGNATURE_BYTES).equals(headOf(publicKey));
  if (!isOneForm) return undefined;
  const trusted = comment.slice(TRUSTED.length);
  const signed = Buffer.concat([signature, Buffer.from(trusted, 'utf8')]);
  const holds =
    verifySignature(publicKey, digest, signature) &&
    verifySignature(publicKey, signed, commentSignature);
  return holds ? trusted : undefined;
}

/** What stands before a signature: its form, and whose it says it is. */
const headOf = (publicKey: Buffer): Buffer =>
  Buffer.concat([Buffer.from(PREHASHED), keyIdOf(publicKey)]);

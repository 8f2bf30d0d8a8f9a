import { createPublicKey, verify } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import { CameraError } from '../errors.js';
import { sha256Hex } from './merkle-tree.js';

/** Ed25519 public keys (RFC 8032): 32 raw bytes in memory, SubjectPublicKeyInfo (RFC 8410) in documents. */

export const PUBLIC_KEY_BYTES = 32;
export const SIGNATURE_BYTES = 64;

/** Key ids are hints for people and look-ups, never a proof; 8 bytes do not collide by chance within one fleet. */
const KEY_ID_DIGITS = 16;

/** DER of SubjectPublicKeyInfo up to the raw key: SEQUENCE { SEQUENCE { id-Ed25519 }, BIT STRING }. */
const SPKI_PREFIX = Buffer.from('302a300506032b6570032100', 'hex');

const keyObjectOf = (publicKey: Buffer): KeyObject =>
  createPublicKey({ key: Buffer.concat([SPKI_PREFIX, publicKey]), format: 'der', type: 'spki' });

/**
 * True when `signature` is an Ed25519 signature of `bytes` by `publicKey`. False for a signature or key of the wrong
 * length or form; never throws.
 */
export function verifySignature(
  publicKey: Buffer,
  bytes: Uint8Array,
  signature: Uint8Array,
): boolean {
  if (publicKey.length !== PUBLIC_KEY_BYTES || signature.length !== SIGNATURE_BYTES) return false;
  try {
    return verify(null, bytes, keyObjectOf(publicKey), signature);
  } catch {
    return false; // OpenSSL throws on some points that are not on the curve: such a key has signed nothing.
  }
}

/** Base64 DER SubjectPublicKeyInfo on one line: between the two lines of a PEM file, openssl reads it. */
export const toSpkiBase64 = (publicKey: Buffer): string =>
  Buffer.concat([SPKI_PREFIX, publicKey]).toString('base64');

/** The raw key. Throws `evidence/malformed` unless the text is exactly what `toSpkiBase64` writes. */
export function fromSpkiBase64(text: string): Buffer {
  const der = Buffer.from(text, 'base64');
  const publicKey = Buffer.from(der.subarray(SPKI_PREFIX.length));
  if (publicKey.length !== PUBLIC_KEY_BYTES || toSpkiBase64(publicKey) !== text) {
    throw new CameraError('evidence/malformed', 'not an Ed25519 public key in base64 SPKI');
  }
  return publicKey;
}

/** First 16 hex digits of SHA-256 over the raw key. */
export const keyIdOf = (publicKey: Buffer): string => sha256Hex(publicKey).slice(0, KEY_ID_DIGITS);

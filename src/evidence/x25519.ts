import { createPrivateKey, createPublicKey, diffieHellman, generateKeyPairSync } from 'node:crypto';
import type { KeyObject } from 'node:crypto';

/** X25519 (RFC 7748) with raw 32-byte keys, on node:crypto. */

export const X25519_BYTES = 32;

/** DER up to the raw key (RFC 8410). */
const SPKI_PREFIX = Buffer.from('302a300506032b656e032100', 'hex');
const PKCS8_PREFIX = Buffer.from('302e020100300506032b656e04220420', 'hex');

/** Both are raw. */
export interface X25519Pair {
  readonly privateKey: KeyObject;
  readonly publicKey: Buffer;
}

const rawTail = (der: Buffer): Buffer => Buffer.from(der.subarray(-X25519_BYTES));

const pairFrom = (privateKey: KeyObject): X25519Pair => ({
  privateKey,
  publicKey: rawTail(createPublicKey(privateKey).export({ format: 'der', type: 'spki' })),
});

/** A fresh random pair. */
export const generatePair = (): X25519Pair => pairFrom(generateKeyPairSync('x25519').privateKey);

/** The pair of a raw private key of `X25519_BYTES` bytes. */
export const pairOf = (secret: Uint8Array): X25519Pair =>
  pairFrom(
    createPrivateKey({ key: Buffer.concat([PKCS8_PREFIX, secret]), format: 'der', type: 'pkcs8' }),
  );

/** The raw private key. */
export const secretOf = ({ privateKey }: X25519Pair): Buffer =>
  rawTail(privateKey.export({ format: 'der', type: 'pkcs8' }));

/**
 * The shared secret, or undefined when `theirs` is a point of low order: the secret would be zero for everybody
 * (RFC 7748 §6.1).
 */
export function sharedSecret({ privateKey }: X25519Pair, theirs: Buffer): Buffer | undefined {
  try {
    const publicKey = createPublicKey({
      key: Buffer.concat([SPKI_PREFIX, theirs]),
      format: 'der',
      type: 'spki',
    });
    return diffieHellman({ privateKey, publicKey });
  } catch {
    return undefined; // OpenSSL refuses exactly these points, and keys of the wrong length.
  }
}

import nacl from 'tweetnacl';
import { keyIdOf } from './public-key.js';

export const SEED_BYTES = 32;

/**
 * One Ed25519 private key. For digests and documents of a few kilobytes only: a signature costs 2 to 4 ms and bulk
 * data 30 MB/s. The verifying side uses node:crypto, which accepts the very same signatures.
 */
export interface Signer {
  /** Raw, 32 bytes. */
  readonly publicKey: Buffer;
  readonly keyId: string;
  /** 64 bytes, the same for the same bytes (RFC 8032). Throws Error after `destroy`. */
  sign(bytes: Uint8Array): Buffer;
  /** Overwrites the private key in memory. Idempotent. */
  destroy(): void;
}

/**
 * The key that grows from a secret seed (RFC 8032 §5.1.5). The seed is copied: the caller may overwrite its own.
 * Throws RangeError unless it has `SEED_BYTES` bytes.
 */
export function createSigner(seed: Uint8Array): Signer {
  if (seed.length !== SEED_BYTES) throw new RangeError(`a seed has ${SEED_BYTES} bytes`);
  const pair = nacl.sign.keyPair.fromSeed(seed);
  const publicKey = Buffer.from(pair.publicKey);
  let isDestroyed = false;
  return {
    publicKey,
    keyId: keyIdOf(publicKey),
    sign(bytes) {
      if (isDestroyed) throw new Error('signer is destroyed');
      return Buffer.from(nacl.sign.detached(bytes, pair.secretKey));
    },
    destroy() {
      isDestroyed = true;
      pair.secretKey.fill(0);
    },
  };
}

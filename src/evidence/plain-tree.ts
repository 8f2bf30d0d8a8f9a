import { Frontier, leafHash } from './merkle-tree.js';

export const SALT_BYTES = 32;

/**
 * The tree over the plaintext of a segment, for whoever holds only the decrypted MP4. Its leaves are
 * `SHA-256(0x00 ‖ salt ‖ chunk)` over the same 64 KiB chunks that are encrypted. The salt is kept sealed: a plain hash
 * would let a thief of the card confirm a guess of what was filmed.
 */
export class PlainTree {
  readonly #salt: Buffer;
  readonly #tree = new Frontier();
  #size = 0;

  /** Throws RangeError unless the salt has `SALT_BYTES` bytes. */
  constructor(salt: Buffer) {
    if (salt.length !== SALT_BYTES) throw new RangeError(`a salt has ${SALT_BYTES} bytes`);
    this.#salt = salt;
  }

  /** Bytes so far. */
  get size(): number {
    return this.#size;
  }

  /** Appends one chunk, given in parts. */
  push(...parts: readonly Buffer[]): void {
    this.#tree.push(leafHash(this.#salt, ...parts));
    for (const part of parts) this.#size += part.length;
  }

  root(): Buffer {
    return this.#tree.root();
  }
}

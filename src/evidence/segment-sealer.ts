import { randomBytes } from 'node:crypto';
import { AgeWriter, LEAF_BYTES } from './age-container.js';
import type { AgeRecipient } from './age-recipients.js';
import { Frontier, leafHash } from './merkle-tree.js';
import { PlainTree, SALT_BYTES } from './plain-tree.js';

/** One leaf of the ciphertext, ready to be written, and its hash for the leaf list. */
export interface Leaf {
  readonly bytes: Buffer;
  readonly hash: Buffer;
}

/** What the manifest, and every head, says about the ciphertext so far. */
export interface FileFacts {
  readonly size: number;
  /** Bytes of leaf 0. */
  readonly head: number;
  readonly leaf: typeof LEAF_BYTES;
  readonly n: number;
  readonly root: Buffer;
}

/** What the manifest says about the plaintext. */
export interface PlainFacts {
  readonly size: number;
  readonly root: Buffer;
}

export interface SegmentSealerOptions {
  readonly recipients: readonly AgeRecipient[];
  /** Random by default. 32 bytes. */
  readonly salt?: Buffer;
}

/**
 * Turns the plaintext of one segment into encrypted leaves and both trees over it, as it comes. Order of use: `start`
 * once, `push` as often as needed, `end` once; anything else throws Error. Keeps at most one chunk of plaintext.
 */
export class SegmentSealer {
  /** Belongs into the sealed metadata: with it, the holder of the decrypted MP4 can check it against the manifest. */
  readonly salt: Buffer;
  readonly #writer: AgeWriter;
  readonly #tree = new Frontier();
  readonly #plainTree: PlainTree;
  #size = 0;

  /** Throws `evidence/bad-recipient` for none or too many recipients. */
  constructor({ recipients, salt = randomBytes(SALT_BYTES) }: SegmentSealerOptions) {
    this.salt = salt;
    this.#plainTree = new PlainTree(salt);
    this.#writer = new AgeWriter(recipients, (parts) => {
      this.#plainTree.push(...parts);
    });
  }

  /** Plaintext that was pushed and is in no leaf yet. */
  get pendingBytes(): number {
    return this.#writer.pendingBytes;
  }

  /** Leaf 0. */
  start(): Leaf[] {
    if (this.#tree.size > 0) throw new Error('segment has started');
    return [this.#leaf(this.#writer.head)];
  }

  /** The leaves that are whole now. The parts may be reused afterwards. */
  push(parts: readonly Buffer[]): Leaf[] {
    if (this.#tree.size === 0) throw new Error('segment has not started');
    return parts.flatMap((part) => this.#writer.push(part)).map((bytes) => this.#leaf(bytes));
  }

  /** The final leaf. Afterwards `file` and `plain` are those of the whole segment, and the file key is gone. */
  end(): Leaf[] {
    if (this.#tree.size === 0) throw new Error('segment has not started');
    return [this.#leaf(this.#writer.end())];
  }

  /** About the leaves returned so far. */
  file(): FileFacts {
    return {
      size: this.#size,
      head: this.#writer.head.length,
      leaf: LEAF_BYTES,
      n: this.#tree.size,
      root: this.#tree.root(),
    };
  }

  /** About the plaintext in the leaves returned so far. */
  plain(): PlainFacts {
    return { size: this.#plainTree.size, root: this.#plainTree.root() };
  }

  #leaf(bytes: Buffer): Leaf {
    const hash = leafHash(bytes);
    this.#tree.push(hash);
    this.#size += bytes.length;
    return { bytes, hash };
  }
}

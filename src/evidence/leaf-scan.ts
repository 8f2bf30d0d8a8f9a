import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { LEAF_BYTES } from './age-container.js';
import { HASH_BYTES } from './merkle-tree.js';

/** Where the leaves of a file lie. */
export interface LeafLayout {
  /** Bytes of leaf 0. */
  readonly head: number;
  /** Bytes of all leaves. */
  readonly size: number;
}

/** What a file holds, measured against its layout. */
export interface LeafScan {
  /** Hashes of the whole leaves from the start, one after the other. */
  readonly hashes: Buffer;
  /** All bytes, also those past the layout. */
  readonly bytes: number;
}

/** 64 MiB of a file in 32 KiB. */
const LEAVES_PER_BLOCK = 1024;

const LEAF_PREFIX = Buffer.from([0]);

const beginLeaf = (): Hash => createHash('sha256').update(LEAF_PREFIX);

/**
 * Hashes the leaves of a file as its bytes come, in pieces of any size, keeping 32 bytes per leaf and no piece.
 * Bytes past the layout's `size` are counted, not hashed.
 */
export class LeafHasher {
  readonly #size: number;
  readonly #blocks: Buffer[] = [];
  #leaves = 0;
  #bytes = 0;
  #leafEnd: number;
  #hash = beginLeaf();

  constructor({ head, size }: LeafLayout) {
    this.#size = size;
    this.#leafEnd = Math.min(head, size);
  }

  /** Takes the next bytes; they may be reused afterwards. */
  push(piece: Buffer): void {
    let at = 0;
    while (at < piece.length && this.#bytes + at < this.#size) {
      const take = Math.min(piece.length - at, this.#leafEnd - this.#bytes - at);
      this.#hash.update(piece.subarray(at, at + take));
      at += take;
      if (this.#bytes + at < this.#leafEnd) continue;
      this.#keep(this.#hash.digest());
      this.#hash = beginLeaf();
      this.#leafEnd = Math.min(this.#leafEnd + LEAF_BYTES, this.#size);
    }
    this.#bytes += piece.length;
  }

  end(): LeafScan {
    const hashes = Buffer.concat(this.#blocks).subarray(0, this.#leaves * HASH_BYTES);
    return { hashes, bytes: this.#bytes };
  }

  /** Into blocks: a buffer for each of a million hashes would take several times their bytes. */
  #keep(hash: Buffer): void {
    const at = this.#leaves % LEAVES_PER_BLOCK;
    if (at === 0) this.#blocks.push(Buffer.alloc(LEAVES_PER_BLOCK * HASH_BYTES));
    hash.copy(this.#blocks.at(-1) ?? hash, at * HASH_BYTES);
    this.#leaves += 1;
  }
}

/** The same for a source of pieces. Errors of the source pass through. */
export async function scanLeaves(
  source: AsyncIterable<Buffer>,
  layout: LeafLayout,
): Promise<LeafScan> {
  const hasher = new LeafHasher(layout);
  for await (const piece of source) hasher.push(piece);
  return hasher.end();
}

import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';

/**
 * The Merkle tree of RFC 6962 §2.1 over SHA-256. Leaves and inner nodes are hashed behind different first bytes, so
 * one can never pass as the other. A list of leaves is the concatenation of their 32-byte hashes: the form in which
 * it stands on the card and crosses the wire.
 */

export const HASH_BYTES = 32;

/** Sizes are counted with 32-bit operations; 2^30 leaves are 64 TiB of one segment, or 2,000 years of heartbeats. */
export const TREE_SIZE_MAX = 2 ** 30;

const LEAF_PREFIX = Buffer.from([0]);
const NODE_PREFIX = Buffer.from([1]);

const hashOf = (parts: readonly Uint8Array[]): Hash => {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(part);
  return hash;
};

/** SHA-256 of the parts one after the other, without joining them in memory. */
export const sha256 = (...parts: readonly Uint8Array[]): Buffer => hashOf(parts).digest();

/** SHA-256 of the parts in lower-case hex: how digests are written in documents. */
export const sha256Hex = (...parts: readonly Uint8Array[]): string => hashOf(parts).digest('hex');

/** Hash of one leaf given in parts: `SHA-256(0x00 ‖ parts)`. */
export const leafHash = (...parts: readonly Uint8Array[]): Buffer => sha256(LEAF_PREFIX, ...parts);

/** Hash of an inner node: `SHA-256(0x01 ‖ left ‖ right)`. */
export const nodeHash = (left: Uint8Array, right: Uint8Array): Buffer =>
  sha256(NODE_PREFIX, left, right);

/** The root of a tree that still grows, in O(log n) memory. */
export class Frontier {
  /** Roots of the full subtrees from left to right, sizes strictly falling. */
  readonly #subtrees: Buffer[] = [];
  #size = 0;

  /**
   * The tree of `size` leaves whose full subtrees have these roots, the largest first. Throws RangeError when there are not
   * as many as `size` has binary ones.
   */
  static of(size: number, subtrees: readonly Buffer[]): Frontier {
    if (!isSize(size) || subtrees.length !== size.toString(2).replaceAll('0', '').length) {
      throw new RangeError(`not the subtrees of ${String(size)} leaves`);
    }
    const frontier = new Frontier();
    frontier.#size = size;
    frontier.#subtrees.push(...subtrees);
    return frontier;
  }

  get size(): number {
    return this.#size;
  }

  /** One of its own that grows on its own. */
  clone(): Frontier {
    return Frontier.of(this.#size, this.#subtrees);
  }

  /** Appends one leaf hash. Throws RangeError past `TREE_SIZE_MAX`. */
  push(hash: Buffer): void {
    if (this.#size === TREE_SIZE_MAX) throw new RangeError('tree is full');
    this.#size += 1;
    let subtree = hash;
    for (let n = this.#size; (n & 1) === 0; n >>= 1) {
      const left = this.#subtrees.pop();
      if (left === undefined) throw new RangeError('frontier out of step with its size');
      subtree = nodeHash(left, subtree);
    }
    this.#subtrees.push(subtree);
  }

  /** Root over the leaves so far; of no leaves it is SHA-256 of nothing (RFC 6962 §2.1). */
  root(): Buffer {
    if (this.#size === 0) return sha256();
    return this.#subtrees.reduceRight((right, left) => nodeHash(left, right));
  }
}

/** How many hashes a list holds. Throws RangeError when it is cut inside a hash. */
export function leafCount(leaves: Uint8Array): number {
  if (leaves.length % HASH_BYTES !== 0) throw new RangeError('leaf list is cut inside a hash');
  return leaves.length / HASH_BYTES;
}

/** The hash at `index`, as a view. */
export const leafAt = (leaves: Buffer, index: number): Buffer =>
  leaves.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);

/** Root over a list of leaf hashes. Throws RangeError when the list is cut inside a hash. */
export function rootOfLeaves(leaves: Buffer): Buffer {
  const frontier = new Frontier();
  const count = leafCount(leaves);
  for (let index = 0; index < count; index += 1) frontier.push(leafAt(leaves, index));
  return frontier.root();
}

/** Largest power of two below `size` (≥ 2): where RFC 6962 splits a tree. */
export const splitOf = (size: number): number => 2 ** (31 - Math.clz32(size - 1));

const cut = (leaves: Buffer, at: number): [Buffer, Buffer] => [
  leaves.subarray(0, at * HASH_BYTES),
  leaves.subarray(at * HASH_BYTES),
];

/** Audit path of RFC 6962 §2.1.1, from the leaf's sibling up. Throws RangeError when there is no such leaf. */
export function inclusionProof(index: number, leaves: Buffer): Buffer[] {
  const size = leafCount(leaves);
  if (!Number.isInteger(index) || index < 0 || index >= size) {
    throw new RangeError(`no leaf ${String(index)}`);
  }
  if (size === 1) return [];
  const split = splitOf(size);
  const [left, right] = cut(leaves, split);
  return index < split
    ? [...inclusionProof(index, left), rootOfLeaves(right)]
    : [...inclusionProof(index - split, right), rootOfLeaves(left)];
}

function subproof(oldSize: number, leaves: Buffer, isWhole: boolean): Buffer[] {
  const size = leafCount(leaves);
  if (oldSize === size) return isWhole ? [] : [rootOfLeaves(leaves)];
  const split = splitOf(size);
  const [left, right] = cut(leaves, split);
  return oldSize <= split
    ? [...subproof(oldSize, left, isWhole), rootOfLeaves(right)]
    : [...subproof(oldSize - split, right, false), rootOfLeaves(left)];
}

/**
 * Proof of RFC 6962 §2.1.2 that the first `oldSize` leaves are still the first of `leaves`. Empty for the empty tree,
 * which every tree extends. Throws RangeError when there are fewer leaves than that.
 */
export function consistencyProof(oldSize: number, leaves: Buffer): Buffer[] {
  if (!Number.isInteger(oldSize) || oldSize < 0 || oldSize > leafCount(leaves)) {
    throw new RangeError(`no tree of ${String(oldSize)} leaves`);
  }
  return oldSize === 0 ? [] : subproof(oldSize, leaves, true);
}

const isSize = (value: number): boolean =>
  Number.isInteger(value) && value >= 0 && value <= TREE_SIZE_MAX;

/** One tree and one leaf of it. */
export interface InclusionClaim {
  readonly index: number;
  readonly size: number;
  readonly leaf: Buffer;
  readonly root: Buffer;
}

/** True when `proof` shows that the leaf stands at that index of the tree (RFC 9162 §2.1.3.2). Never throws. */
export function verifyInclusion(claim: InclusionClaim, proof: readonly Buffer[]): boolean {
  const { index, size, leaf, root } = claim;
  if (!isSize(index) || !isSize(size) || index >= size) return false;
  let node = index;
  let last = size - 1;
  let hash = leaf;
  for (const step of proof) {
    if (last === 0) return false;
    if ((node & 1) === 1 || node === last) {
      hash = nodeHash(step, hash);
      while ((node & 1) === 0 && node !== 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      hash = nodeHash(hash, step);
    }
    node >>= 1;
    last >>= 1;
  }
  return last === 0 && hash.equals(root);
}

/** Two states of one tree. */
export interface ConsistencyClaim {
  readonly oldSize: number;
  readonly oldRoot: Buffer;
  readonly newSize: number;
  readonly newRoot: Buffer;
}

/** True when `proof` shows that the new tree only appended to the old one (RFC 9162 §2.1.4.2). Never throws. */
export function verifyConsistency(claim: ConsistencyClaim, proof: readonly Buffer[]): boolean {
  const { oldSize, oldRoot, newSize, newRoot } = claim;
  if (!isSize(oldSize) || !isSize(newSize) || oldSize > newSize) return false;
  if (oldSize === newSize) return proof.length === 0 && oldRoot.equals(newRoot);
  if (oldSize === 0) return proof.length === 0 && oldRoot.equals(sha256());
  const isPowerOfTwo = (oldSize & (oldSize - 1)) === 0;
  const [first, ...steps] = isPowerOfTwo ? [oldRoot, ...proof] : proof;
  if (first === undefined) return false;
  let node = oldSize - 1;
  let last = newSize - 1;
  while ((node & 1) === 1) {
    node >>= 1;
    last >>= 1;
  }
  let oldHash = first;
  let newHash = first;
  for (const step of steps) {
    if (last === 0) return false;
    if ((node & 1) === 1 || node === last) {
      oldHash = nodeHash(step, oldHash);
      newHash = nodeHash(step, newHash);
      while ((node & 1) === 0 && node !== 0) {
        node >>= 1;
        last >>= 1;
      }
    } else {
      newHash = nodeHash(newHash, step);
    }
    node >>= 1;
    last >>= 1;
  }
  return last === 0 && oldHash.equals(oldRoot) && newHash.equals(newRoot);
}

import { Frontier, HASH_BYTES, nodeHash, rootOfLeaves, sha256, splitOf } from './merkle-tree.js';

/**
 * Roots and proofs of a log that is not in memory, from the hashes that C2SP tlog-tiles keeps: those of the leaves and of
 * every full subtree of 256, 256², … leaves. Each takes some thousand hashes at most, however long the log is.
 */

/** Leaves of a subtree of the next level. */
export const TILE_WIDTH = 256;
/** Tile levels of the largest tree there can be: 256⁴ leaves are more. */
const LEVELS_MAX = 4;

export interface TreeHashes {
  /**
   * `count` hashes of a level from the `first` on, one after the other: `MTH(D[i·256^level : (i+1)·256^level])`. Level 0
   * are the leaves. Only asked for what is full; throws when it is not there.
   */
  hashes(level: number, first: number, count: number): Buffer;
}

/** Root over the leaves from `begin` to `end`, which RFC 6962 has as one subtree of some tree. */
function subtree(source: TreeHashes, begin: number, end: number): Buffer {
  const size = end - begin;
  const split = size > 1 ? splitOf(size) : 1;
  if (size !== 1 && split * 2 !== size) {
    const middle = begin + split;
    return nodeHash(subtree(source, begin, middle), subtree(source, middle, end));
  }
  let level = 0;
  let unit = 1;
  while (level < LEVELS_MAX && unit * TILE_WIDTH <= size) {
    level += 1;
    unit *= TILE_WIDTH;
  }
  return rootOfLeaves(source.hashes(level, begin / unit, size / unit));
}

/** Root of the tree over the first `size` leaves. */
export const rootAt = (source: TreeHashes, size: number): Buffer =>
  size === 0 ? sha256() : subtree(source, 0, size);

/** That tree as one that goes on growing. */
export function frontierAt(source: TreeHashes, size: number): Frontier {
  const subtrees: Buffer[] = [];
  for (let begin = 0, rest = size; rest > 0;) {
    const full = 2 ** (31 - Math.clz32(rest));
    subtrees.push(subtree(source, begin, begin + full));
    begin += full;
    rest -= full;
  }
  return Frontier.of(size, subtrees);
}

function inclusion(source: TreeHashes, index: number, begin: number, end: number): Buffer[] {
  if (end - begin === 1) return [];
  const middle = begin + splitOf(end - begin);
  return index < middle
    ? [...inclusion(source, index, begin, middle), subtree(source, middle, end)]
    : [...inclusion(source, index, middle, end), subtree(source, begin, middle)];
}

/** Audit path of RFC 6962 §2.1.1. Throws RangeError when the tree has no such leaf. */
export function proveInclusion(source: TreeHashes, index: number, size: number): Buffer[] {
  if (!Number.isInteger(index) || index < 0 || index >= size) {
    throw new RangeError(`no leaf ${String(index)} among ${size}`);
  }
  return inclusion(source, index, 0, size);
}

function consistency(
  source: TreeHashes,
  oldSize: number,
  begin: number,
  end: number,
  isWhole: boolean,
): Buffer[] {
  if (oldSize === end) return isWhole ? [] : [subtree(source, begin, end)];
  const middle = begin + splitOf(end - begin);
  return oldSize <= middle
    ? [...consistency(source, oldSize, begin, middle, isWhole), subtree(source, middle, end)]
    : [...consistency(source, oldSize, middle, end, false), subtree(source, begin, middle)];
}

/** Proof of RFC 6962 §2.1.2 that the first `oldSize` leaves are still there. Throws RangeError for an impossible size. */
export function proveConsistency(source: TreeHashes, oldSize: number, size: number): Buffer[] {
  if (!Number.isInteger(oldSize) || oldSize < 0 || oldSize > size) {
    throw new RangeError(`no tree of ${String(oldSize)} leaves within ${size}`);
  }
  return oldSize === 0 ? [] : consistency(source, oldSize, 0, size, true);
}

/** A list of leaf hashes as such a source: everything above the leaves is computed. */
export const hashesOfLeaves = (leaves: Buffer): TreeHashes => ({
  hashes: (level, first, count) => {
    const bytes = TILE_WIDTH ** level * HASH_BYTES;
    const part = (index: number): Buffer => leaves.subarray(index * bytes, (index + 1) * bytes);
    if ((first + count) * bytes > leaves.length) throw new RangeError('no such leaves');
    return Buffer.concat(Array.from({ length: count }, (_, n) => rootOfLeaves(part(first + n))));
  },
});

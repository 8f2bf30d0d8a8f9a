import { createHash } from 'node:crypto';
import { LEAF_BYTES } from './age-container.js';

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

const LEAF_PREFIX = Buffer.from([0]);

/**
 * Hashes the leaves of a file as its bytes come, in pieces of any size, keeping 32 bytes per leaf and no piece.
 * Bytes past `size` are counted, not hashed. Errors of the source pass through.
 */
export async function scanLeaves(
  source: AsyncIterable<Buffer>,
  { head, size }: LeafLayout,
): Promise<LeafScan> {
  const hashes: Buffer[] = [];
  let bytes = 0;
  let leafEnd = Math.min(head, size);
  let hash = createHash('sha256').update(LEAF_PREFIX);
  for await (const piece of source) {
    let at = 0;
    while (at < piece.length && bytes + at < size) {
      const take = Math.min(piece.length - at, leafEnd - bytes - at);
      hash.update(piece.subarray(at, at + take));
      at += take;
      if (bytes + at < leafEnd) continue;
      hashes.push(hash.digest());
      hash = createHash('sha256').update(LEAF_PREFIX);
      leafEnd = Math.min(leafEnd + LEAF_BYTES, size);
    }
    bytes += piece.length;
  }
  return { hashes: Buffer.concat(hashes), bytes };
}

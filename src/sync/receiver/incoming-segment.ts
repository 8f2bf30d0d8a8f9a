import { CameraError } from '../../errors.js';
import { formatEnvelopeFile } from '../../evidence/dsse.js';
import { leafAt, leafHash } from '../../evidence/merkle-tree.js';
import type { FileSystem, WritableFile } from '../../hal/ports/file-system.js';
import { LeafBitmap } from '../leaf-bitmap.js';
import { leafRange } from '../leaf-layout.js';
import type { AdmittedSegment } from './admission.js';
import type { ListedSegment } from './listing.js';

/** Synced so often, a power cut costs at most this much of a transfer, and the last sync is short. */
const SYNC_BYTES = 16 * 1024 * 1024;

/** Where a segment is collected, and the path without extension where it will stand. */
export interface IncomingPaths {
  readonly partial: string;
  readonly base: string;
}

/** Takes a partial file out of the way of the next attempt. Never rejects. */
export type SetAside = (partial: string) => Promise<void>;

/**
 * The ciphertext of one segment on its way to its place in the store.
 *
 * Which leaves are there is not written down anywhere: after a restart every leaf of the partial file is judged by the
 * proved leaf list. A bitmap on disk would be a claim about the file that a power cut can make false; a hash cannot be.
 *
 * INVARIANT: a file of which one sync has failed is never used again. Linux marks the pages of a failed sync as clean,
 * so the next sync would succeed, and a hash of the page cache would be right, over bytes that are not on the disk.
 */
export class IncomingSegment {
  readonly #files: FileSystem;
  readonly #segment: AdmittedSegment;
  readonly #paths: IncomingPaths;
  readonly #file: WritableFile;
  readonly #setAside: SetAside;
  #unsyncedBytes = 0;
  #isOpen = true;

  private constructor(
    files: FileSystem,
    segment: AdmittedSegment,
    paths: IncomingPaths,
    file: WritableFile,
    setAside: SetAside,
  ) {
    this.#files = files;
    this.#segment = segment;
    this.#paths = paths;
    this.#file = file;
    this.#setAside = setAside;
  }

  /** `setAside` is called with the partial file when a sync of it has failed. */
  static async open(
    files: FileSystem,
    segment: AdmittedSegment,
    paths: IncomingPaths,
    setAside: SetAside,
  ): Promise<IncomingSegment> {
    const file = await files.openWritable(paths.partial);
    return new IncomingSegment(files, segment, paths, file, setAside);
  }

  /** Which leaves of the partial file are what the leaf list says. Reads all of it: a quarter of a second for 60 MB. */
  async survivors(leaves: Buffer): Promise<LeafBitmap> {
    const layout = this.#segment.manifest.file;
    const readable = await this.#files.openReadable(this.#paths.partial);
    try {
      const leaf = Buffer.allocUnsafeSlow(layout.leaf);
      const bits = Buffer.alloc(Math.ceil(layout.n / 8));
      for (let index = 0; index < layout.n; index += 1) {
        const { offset, length } = leafRange(layout, index);
        if (offset + length > readable.size) break;
        await readable.readInto(leaf, 0, length, offset);
        const hash = leafHash(leaf.subarray(0, length));
        if (!hash.equals(leafAt(leaves, index))) continue;
        bits.writeUInt8(bits.readUInt8(index >> 3) | (1 << (index & 7)), index >> 3);
      }
      return LeafBitmap.fromBits(layout.n, bits);
    } finally {
      await readable.close();
    }
  }

  /** Writes a verified leaf at its place. After a rejection begin again, by way of `EvidenceStore.begin`. */
  async write(index: number, leaf: Buffer): Promise<void> {
    await this.#file.writeAt(leaf, leafRange(this.#segment.manifest.file, index).offset);
    this.#unsyncedBytes += leaf.length;
    if (this.#unsyncedBytes < SYNC_BYTES) return;
    this.#unsyncedBytes = 0;
    await this.#makeDurable();
  }

  /**
   * All leaves are there: makes the segment durable in its place, the manifest last. After a rejection or a crash at
   * any point the same call can be made again, by way of `EvidenceStore.begin`.
   */
  async seal({ leaves, heads, meta }: ListedSegment): Promise<void> {
    const { partial, base } = this.#paths;
    const { envelope, manifest } = this.#segment;
    await this.#makeDurable();
    await this.close();
    const size = await this.#files.size(partial);
    if (size !== manifest.file.size) {
      throw new CameraError('storage/corrupt', `${partial} has ${size} bytes`);
    }
    await this.#files.writeAtomic(`${base}.leaves`, leaves);
    if (heads.length > 0) await this.#files.writeAtomic(`${base}.heads`, heads);
    if (meta !== undefined) await this.#files.writeAtomic(`${base}.meta.age`, meta);
    await this.#files.rename(partial, `${base}.age`);
    await this.#files.writeAtomic(`${base}.dsse`, Buffer.from(formatEnvelopeFile(envelope)));
  }

  /** Closes the partial file and leaves it for the next attempt. */
  async close(): Promise<void> {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    await this.#file.close();
  }

  async #makeDurable(): Promise<void> {
    try {
      await this.#file.sync();
    } catch (error) {
      await this.#setAside(this.#paths.partial);
      throw error;
    }
  }
}

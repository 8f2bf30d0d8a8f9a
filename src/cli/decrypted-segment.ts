import { CHUNK_BYTES, LEAF_BYTES, openAge } from '../evidence/age-container.js';
import type { AgeReader } from '../evidence/age-container.js';
import { HEAD_BYTES_MAX, TAG_BYTES, headLength } from '../evidence/age-header.js';
import { hasErrorCode } from '../errors.js';
import type { FileSystem, ReadableFile } from '../hal/ports/file-system.js';

/**
 * The plaintext of one encrypted segment, readable anywhere without decrypting all of it: a chunk of an age file can be
 * opened on its own. Fits capture's `ByteSource`.
 */
export class DecryptedSegment {
  /** Plaintext bytes of all whole chunks. */
  readonly size: number;
  readonly #file: ReadableFile;
  readonly #reader: AgeReader;
  readonly #head: number;
  readonly #cipherSize: number;

  private constructor(file: ReadableFile, reader: AgeReader, head: number, cipherSize: number) {
    this.#file = file;
    this.#reader = reader;
    this.#head = head;
    this.#cipherSize = cipherSize;
    const body = cipherSize - head;
    const whole = Math.floor(body / LEAF_BYTES);
    const rest = body - whole * LEAF_BYTES;
    this.size = whole * CHUNK_BYTES + Math.max(0, rest - TAG_BYTES);
  }

  /**
   * `cipherSize` is how much of the file counts: what its manifest says. Without a manifest the whole file counts but for
   * a last chunk that cannot be opened: the segment was cut while it was written.
   * Rejects with `evidence/wrong-key`, `evidence/malformed` or an error of the file system.
   */
  static async open(
    fs: FileSystem,
    file: string,
    identity: string,
    cipherSize?: number,
  ): Promise<DecryptedSegment> {
    const readable = await fs.openReadable(file);
    try {
      const prefix = Buffer.alloc(Math.min(HEAD_BYTES_MAX, readable.size));
      await readable.readInto(prefix, 0, prefix.length, 0);
      const head = headLength(prefix);
      const reader = openAge(prefix.subarray(0, head), identity);
      const size = Math.max(head, Math.min(cipherSize ?? readable.size, readable.size));
      const segment = new DecryptedSegment(readable, reader, head, size);
      if (cipherSize !== undefined || (await segment.#isEndWhole())) return segment;
      const whole = Math.floor((size - head) / LEAF_BYTES) * LEAF_BYTES;
      return new DecryptedSegment(readable, reader, head, head + whole);
    } catch (error) {
      await readable.close();
      throw error;
    }
  }

  /**
   * As `open`, but ends before the first chunk that cannot be opened: as much as a change has left. Reads all of it.
   * `isShort` says whether something was left off. Rejects as `open` does.
   */
  static async openSound(
    fs: FileSystem,
    file: string,
    identity: string,
    cipherSize?: number,
  ): Promise<{ readonly source: DecryptedSegment; readonly isShort: boolean }> {
    const source = await DecryptedSegment.open(fs, file, identity, cipherSize);
    try {
      for (let at = 0; at < source.size; at += CHUNK_BYTES) {
        if (await source.#opens(at)) continue;
        const sound = source.#head + (at / CHUNK_BYTES) * LEAF_BYTES;
        const left = new DecryptedSegment(source.#file, source.#reader, source.#head, sound);
        return { source: left, isShort: true };
      }
      return { source, isShort: cipherSize !== undefined && source.#cipherSize < cipherSize };
    } catch (error) {
      await source.close();
      throw error;
    }
  }

  /** Exactly the bytes from `start` to `end`. Rejects with `evidence/malformed` when a chunk was changed. */
  async read(start: number, end: number): Promise<Buffer> {
    if (end <= start) return Buffer.alloc(0);
    const first = Math.floor(start / CHUNK_BYTES);
    const last = Math.floor((end - 1) / CHUNK_BYTES);
    const from = this.#head + first * LEAF_BYTES;
    const to = Math.min(this.#head + (last + 1) * LEAF_BYTES, this.#cipherSize);
    const cipher = Buffer.allocUnsafeSlow(to - from);
    await this.#file.readInto(cipher, 0, cipher.length, from);
    const plain: Buffer[] = [];
    for (let index = first; index <= last; index += 1) {
      const at = (index - first) * LEAF_BYTES;
      plain.push(this.#reader.openChunk(index, cipher.subarray(at, at + LEAF_BYTES)).plain);
    }
    const skipped = first * CHUNK_BYTES;
    const all = plain.length === 1 ? plain[0] : Buffer.concat(plain);
    return (all ?? Buffer.alloc(0)).subarray(start - skipped, end - skipped);
  }

  /** Whether a last chunk shorter than the others, if there is one, can be opened. */
  async #isEndWhole(): Promise<boolean> {
    if ((this.#cipherSize - this.#head) % LEAF_BYTES === 0) return true;
    return this.#opens(Math.floor((this.#cipherSize - this.#head) / LEAF_BYTES) * CHUNK_BYTES);
  }

  /** Whether the chunk that starts at this byte of the plaintext can be opened. */
  async #opens(start: number): Promise<boolean> {
    try {
      await this.read(start, start + 1);
      return true;
    } catch (error) {
      if (hasErrorCode(error, 'evidence/malformed')) return false;
      throw error;
    }
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

/** Which leaves of a segment are stored and verified. Immutable: `with` returns a new one (115 bytes for 60 MB). */
export class LeafBitmap {
  /** Leaves of the segment. */
  readonly size: number;
  /** Leaves held. */
  readonly count: number;
  /** The first leaf not held; `size` when there is none. */
  readonly firstMissing: number;
  readonly #bits: Buffer;

  private constructor(size: number, bits: Buffer, count: number, from: number) {
    this.size = size;
    this.#bits = bits;
    this.count = count;
    let first = from;
    while (first < size && this.has(first)) first += 1;
    this.firstMissing = first;
  }

  static empty(size: number): LeafBitmap {
    return new LeafBitmap(size, Buffer.alloc(Math.ceil(size / 8)), 0, 0);
  }

  /** Bit i of `bits` (least significant first) = leaf i is held. Missing bytes are zeros, bits past `size` are ignored. */
  static fromBits(size: number, bits: Buffer): LeafBitmap {
    const own = Buffer.alloc(Math.ceil(size / 8));
    bits.copy(own);
    let count = 0;
    for (let index = 0; index < size; index += 1) {
      if (((own.readUInt8(index >> 3) >> (index & 7)) & 1) === 1) count += 1;
    }
    return new LeafBitmap(size, own, count, 0);
  }

  has(index: number): boolean {
    return ((this.#bits.readUInt8(index >> 3) >> (index & 7)) & 1) === 1;
  }

  with(index: number): LeafBitmap {
    if (this.has(index)) return this;
    const bits = Buffer.from(this.#bits);
    bits.writeUInt8(bits.readUInt8(index >> 3) | (1 << (index & 7)), index >> 3);
    return new LeafBitmap(this.size, bits, this.count + 1, this.firstMissing);
  }

  get isFull(): boolean {
    return this.count === this.size;
  }

  /** One past the last leaf not held; 0 when there is none. */
  get missingEnd(): number {
    let end = this.size;
    while (end > 0 && this.has(end - 1)) end -= 1;
    return end;
  }

  /** A copy of the bits, for a want. */
  toBits(): Buffer {
    return Buffer.from(this.#bits);
  }
}

/**
 * Puts the parts of one byte string together. Parts come in order (one topic, one publisher); a part that does not
 * follow on exactly is refused, because then one before it was lost and the whole is asked for again.
 */
export class PartAssembler {
  readonly #bytes: Buffer;
  #filled = 0;

  /** The caller has checked `total` against a limit: so much memory is taken at once. */
  constructor(total: number) {
    this.#bytes = Buffer.alloc(total);
  }

  get total(): number {
    return this.#bytes.length;
  }

  /** False when the part does not follow on, or says more than the total. */
  push(offset: number, part: Buffer): boolean {
    if (offset !== this.#filled || offset + part.length > this.total) return false;
    part.copy(this.#bytes, offset);
    this.#filled += part.length;
    return true;
  }

  /** Everything, once it is there. */
  get whole(): Buffer | undefined {
    return this.#filled === this.total ? this.#bytes : undefined;
  }
}

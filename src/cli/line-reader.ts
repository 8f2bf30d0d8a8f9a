const NEWLINE = 0x0a;

/** Puts lines together from bytes that come cut anywhere. Holds at most one line of `bytesMax`. */
export class LineReader {
  readonly #bytesMax: number;
  readonly #parts: Buffer[] = [];
  #bytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  /**
   * The lines that `chunk` completes, without their newline; undefined when one is longer than `bytesMax`, after which
   * the reader must not be used again.
   */
  push(chunk: Buffer): string[] | undefined {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(NEWLINE); end >= 0; end = chunk.indexOf(NEWLINE, start)) {
      this.#keep(chunk.subarray(start, end));
      if (this.#bytes > this.#bytesMax) return undefined;
      lines.push(Buffer.concat(this.#parts).toString('utf8'));
      this.#parts.length = 0;
      this.#bytes = 0;
      start = end + 1;
    }
    this.#keep(chunk.subarray(start));
    return this.#bytes > this.#bytesMax ? undefined : lines;
  }

  #keep(part: Buffer): void {
    this.#parts.push(part);
    this.#bytes += part.length;
  }
}

/** NMEA 0183, 5.3: a sentence has at most 82 characters, from `$` to the line feed. */
const SENTENCE_BYTES_MAX = 82;
/** What is left of them without carriage return and line feed. */
const LINE_BYTES_MAX = SENTENCE_BYTES_MAX - 2;

const DOLLAR = 0x24;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface SplitterEvents {
  /** A line from `$` up to, and without, its end: printable ASCII, at most 80 characters. */
  line(text: string): void;
  /** A line was dropped because it was longer. */
  overlong(): void;
  /** A line was dropped because another began within it, or something that is no text. */
  broken(): void;
}

/**
 * Cuts the bytes of a receiver into lines, in 80 bytes of memory whatever comes. What is not between a `$` and the end
 * of its line is passed over: the rest of a line that was under way at the start, other protocols, noise.
 */
export class NmeaSplitter {
  readonly #buffer = Buffer.alloc(LINE_BYTES_MAX);
  readonly #events: SplitterEvents;
  #length = 0;

  constructor(events: SplitterEvents) {
    this.#events = events;
  }

  push(chunk: Uint8Array): void {
    for (const byte of chunk) this.#take(byte);
  }

  /** Forgets the line that is under way, as after a line was opened anew. */
  reset(): void {
    this.#length = 0;
  }

  #take(byte: number): void {
    if (byte === DOLLAR) {
      if (this.#length > 0) this.#events.broken();
      this.#buffer[0] = byte;
      this.#length = 1;
      return;
    }
    if (this.#length === 0) return;
    if (byte === LINE_FEED || byte === CARRIAGE_RETURN) {
      const text = this.#buffer.toString('latin1', 0, this.#length);
      this.#length = 0;
      this.#events.line(text);
    } else if (byte < 0x20 || byte > 0x7e) {
      this.#length = 0;
      this.#events.broken();
    } else if (this.#length === LINE_BYTES_MAX) {
      this.#length = 0;
      this.#events.overlong();
    } else {
      this.#buffer[this.#length] = byte;
      this.#length += 1;
    }
  }
}

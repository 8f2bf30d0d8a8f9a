import type { OutputLine } from '../ports/gpio.js';

/**
 * Brings an output line to the level wanted last. Writes never overlap, so that a slow write of an old level cannot
 * overtake a new one; levels that were replaced before their turn are left out.
 */
export class LevelWriter {
  readonly #line: OutputLine;
  readonly #onFault: (error: unknown) => void;
  #wanted = false;
  #written: boolean | undefined = false;
  #isWriting = false;
  #lastWrites: Promise<void> = Promise.resolve();

  /** Takes over a line that is inactive, as `GpioPort.openOutput` leaves it. */
  constructor(line: OutputLine, onFault: (error: unknown) => void) {
    this.#line = line;
    this.#onFault = onFault;
  }

  /** Returns at once. A level that cannot be written goes to `onFault`; the next call tries again. */
  set(isActive: boolean): void {
    this.#wanted = isActive;
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#lastWrites = this.#catchUp();
  }

  /** Writes inactive, then closes the line. */
  async close(): Promise<void> {
    this.set(false);
    await this.#lastWrites;
    await this.#line.close();
  }

  async #catchUp(): Promise<void> {
    while (this.#written !== this.#wanted) {
      const level = this.#wanted;
      try {
        await this.#line.write(level);
        this.#written = level;
      } catch (error) {
        this.#written = undefined;
        this.#onFault(error);
        if (level === this.#wanted) break;
      }
    }
    // In the same turn as the last comparison: a level set afterwards starts a new pass.
    this.#isWriting = false;
  }
}

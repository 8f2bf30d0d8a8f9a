/**
 * How many bytes may wait for the card. When the limit is reached it refuses until half of them are written, so that a
 * card that is too slow costs one hole and not one every second.
 */
export class WriteBudget {
  readonly #bytesMax: number;
  #waiting = 0;
  #isFull = false;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Takes the bytes in, or refuses and returns false. Give back what was taken. */
  take(bytes: number): boolean {
    if (this.#waiting + bytes > this.#bytesMax) this.#isFull = true;
    if (this.#isFull) return false;
    this.#waiting += bytes;
    return true;
  }

  giveBack(bytes: number): void {
    this.#waiting -= bytes;
    if (this.#waiting <= this.#bytesMax / 2) this.#isFull = false;
  }
}

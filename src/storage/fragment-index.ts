/**
 * Entries of a manifest's fragment index. A pair takes up to 22 bytes of the 65,000 that a document may have; five
 * minutes of ordinary video have 300 fragments, of nothing but IDR pictures 9,000.
 */
const FRAGMENTS_MAX = 2500;

/** Where the fragments of a segment begin: media time and byte of the plaintext. Bounded, by being thinned out. */
export class FragmentIndex {
  /** Every `#stride`th fragment: when the index is full, every second entry makes room for what comes. */
  #entries: [offset90k: number, plainBytes: number][] = [];
  #stride = 1;
  #fragments = 0;

  /** True before the first fragment. */
  get isEmpty(): boolean {
    return this.#fragments === 0;
  }

  get entries(): [number, number][] {
    return this.#entries;
  }

  /** A fragment begins here. */
  note(offset90k: number, plainBytes: number): void {
    if (this.#entries.length === FRAGMENTS_MAX) {
      this.#entries = this.#entries.filter((_, n) => n % 2 === 0);
      this.#stride *= 2;
    }
    if (this.#fragments % this.#stride === 0) this.#entries.push([offset90k, plainBytes]);
    this.#fragments += 1;
  }
}

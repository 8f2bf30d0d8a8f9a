import { randomFrom } from '../support/random.js';

/** What a seed decides, so that a try can be repeated. */
export class Random {
  readonly fraction: () => number;

  constructor(seed: number) {
    this.fraction = randomFrom(seed);
  }

  /** A whole number from `from` to below `to`. */
  whole(from: number, to: number): number {
    return from + Math.floor(this.fraction() * (to - from));
  }

  /** One of them. Throws for none. */
  pick<T>(items: readonly T[]): T {
    const item = items[this.whole(0, items.length)];
    if (item === undefined) throw new RangeError('nothing to pick from');
    return item;
  }

  /** Two different ones, in their order. Throws for fewer than two. */
  pair<T>(items: readonly T[]): readonly [T, T] {
    const second = this.whole(1, items.length);
    const [a, b] = [items[this.whole(0, second)], items[second]];
    if (a === undefined || b === undefined) throw new RangeError('no two to pick from');
    return [a, b];
  }
}

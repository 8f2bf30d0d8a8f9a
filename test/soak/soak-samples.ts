/** What the camera of a soak tells of itself once a second. */
export interface SoakSample {
  readonly type: 'sample';
  /** Seconds since recording began. */
  readonly at: number;
  readonly rssBytes: number;
  readonly childRssBytes: number;
  readonly fds: number;
  /** Event-loop delay of the second before, in milliseconds. */
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
}

/** What it tells at its end. */
export interface SoakEnd {
  readonly type: 'end';
  /** Lives of the encoder: 1 when it was never started anew. */
  readonly runs: number;
  readonly faults: readonly string[];
  readonly recordings: number;
  readonly marks: number;
  readonly loopP99Ms: number;
  readonly loopMaxMs: number;
  readonly isClean: boolean;
}

/** One line of the soak camera's output. */
export type SoakLine = SoakSample | SoakEnd;

/** Memory is judged from here on: caches fill and the heap finds its size in the first minutes. */
export const SETTLE_S = 300;

/** Where a run begins to be judged: a third of one that is too short to settle. */
export const settleSeconds = (minutes: number): number => Math.min(SETTLE_S, (minutes * 60) / 3);

/** Middle of the values; NaN of none. */
export const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Growth from the first tenth of what is judged to the last, by medians: single peaks of the collector do not count. */
export function growthOf(values: readonly number[]): number {
  const part = Math.max(1, Math.floor(values.length / 10));
  return median(values.slice(-part)) - median(values.slice(0, part));
}

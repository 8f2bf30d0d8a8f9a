import type { MonotonicMs } from '../../units.js';

/** So many in any such time, and no more. */
export interface RateLimit {
  readonly count: number;
  readonly periodMs: number;
}

/**
 * Whether one more fits into the limit now, and what is to be remembered for the next question: the times of those
 * admitted within the period. Pure.
 */
export function admit(
  times: readonly MonotonicMs[],
  { count, periodMs }: RateLimit,
  now: MonotonicMs,
): { readonly times: readonly MonotonicMs[]; readonly isAdmitted: boolean } {
  const recent = times.filter((at) => now - at < periodMs);
  const isAdmitted = recent.length < count;
  return { times: isAdmitted ? [...recent, now] : recent, isAdmitted };
}

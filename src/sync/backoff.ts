/** A broker that restarts is back within a second. */
const BACKOFF_MS_MIN = 1_000;
/** An agent who docks the camera should not wait longer for the light to change. */
const BACKOFF_MS_MAX = 8_000;

/**
 * How long to wait before the next attempt after `failures` (≥ 1) in a row: 1 s doubling to 8 s, less up to half.
 * `random` in [0, 1) spreads a rack of cameras whose broker comes back for all at once.
 */
export function backoffMs(failures: number, random: number): number {
  const full = Math.min(BACKOFF_MS_MIN * 2 ** (failures - 1), BACKOFF_MS_MAX);
  return Math.max(BACKOFF_MS_MIN, full * (1 - random / 2));
}

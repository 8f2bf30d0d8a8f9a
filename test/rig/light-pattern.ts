import type { LightPattern } from '../../src/config/indicators.js';
import { watchLight } from './light-watch.js';
import type { LightChange } from './light-watch.js';

/** A light that is steady for this long is steady: the slowest blink has a period of 2 s. */
const STEADY_MS = 2600;
/** Periods of a blink that are looked at. */
const PERIODS = 3;
/** The periods of the language double. */
const PERIOD_SHARE_MAX = 0.3;
/** What is held of a period: all of it, or in a guest, whose timers come up to 0.3 s late, only that there is one. */
export type Sight = 'exact' | 'rough';

/** What an eye says of a light after it has looked for long enough to know `expected` from every other pattern. */
export async function seePattern(
  file: string,
  expected: LightPattern,
  sight: Sight,
): Promise<string> {
  const blinkMs = typeof expected === 'string' ? 0 : expected.blinkMs;
  const changes = await lookFor(file, Math.max(STEADY_MS, PERIODS * blinkMs + blinkMs / 2));
  const [first, ...others] = changes;
  if (others.length === 0) return nameOf(first?.isHigh === true ? 'on' : 'off');
  const rises = others.filter(({ isHigh }) => isHigh).map(({ at }) => at);
  const periods = rises.slice(1).map((at, index) => at - (rises[index] ?? NaN));
  const seenMs = periods.sort((a, b) => a - b)[Math.floor(periods.length / 2)] ?? NaN;
  if (sight === 'rough' && blinkMs > 0 && rises.length > 0) return nameOf(expected);
  const isExpected = Math.abs(seenMs - blinkMs) <= PERIOD_SHARE_MAX * blinkMs;
  return isExpected ? nameOf(expected) : `blinks every ${Math.round(seenMs)} ms`;
}

/** The words of `seePattern` for a pattern of the table. */
export const nameOf = (pattern: LightPattern): string =>
  typeof pattern === 'string' ? pattern : `blinks every ${pattern.blinkMs} ms`;

async function lookFor(file: string, lookMs: number): Promise<readonly LightChange[]> {
  const stop = await watchLight(file);
  await new Promise((resolve) => setTimeout(resolve, lookMs));
  return stop();
}

/** The pulses in what was seen, lengths in milliseconds; one that was not over is left out. */
export function pulsesOf(changes: readonly LightChange[]): number[] {
  return changes.flatMap(({ at, isHigh }, index) => {
    const end = changes[index + 1];
    return isHigh && end !== undefined ? [end.at - at] : [];
  });
}

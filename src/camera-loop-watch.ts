import type { Cancel, Clock } from './clock.js';
import type { LoopMonitor } from './hal/ports/loop-monitor.js';
import type { Logger } from './log.js';

/** A wearer feels an answer that comes this late, and edges of a button begin to melt into one. */
const HOLD_UP_MS = 100;
const LOOK_PERIOD_MS = 1000;
/**
 * At most one line in this time, with the longest of the hold-ups in it: a machine that is too slow would fill its log. One that
 * is twice as long as the line before is told at once.
 */
const TELL_PERIOD_MS = 30_000;

/**
 * Tells the log of hold-ups of the event loop, with their length. A loop that never turns again is the matter of the service
 * manager, which hears no sign of life then.
 */
export function watchLoop(clock: Clock, monitor: LoopMonitor, log: Logger): Cancel {
  let untold: { seconds: number; longestMs: number } = { seconds: 0, longestMs: 0 };
  let quietUntil = 0;
  let toldMs = 0;
  return clock.every(LOOK_PERIOD_MS, () => {
    const ms = monitor.takeLongestMs();
    if (ms > HOLD_UP_MS) {
      untold = { seconds: untold.seconds + 1, longestMs: Math.max(untold.longestMs, ms) };
    }
    const now = clock.monotonicMs();
    const isNews = now >= quietUntil || untold.longestMs >= 2 * toldMs;
    if (untold.seconds === 0 || !isNews) return;
    quietUntil = now + TELL_PERIOD_MS;
    const { seconds, longestMs } = untold;
    toldMs = longestMs;
    log.warn({ longestMs: Math.round(longestMs), seconds }, 'the event loop was held up');
    untold = { seconds: 0, longestMs: 0 };
  });
}

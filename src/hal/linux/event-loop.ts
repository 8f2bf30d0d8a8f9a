import { monitorEventLoopDelay } from 'node:perf_hooks';
import type { LoopMonitor } from '../ports/loop-monitor.js';

/** How often libuv looks; a hold-up is measured this exactly. */
const RESOLUTION_MS = 10;
/** After a reset the first tick is not measured: what is below this stays, since nobody asks about it. */
const FORGOTTEN_MS_MIN = 50;
const NS_PER_MS = 1_000_000;

/** The event loop of this process, watched by a timer of Node that runs no JavaScript. */
export function openLoopMonitor(): LoopMonitor {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  return {
    takeLongestMs: () => {
      const ms = histogram.count === 0 ? 0 : histogram.max / NS_PER_MS - RESOLUTION_MS;
      if (ms >= FORGOTTEN_MS_MIN) histogram.reset();
      return Math.max(0, ms);
    },
    close: () => {
      histogram.disable();
    },
  };
}

import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import { openLoopMonitor } from '../../../src/hal/linux/event-loop.js';

test('a loop that is held up for 200 ms is measured as that, once', async (t) => {
  const monitor = openLoopMonitor();
  await sleep(100);
  monitor.takeLongestMs();
  const until = performance.now() + 200;
  while (performance.now() < until);
  await sleep(50);
  const ms = monitor.takeLongestMs();
  t.true(ms > 150 && ms < 400, `${ms}`);
  await sleep(50);
  t.true(monitor.takeLongestMs() < 150);
  monitor.close();
});

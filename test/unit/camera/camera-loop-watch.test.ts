import test from 'ava';
import { watchLoop } from '../../../src/camera-loop-watch.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { createLogger } from '../../../src/log.js';

test('a hold-up of more than 100 ms is told with its length, and many of them in one line a while', async (t) => {
  const clock = new SimClock();
  const lines: string[] = [];
  let longestMs = 0;
  const monitor = { takeLongestMs: () => longestMs, close: () => undefined };
  const cancel = watchLoop(
    clock,
    monitor,
    createLogger('info', { write: (line) => lines.push(line) }),
  );
  const during = async (ms: number, seconds: number): Promise<void> => {
    longestMs = ms;
    await clock.advance(seconds * 1000);
  };
  await during(100, 20);
  t.deepEqual(lines, []);
  await during(101, 1);
  t.is(lines.length, 1);
  t.like(JSON.parse(lines[0] ?? ''), { level: 'warn', longestMs: 101, seconds: 1 });
  await during(150, 5);
  await during(180, 1);
  await during(0, 40);
  t.is(lines.length, 2, 'the others together, half a minute after the first');
  t.like(JSON.parse(lines[1] ?? ''), { longestMs: 180, seconds: 6 });
  await during(2340, 1);
  t.is(lines.length, 3);
  await during(4000, 1);
  t.is(lines.length, 3, 'not twice as long');
  await during(5000, 1);
  t.is(lines.length, 4, 'twice as long is told at once');
  cancel();
  await during(50_000, 60);
  t.is(lines.length, 4);
});

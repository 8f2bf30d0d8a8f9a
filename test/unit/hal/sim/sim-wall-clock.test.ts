import test from 'ava';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimWallClock } from '../../../../src/hal/sim/sim-wall-clock.js';

test('only wall time jumps, and its claimed quality stays', async (t) => {
  const inner = new SimClock(100);
  const clock = new SimWallClock(inner);
  const before = clock.wallTime();
  clock.jumpWall(86_400_000);
  clock.jumpWall(-400_000);
  t.deepEqual(clock.wallTime(), { ...before, ms: (before.ms + 86_000_000) as typeof before.ms });
  t.is(Number(clock.monotonicMs()), 100);
  let fired = 0;
  clock.after(10, () => (fired += 1));
  await inner.advance(10);
  t.is(fired, 1);
});

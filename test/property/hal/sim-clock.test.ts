import test from 'ava';
import fc from 'fast-check';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';

test('however time is cut into steps, the same timers run at the same times', async (t) => {
  const delays = fc.array(fc.nat(500), { maxLength: 20 });
  const steps = fc.array(fc.nat(100), { minLength: 1, maxLength: 20 });
  const run = async (timers: readonly number[], cuts: readonly number[]): Promise<string[]> => {
    const clock = new SimClock();
    const calls: string[] = [];
    for (const [index, delayMs] of timers.entries()) {
      clock.after(delayMs, () => calls.push(`${index} at ${clock.monotonicMs()}`));
    }
    for (const ms of cuts) await clock.advance(ms);
    return calls;
  };
  await fc.assert(
    fc.asyncProperty(delays, steps, async (timers, cuts) => {
      const total = cuts.reduce((sum, ms) => sum + ms, 0);
      const inOneGo = await run(timers, [total]);
      t.deepEqual(await run(timers, cuts), inOneGo);
      t.is(inOneGo.length, timers.filter((delayMs) => delayMs <= total).length);
    }),
  );
});

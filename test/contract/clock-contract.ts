import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Clock } from '../../src/clock.js';

/** A clock and a way to let its time pass: stepping it, or waiting. */
export interface ClockRig {
  readonly clock: Clock;
  readonly pass: (ms: number) => Promise<void>;
}

/** What every Clock promises. Times are long enough for a loaded machine to keep apart. */
export function clockContract(name: string, makeRig: () => ClockRig): void {
  const contract = (title: string, body: (t: ExecutionContext, rig: ClockRig) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      await body(t, makeRig());
    });
  };

  contract('monotonic time moves on by at least what passes', async (t, { clock, pass }) => {
    const start = clock.monotonicMs();
    await pass(30);
    // A timer of Linux may fire up to 1 ms early by the clock it is compared with.
    t.true(clock.monotonicMs() - start >= 29);
  });

  contract('a callback comes once, and not before its time', async (t, { clock, pass }) => {
    const start = clock.monotonicMs();
    const calls: number[] = [];
    clock.after(20, () => calls.push(clock.monotonicMs() - start));
    await pass(200);
    t.is(calls.length, 1);
    t.true((calls[0] ?? 0) >= 20);
  });

  contract('a sleep is never shorter than asked', async (t, { clock, pass }) => {
    const start = clock.monotonicMs();
    const sleeps = [3, 7, 11, 19].map(async (ms) => {
      await clock.sleep(ms);
      return clock.monotonicMs() - start >= ms;
    });
    await pass(200);
    t.deepEqual(await Promise.all(sleeps), [true, true, true, true]);
  });

  contract('callbacks come in order of their time', async (t, { clock, pass }) => {
    const order: string[] = [];
    clock.after(60, () => order.push('late'));
    clock.after(10, () => order.push('early'));
    await pass(300);
    t.deepEqual(order, ['early', 'late']);
  });

  contract('a cancelled callback never comes', async (t, { clock, pass }) => {
    let calls = 0;
    const cancelOne = clock.after(10, () => (calls += 1));
    const cancelAll = clock.every(10, () => (calls += 1));
    cancelOne();
    cancelAll();
    await pass(100);
    t.is(calls, 0);
  });

  contract('a period repeats until it is cancelled', async (t, { clock, pass }) => {
    let calls = 0;
    const cancel = clock.every(10, () => {
      calls += 1;
      if (calls === 3) cancel();
    });
    await pass(300);
    t.is(calls, 3);
  });

  contract('sleep resolves after its time', async (t, { clock, pass }) => {
    const start = clock.monotonicMs();
    let wokeAfterMs = -1;
    const sleeping = clock.sleep(20).then(() => (wokeAfterMs = clock.monotonicMs() - start));
    await pass(200);
    await sleeping;
    t.true(wokeAfterMs >= 19);
  });

  contract('the next turn comes without time to pass', async (t, { clock }) => {
    let isMicrotaskDone = false;
    void Promise.resolve().then(() => (isMicrotaskDone = true));
    await clock.nextTurn();
    t.true(isMicrotaskDone);
  });

  contract('wall time names its source and is never surer than it can be', async (t, { clock }) => {
    const { ms, source, uncertaintyMs } = clock.wallTime();
    t.true(Number.isFinite(ms));
    t.true(['gnss', 'ntp', 'rtc', 'unset'].includes(source));
    t.true(uncertaintyMs >= 0);
    await clock.nextTurn();
  });
}

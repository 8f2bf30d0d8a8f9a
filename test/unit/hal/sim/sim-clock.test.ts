import test from 'ava';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { wallTimeMs } from '../../../../src/units.js';

test('stands still until it is stepped', async (t) => {
  const clock = new SimClock(1_000);
  t.is(Number(clock.monotonicMs()), 1_000);
  await clock.nextTurn();
  t.is(Number(clock.monotonicMs()), 1_000);
  await clock.advance(0.5);
  t.is(Number(clock.monotonicMs()), 1_000.5);
});

test('timers run at their own time, equal ones in the order they were started', async (t) => {
  const clock = new SimClock();
  const calls: string[] = [];
  const note = (name: string) => () => calls.push(`${name} ${clock.monotonicMs()}`);
  clock.after(20, note('b'));
  clock.after(20, note('c'));
  clock.after(10, note('a'));
  clock.every(15, note('p'));
  await clock.advance(30);
  t.deepEqual(calls, ['a 10', 'p 15', 'b 20', 'c 20', 'p 30']);
});

test('what a callback starts runs in the same step when it falls due in it', async (t) => {
  const clock = new SimClock();
  const calls: number[] = [];
  clock.after(10, () => {
    clock.after(10, () => calls.push(clock.monotonicMs()));
    clock.after(11, () => calls.push(clock.monotonicMs()));
  });
  await clock.advance(20);
  t.deepEqual(calls, [20]);
  t.is(clock.timers, 1);
});

test('promises settle between two timers', async (t) => {
  const clock = new SimClock();
  const order: string[] = [];
  const later = async (): Promise<void> => {
    for (let turn = 0; turn < 50; turn += 1) await Promise.resolve();
    await clock.nextTurn();
    await clock.nextTurn();
    order.push('settled');
  };
  clock.after(10, () => void later());
  clock.after(10, () => order.push('second timer'));
  await clock.advance(10);
  t.deepEqual(order, ['settled', 'second timer']);
});

test('a loop of sleeps keeps pace with the steps', async (t) => {
  const clock = new SimClock();
  const woke: number[] = [];
  const loop = async (): Promise<void> => {
    while (woke.length < 3) {
      await clock.sleep(10);
      woke.push(clock.monotonicMs());
    }
  };
  const done = loop();
  await clock.advance(25);
  t.deepEqual(woke, [10, 20]);
  await clock.advance(5);
  await done;
  t.deepEqual(woke, [10, 20, 30]);
});

test('a delay below zero is due at once, NaN and empty periods are programming errors', async (t) => {
  const clock = new SimClock();
  let calls = 0;
  clock.after(-5, () => (calls += 1));
  await clock.advance(0);
  t.is(calls, 1);
  t.throws(() => clock.after(NaN, () => undefined), { instanceOf: RangeError });
  t.throws(() => clock.every(0, () => undefined), { instanceOf: RangeError });
  await t.throwsAsync(clock.advance(-1), { instanceOf: RangeError });
  await t.throwsAsync(clock.advance(NaN), { instanceOf: RangeError });
});

test('a step within a step is refused, the outer one goes on', async (t) => {
  const clock = new SimClock();
  let inner: Promise<void> | undefined;
  clock.after(10, () => {
    inner = clock.advance(5);
    inner.catch(() => undefined);
  });
  await clock.advance(20);
  t.is(Number(clock.monotonicMs()), 20);
  await t.throwsAsync(inner ?? Promise.resolve(), { message: /under way/ });
});

test('a callback that throws fails the step, and the clock can be stepped again', async (t) => {
  const clock = new SimClock();
  clock.after(10, () => {
    throw new Error('broken');
  });
  await t.throwsAsync(clock.advance(20), { message: 'broken' });
  await clock.advance(10);
  t.is(Number(clock.monotonicMs()), 20);
});

test('promises that never settle fail the step instead of hanging it', async (t) => {
  const clock = new SimClock();
  let isOver = false;
  const spin = async (): Promise<void> => {
    while (!isOver) await clock.nextTurn();
  };
  void spin();
  await t.throwsAsync(clock.advance(1), { message: 'promises do not settle' });
  isOver = true;
});

test('wall time moves with the steps, jumps on demand, and monotonic time does not notice', async (t) => {
  const clock = new SimClock(500, { ms: wallTimeMs(10_000), source: 'gnss', uncertaintyMs: 7 });
  await clock.advance(100);
  t.deepEqual(clock.wallTime(), { ms: wallTimeMs(10_100), source: 'gnss', uncertaintyMs: 7 });
  clock.jumpWall(-5_000);
  t.deepEqual(clock.wallTime(), { ms: wallTimeMs(5_100), source: 'gnss', uncertaintyMs: 7 });
  clock.setWall({ ms: wallTimeMs(0), source: 'unset', uncertaintyMs: 1e9 });
  await clock.advance(1);
  t.deepEqual(clock.wallTime(), { ms: wallTimeMs(1), source: 'unset', uncertaintyMs: 1e9 });
  t.is(Number(clock.monotonicMs()), 601);
});

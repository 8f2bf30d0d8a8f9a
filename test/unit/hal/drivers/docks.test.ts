import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CameraError } from '../../../../src/errors.js';
import { GpioDock } from '../../../../src/hal/drivers/gpio-dock.js';
import { PolledDock } from '../../../../src/hal/drivers/polled-dock.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../../../src/hal/sim/sim-gpio.js';

const SPEC = { chip: 'chip', line: 2, activeLow: false, debounceIntervalMs: 30 };

async function gpioDock(t: ExecutionContext, isDockedAtStart = false) {
  const clock = new SimClock();
  const gpio = new SimGpio(clock, { chip: { lines: 8 } });
  gpio.drive(SPEC, isDockedAtStart);
  const states: (string | undefined)[] = [];
  const dock = await GpioDock.open(gpio, SPEC, clock, (fault) => states.push(fault?.code));
  t.teardown(() => dock.close());
  const changes: string[] = [];
  dock.watch((isDocked) => changes.push(`${clock.monotonicMs()} ${isDocked}`));
  return { clock, gpio, dock, states, changes };
}

test('a contact that bounces counts once, when it has been quiet for the interval', async (t) => {
  const { clock, gpio, changes } = await gpioDock(t);
  for (const isHigh of [true, false, true, false, true]) {
    gpio.drive(SPEC, isHigh);
    await clock.advance(10);
  }
  t.deepEqual(changes, []);
  await clock.advance(30);
  t.deepEqual(changes, ['70 true']);
});

test('a contact that closes for less than the interval is no docking', async (t) => {
  const { clock, gpio, changes } = await gpioDock(t);
  gpio.drive(SPEC, true);
  await clock.advance(29);
  gpio.drive(SPEC, false);
  await clock.advance(5_000);
  t.deepEqual(changes, []);
});

test('a camera that is docked at the start knows it, and says so to nobody', async (t) => {
  const { clock, dock, states, changes } = await gpioDock(t, true);
  t.true(dock.isDocked());
  await clock.advance(5_000);
  t.deepEqual(changes, []);
  t.deepEqual(states, [undefined]);
});

test('a dock line that is busy is a fault, and the dock is found when it is free', async (t) => {
  const clock = new SimClock();
  const gpio = new SimGpio(clock, { chip: { lines: 8 } });
  gpio.drive(SPEC, true);
  const other = await gpio.openInput(SPEC);
  const states: (string | undefined)[] = [];
  const dock = await GpioDock.open(gpio, SPEC, clock, (fault) => states.push(fault?.code));
  t.false(dock.isDocked());
  await other.close();
  await clock.advance(3_000);
  t.deepEqual(states, ['hal/busy', undefined]);
  t.true(dock.isDocked(), 'without an edge');
  await dock.close();
  t.is(clock.timers, 0);
});

test('a polled dock that cannot be asked counts as undocked, and its fault is told once', async (t) => {
  const clock = new SimClock();
  let answer: () => Promise<boolean> = () => Promise.resolve(true);
  const states: (string | undefined)[] = [];
  const dock = await PolledDock.open(
    () => answer(),
    clock,
    (fault) => states.push(fault?.code),
  );
  const changes: boolean[] = [];
  dock.watch((isDocked) => changes.push(isDocked));
  t.true(dock.isDocked());
  answer = () => Promise.reject(new CameraError('hal/bus', 'no'));
  await clock.advance(3_000);
  t.false(dock.isDocked());
  answer = () => Promise.resolve(true);
  await clock.advance(1_000);
  t.deepEqual(changes, [false, true]);
  t.deepEqual(states, [undefined, 'hal/bus', undefined]);
  dock.close();
  t.is(clock.timers, 0);
});

test('a polled dock waits for a slow answer instead of asking again', async (t) => {
  const clock = new SimClock();
  let asked = 0;
  const dock = await PolledDock.open(
    async () => {
      asked += 1;
      if (asked > 1) await clock.sleep(2_500);
      return true;
    },
    clock,
    () => undefined,
  );
  await clock.advance(3_400);
  t.is(asked, 2);
  await clock.advance(1_000);
  t.is(asked, 3);
  dock.close();
});

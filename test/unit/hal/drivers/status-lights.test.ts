import test from 'ava';
import type { ExecutionContext } from 'ava';
import { StatusLights } from '../../../../src/hal/drivers/status-lights.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../../../src/hal/sim/sim-gpio.js';

type Role = 'record' | 'status' | 'fault';

const specs = {
  record: { chip: 'chip', line: 0, activeLow: false },
  status: { chip: 'chip', line: 1, activeLow: true },
} as const;

async function bench(t: ExecutionContext) {
  const clock = new SimClock();
  const gpio = new SimGpio(clock, { chip: { lines: 2 } });
  const lines = {
    record: await gpio.openOutput(specs.record),
    status: await gpio.openOutput(specs.status),
  };
  const lights = new StatusLights<Role>(lines, clock, (error) => t.fail(String(error)));
  const isLit = (role: keyof typeof specs): boolean =>
    gpio.isHigh(specs[role]) !== specs[role].activeLow;
  /** Steps time and notes the light after each step, as `#` and `.`. */
  const film = async (role: keyof typeof specs, steps: number, stepMs: number): Promise<string> => {
    let picture = '';
    for (let step = 0; step < steps; step += 1) {
      await clock.advance(step === 0 ? 0 : stepMs);
      picture += isLit(role) ? '#' : '.';
    }
    return picture;
  };
  return { clock, gpio, lights, isLit, film };
}

test('all lights are dark at the start', async (t) => {
  const { lights, isLit } = await bench(t);
  t.false(isLit('record'));
  t.false(isLit('status'));
  t.deepEqual(lights.shown(), { record: 'off', status: 'off' });
});

test('on and off reach the line of the role, whatever its polarity', async (t) => {
  const { clock, lights, isLit } = await bench(t);
  lights.show('status', 'on');
  await clock.advance(0);
  t.true(isLit('status'));
  t.false(isLit('record'));
  lights.show('status', 'off');
  await clock.advance(0);
  t.false(isLit('status'));
});

test('a blink begins with light and has equal halves', async (t) => {
  const { lights, film } = await bench(t);
  lights.show('record', { blinkMs: 1000 });
  t.is(await film('record', 9, 250), '##..##..#');
});

test('the pattern that is shown already goes on in its rhythm', async (t) => {
  const { clock, lights, film } = await bench(t);
  lights.show('record', { blinkMs: 1000 });
  await clock.advance(250);
  lights.show('record', { blinkMs: 1000 });
  t.is(await film('record', 4, 250), '#..#');
});

test('a new pattern replaces a blink at once and leaves no timer', async (t) => {
  const { clock, lights, isLit } = await bench(t);
  lights.show('record', { blinkMs: 250 });
  await clock.advance(100);
  lights.show('record', 'on');
  await clock.advance(1_000);
  t.true(isLit('record'));
  t.is(clock.timers, 0);
  t.deepEqual(lights.shown(), { record: 'on', status: 'off' });
});

test('a light that the board has not is left out', async (t) => {
  const { clock, lights } = await bench(t);
  t.false(lights.has('fault'));
  t.true(lights.has('record'));
  lights.show('fault', { blinkMs: 500 });
  t.is(clock.timers, 0);
  t.false('fault' in lights.shown());
});

for (const blinkMs of [0, -1, 99, NaN]) {
  test(`a blink of ${blinkMs} ms is a programming error`, async (t) => {
    const { lights } = await bench(t);
    t.throws(
      () => {
        lights.show('record', { blinkMs });
      },
      { instanceOf: RangeError },
    );
  });
}

test('closing darkens the lights, stops the blinking and frees the lines', async (t) => {
  const { clock, gpio, lights, isLit } = await bench(t);
  lights.show('record', 'on');
  lights.show('status', { blinkMs: 500 });
  await lights.close();
  t.false(isLit('record'));
  t.false(isLit('status'));
  t.is(clock.timers, 0);
  await gpio.openOutput(specs.record);
});

test('a wink turns a light over for a while, lit or dark, and its pattern goes on underneath', async (t) => {
  const { lights, film } = await bench(t);
  lights.show('record', 'on');
  lights.wink('record', 100);
  lights.wink('status', 100);
  t.is(await film('record', 4, 50), '..##');
  lights.show('record', { blinkMs: 400 });
  lights.wink('record', 100);
  t.is(await film('record', 8, 50), '..##....');
  t.false((await film('status', 1, 0)) === '#');
});

test('a wink during a wink makes it last longer; a light that is closed winks no more', async (t) => {
  const { clock, lights, film, isLit } = await bench(t);
  lights.wink('record', 100);
  await clock.advance(60);
  lights.wink('record', 100);
  t.is(await film('record', 4, 40), '###.');
  lights.wink('record', 100);
  await lights.close();
  await clock.advance(200);
  t.false(isLit('record'));
});

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { PULSES_MAX, PULSE_MS_MAX, Vibration } from '../../../../src/hal/drivers/vibration.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../../../src/hal/sim/sim-gpio.js';

const SPEC = { chip: 'chip', line: 0, activeLow: false };

async function bench(t: ExecutionContext) {
  const clock = new SimClock();
  const gpio = new SimGpio(clock, { chip: { lines: 1 } });
  const line = await gpio.openOutput(SPEC);
  const changes: string[] = [];
  gpio.observe(SPEC, (isHigh) => changes.push(`${isHigh ? 'on' : 'off'} ${clock.monotonicMs()}`));
  const motor = new Vibration(line, clock, (error) => t.fail(String(error)));
  return { clock, gpio, changes, motor };
}

test('pulses and pauses alternate and the motor stands still afterwards', async (t) => {
  const { clock, changes, motor } = await bench(t);
  motor.play([100, 50, 200]);
  await clock.advance(1_000);
  t.deepEqual(changes, ['on 0', 'off 100', 'on 150', 'off 350']);
  t.is(clock.timers, 0);
});

test('a new pattern cuts the old one short', async (t) => {
  const { clock, changes, motor } = await bench(t);
  motor.play([1_000, 100, 1_000]);
  await clock.advance(200);
  motor.play([50]);
  await clock.advance(5_000);
  t.deepEqual(changes, ['on 0', 'off 250']);
});

test('an empty pattern stops the motor', async (t) => {
  const { clock, changes, motor } = await bench(t);
  motor.play([1_000]);
  await clock.advance(300);
  motor.play([]);
  await clock.advance(5_000);
  t.deepEqual(changes, ['on 0', 'off 300']);
});

for (const pulses of [[PULSE_MS_MAX + 1], [0], [-1], [NaN], Array(PULSES_MAX + 1).fill(10)]) {
  test(`a pattern of ${pulses.length} pulses from ${pulses[0]} ms is a programming error`, async (t) => {
    const { clock, changes, motor } = await bench(t);
    t.throws(
      () => {
        motor.play(pulses as number[]);
      },
      { instanceOf: RangeError },
    );
    await clock.advance(5_000);
    t.deepEqual(changes, []);
  });
}

test('closing stops the motor in the middle of a pulse', async (t) => {
  const { clock, gpio, motor } = await bench(t);
  motor.play([2_000]);
  await clock.advance(10);
  await motor.close();
  t.false(gpio.isHigh(SPEC));
  t.is(clock.timers, 0);
});

import test from 'ava';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../../../src/hal/sim/sim-gpio.js';

const make = (): { clock: SimClock; gpio: SimGpio } => {
  const clock = new SimClock(40);
  return { clock, gpio: new SimGpio(clock, { chip: { lines: 4 } }) };
};

test('an edge is delivered within the call that causes it, with the time of the clock', async (t) => {
  const { clock, gpio } = make();
  const line = await gpio.openInput({ chip: 'chip', line: 0, activeLow: false });
  await clock.advance(2.5);
  const times: number[] = [];
  line.watch(({ at }) => times.push(at));
  gpio.drive({ chip: 'chip', line: 0 }, true);
  t.deepEqual(times, [42.5]);
});

test('the same level again is no edge', async (t) => {
  const { gpio } = make();
  const line = await gpio.openInput({ chip: 'chip', line: 0, activeLow: false });
  let edges = 0;
  line.watch(() => (edges += 1));
  gpio.drive({ chip: 'chip', line: 0 }, false);
  t.is(edges, 0);
});

for (const activeLow of [false, true]) {
  test(`a wire that nobody drives rests inactive, active low ${activeLow}`, async (t) => {
    const { gpio } = make();
    const line = await gpio.openInput({ chip: 'chip', line: 1, activeLow });
    t.false(await line.read());
    t.is(gpio.isHigh({ chip: 'chip', line: 1 }), activeLow);
  });
}

test('a level driven before the line is opened is what it reads', async (t) => {
  const { gpio } = make();
  gpio.drive({ chip: 'chip', line: 1 }, true);
  const line = await gpio.openInput({ chip: 'chip', line: 1, activeLow: false });
  t.true(await line.read());
});

test('whoever observes a wire hears of every new level until it cancels', async (t) => {
  const { gpio } = make();
  const spec = { chip: 'chip', line: 2, activeLow: true };
  const levels: boolean[] = [];
  const cancel = gpio.observe(spec, (isHigh) => levels.push(isHigh));
  const line = await gpio.openOutput(spec);
  await line.write(true);
  cancel();
  await line.write(false);
  t.deepEqual(levels, [true, false]);
});

test('levels are told by chip and line, for wires that were used', async (t) => {
  const { gpio } = make();
  await gpio.openOutput({ chip: 'chip', line: 2, activeLow: true });
  gpio.drive({ chip: 'chip', line: 0 }, false);
  t.deepEqual(gpio.levels(), { 'chip/2': 'high', 'chip/0': 'low' });
});

for (const address of [
  { chip: 'chip', line: 4 },
  { chip: 'chip', line: -1 },
  { chip: 'chip', line: 0.5 },
  { chip: 'constructor', line: 0 },
]) {
  test(`there is no line ${address.line} of ${address.chip}`, async (t) => {
    const { gpio } = make();
    const expected = { code: 'hal/disconnected' };
    t.throws(() => gpio.isHigh(address), expected);
    t.throws(() => {
      gpio.drive(address, true);
    }, expected);
    await t.throwsAsync(gpio.openInput({ ...address, activeLow: false }), expected);
  });
}

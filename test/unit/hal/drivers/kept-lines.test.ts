import test from 'ava';
import { CameraError } from '../../../../src/errors.js';
import { KeptI2c } from '../../../../src/hal/drivers/kept-i2c.js';
import { KeptInput, KeptOutput } from '../../../../src/hal/drivers/kept-lines.js';
import type {
  Edge,
  GpioPort,
  InputLine,
  LineSpec,
  OutputLine,
} from '../../../../src/hal/ports/gpio.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../../../src/hal/sim/sim-gpio.js';
import { SimI2c } from '../../../../src/hal/sim/sim-i2c.js';

const SPEC: LineSpec = { chip: 'chip', line: 0, activeLow: false };

/** Lines of a chip that can be pulled out: everything fails while it is gone, lines from before for ever. */
class LooseChip implements GpioPort {
  sim: SimGpio | undefined;
  readonly #clock: SimClock;

  constructor(clock: SimClock) {
    this.#clock = clock;
  }

  plug(): SimGpio {
    this.sim = new SimGpio(this.#clock, { chip: { lines: 4 } });
    return this.sim;
  }

  async openInput(spec: LineSpec): Promise<InputLine> {
    const plugged = this.#here();
    const line = await plugged.openInput(spec);
    return {
      ...bound(line),
      read: () => this.#with(plugged, () => line.read()),
      watch: (it) => line.watch(it),
    };
  }

  async openOutput(spec: LineSpec): Promise<OutputLine> {
    const plugged = this.#here();
    const line = await plugged.openOutput(spec);
    return { ...bound(line), write: (level) => this.#with(plugged, () => line.write(level)) };
  }

  #here(): SimGpio {
    if (this.sim === undefined) throw new CameraError('hal/disconnected', 'no such chip');
    return this.sim;
  }

  async #with<T>(plugged: SimGpio, operation: () => Promise<T>): Promise<T> {
    await Promise.resolve();
    if (this.#here() !== plugged) throw new CameraError('hal/disconnected', 'a line of before');
    return operation();
  }
}

const bound = (line: { close(): Promise<void> }) => ({ close: () => line.close() });

function bench() {
  const clock = new SimClock();
  const chip = new LooseChip(clock);
  const states: string[] = [];
  const onState = (fault: CameraError | undefined): void => {
    states.push(fault?.code ?? 'ok');
  };
  return { clock, chip, states, onState };
}

test('an input whose chip is not there yet gives edges from when it is', async (t) => {
  const { clock, chip, states, onState } = bench();
  const input = await KeptInput.open(chip, SPEC, clock, onState);
  await t.throwsAsync(input.read(), { code: 'hal/disconnected' });
  const edges: Edge[] = [];
  input.watch((edge) => edges.push(edge));
  const sim = chip.plug();
  await clock.advance(1_100);
  t.deepEqual(states, ['hal/disconnected', 'ok']);
  sim.drive(SPEC, true);
  t.is(edges.length, 1);
  t.true(await input.read());
  await input.close();
  t.is(clock.timers, 0);
});

test('an input whose chip goes is told within 2 s, and comes back with its edges', async (t) => {
  const { clock, chip, states, onState } = bench();
  chip.plug();
  const input = await KeptInput.open(chip, SPEC, clock, onState);
  let edges = 0;
  input.watch(() => (edges += 1));
  chip.sim = undefined;
  await clock.advance(2_100);
  t.deepEqual(states, ['ok', 'hal/disconnected']);
  const sim = chip.plug();
  await clock.advance(5_100);
  t.deepEqual(states, ['ok', 'hal/disconnected', 'ok']);
  sim.drive(SPEC, true);
  t.is(edges, 1);
  await input.close();
});

test('an input that stays away is tried about every 5 s and told once', async (t) => {
  const { clock, chip, states, onState } = bench();
  let attempts = 0;
  const counting: GpioPort = {
    openInput: (spec) => {
      attempts += 1;
      return chip.openInput(spec);
    },
    openOutput: (spec) => chip.openOutput(spec),
  };
  const input = await KeptInput.open(counting, SPEC, clock, onState);
  await clock.advance(60_000);
  t.true(attempts >= 12 && attempts <= 16, `${attempts} attempts`);
  t.true(states.every((state) => state === 'hal/disconnected'));
  await input.close();
  await clock.advance(60_000);
  t.true(attempts <= 16);
});

test('an output takes the level wanted last when its chip is back', async (t) => {
  const { clock, chip, states, onState } = bench();
  chip.plug();
  const output = await KeptOutput.open(chip, SPEC, clock, onState);
  await output.write(true);
  chip.sim = undefined;
  await clock.advance(2_100);
  await output.write(false);
  await output.write(true);
  const sim = chip.plug();
  await clock.advance(5_100);
  t.deepEqual(states, ['ok', 'hal/disconnected', 'ok']);
  t.true(sim.isHigh(SPEC));
  await output.close();
  t.is(clock.timers, 0);
});

test('a line that was opened while it was being closed is closed again', async (t) => {
  const { clock, chip, onState } = bench();
  const sim = chip.plug();
  const opening = KeptInput.open(chip, SPEC, clock, onState);
  await (await opening).close();
  const again = await sim.openInput(SPEC);
  await again.close();
  t.pass();
});

test('a bus is opened when it is needed and again after it broke, but not for a chip that is missing', async (t) => {
  const sim = new SimI2c();
  sim.plug(0x68);
  let opened = 0;
  const bus = new KeptI2c(() => {
    opened += 1;
    return Promise.resolve({
      readBlock: (address, register, length) => sim.readBlock(address, register, length),
      writeByte: (address, register, value) => sim.writeByte(address, register, value),
      close: () => Promise.resolve(),
    });
  });
  t.is(opened, 0);
  await bus.readBlock(0x68, 0, 1);
  await t.throwsAsync(bus.readBlock(0x69, 0, 1), { code: 'hal/no-acknowledge' });
  t.is(opened, 1);
  sim.setBroken(true);
  await t.throwsAsync(bus.writeByte(0x68, 0, 1), { code: 'hal/bus' });
  sim.setBroken(false);
  await bus.writeByte(0x68, 0, 1);
  t.is(opened, 2);
  await bus.close();
  await t.throwsAsync(bus.readBlock(0x68, 0, 1), { code: 'hal/bus' });
});

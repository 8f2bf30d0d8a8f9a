import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Cancel } from '../../../../src/clock.js';
import { CameraError } from '../../../../src/errors.js';
import { Button } from '../../../../src/hal/drivers/button.js';
import type { ButtonEdge } from '../../../../src/hal/drivers/debounce.js';
import type { Edge, InputLine } from '../../../../src/hal/ports/gpio.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../../../src/hal/sim/sim-gpio.js';

const SPEC = { chip: 'chip', line: 3, activeLow: false, debounceIntervalMs: 30 };

interface Bench {
  readonly clock: SimClock;
  readonly gpio: SimGpio;
  readonly button: Button;
  readonly edges: ButtonEdge[];
}

async function bench(t: ExecutionContext, isHeldAtStart = false): Promise<Bench> {
  const clock = new SimClock();
  const gpio = new SimGpio(clock, { chip: { lines: 8 } });
  gpio.drive(SPEC, isHeldAtStart);
  const button = await Button.open(await gpio.openInput(SPEC), SPEC, clock, (error) =>
    t.fail(String(error)),
  );
  const edges: ButtonEdge[] = [];
  button.watch((edge) => edges.push(edge));
  return { clock, gpio, button, edges };
}

const brief = (edges: readonly ButtonEdge[]): string[] =>
  edges.map(({ isPressed, at, isBounce }) => {
    const direction = isPressed ? 'down' : 'up';
    return `${direction} ${at}${isBounce ? ' bounce' : ''}`;
  });

test('a press is delivered in the turn in which it comes', async (t) => {
  const { gpio, button, edges } = await bench(t);
  gpio.drive(SPEC, true);
  t.deepEqual(brief(edges), ['down 0']);
  t.true(button.isPressed);
});

test('a press shorter than the interval is both a press and, when quiet, a release', async (t) => {
  const { clock, gpio, button, edges } = await bench(t);
  gpio.drive(SPEC, true);
  await clock.advance(10);
  gpio.drive(SPEC, false);
  await clock.advance(29);
  t.true(button.isPressed);
  await clock.advance(1);
  t.false(button.isPressed);
  t.deepEqual(brief(edges), ['down 0', 'up 10 bounce', 'up 10']);
});

test('a button that is held at the start counts as pressed, and only its release comes', async (t) => {
  const { clock, gpio, button, edges } = await bench(t, true);
  t.true(button.isPressed);
  await clock.advance(1_000);
  t.deepEqual(edges, []);
  gpio.drive(SPEC, false);
  t.deepEqual(brief(edges), ['up 1000']);
});

test('a listener that has cancelled hears nothing more', async (t) => {
  const { gpio, button, edges } = await bench(t);
  let heard = 0;
  const cancel = button.watch(() => (heard += 1));
  cancel();
  gpio.drive(SPEC, true);
  t.is(heard, 0);
  t.is(edges.length, 1);
});

test('a closed button leaves no timer, no edge and a free line', async (t) => {
  const { clock, gpio, button, edges } = await bench(t);
  gpio.drive(SPEC, true);
  await button.close();
  t.is(clock.timers, 0);
  gpio.drive(SPEC, false);
  await clock.advance(1_000);
  t.is(edges.length, 1);
  const again = await Button.open(await gpio.openInput(SPEC), SPEC, clock, (error) =>
    t.fail(String(error)),
  );
  await again.close();
});

/** An input line whose edges and level are set apart, as when the kernel loses edges. */
class LossyLine implements InputLine {
  level = false;
  fault: CameraError | undefined;
  reads = 0;
  isClosed = false;
  #listener: ((edge: Edge) => void) | undefined;

  read(): Promise<boolean> {
    this.reads += 1;
    return this.fault === undefined ? Promise.resolve(this.level) : Promise.reject(this.fault);
  }

  watch(listener: (edge: Edge) => void): Cancel {
    this.#listener = listener;
    return () => {
      this.#listener = undefined;
    };
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  edge(edge: Edge): void {
    this.#listener?.(edge);
  }
}

async function lossyBench(
  faults: unknown[] = [],
): Promise<Omit<Bench, 'gpio'> & { readonly line: LossyLine }> {
  const clock = new SimClock();
  const line = new LossyLine();
  const button = await Button.open(line, SPEC, clock, (error) => faults.push(error));
  const edges: ButtonEdge[] = [];
  button.watch((edge) => edges.push(edge));
  return { clock, line, button, edges };
}

test('a release that the kernel lost is noticed within 250 ms, so that no press becomes a hold', async (t) => {
  const { clock, line, button, edges } = await lossyBench();
  line.level = true;
  line.edge({ isActive: true, at: clock.monotonicMs() });
  await clock.advance(100);
  line.level = false;
  await clock.advance(250);
  t.deepEqual(brief(edges), ['down 0', 'up 280']);
  t.false(button.isPressed);
});

test('a press and release of which only the release arrives are told as a release', async (t) => {
  const { clock, line, edges } = await lossyBench();
  line.edge({ isActive: false, at: clock.monotonicMs() });
  await clock.advance(1_000);
  t.deepEqual(brief(edges), ['up 0']);
});

test('a button at rest is not read, a held one four times a second', async (t) => {
  const { clock, line } = await lossyBench();
  await clock.advance(10_000);
  t.is(line.reads, 1);
  line.level = true;
  line.edge({ isActive: true, at: clock.monotonicMs() });
  await clock.advance(30 + 4 * 250);
  t.is(line.reads, 1 + 1 + 4);
});

test('an edge that comes while the level is being read is not judged by that level', async (t) => {
  const { clock, line, button, edges } = await lossyBench();
  line.level = true;
  line.edge({ isActive: true, at: clock.monotonicMs() });
  line.read = () => {
    // The answer is on its way when the finger lets go and pushes again.
    line.read = () => Promise.resolve(true);
    line.edge({ isActive: true, at: clock.monotonicMs() });
    return Promise.resolve(false);
  };
  await clock.advance(60);
  t.true(button.isPressed);
  // Nobody has seen the contact quiet, so it may have come earlier: a bounce.
  t.deepEqual(brief(edges), ['down 0', 'down 30 bounce']);
});

test('a level that cannot be read is told once, and read again until it can', async (t) => {
  const faults: unknown[] = [];
  const { clock, line, button, edges } = await lossyBench(faults);
  line.level = true;
  line.edge({ isActive: true, at: clock.monotonicMs() });
  line.fault = new CameraError('hal/disconnected', 'gone');
  await clock.advance(2_000);
  t.deepEqual(faults, [line.fault]);
  t.true(button.isPressed);
  line.fault = undefined;
  line.level = false;
  await clock.advance(250);
  t.false(button.isPressed);
  t.is(edges.length, 2);
  line.fault = new CameraError('hal/disconnected', 'gone again');
  line.edge({ isActive: true, at: clock.monotonicMs() });
  await clock.advance(30);
  t.is(faults.length, 2);
});

test('a button that cannot be read at the start is at rest until it can', async (t) => {
  const clock = new SimClock();
  const line = new LossyLine();
  line.fault = new CameraError('hal/bus', 'stuck');
  line.level = true;
  const faults: unknown[] = [];
  const button = await Button.open(line, SPEC, clock, (error) => faults.push(error));
  t.false(button.isPressed);
  await clock.advance(1_000);
  t.is(faults.length, 1);
  line.fault = undefined;
  await clock.advance(300);
  t.true(button.isPressed);
});

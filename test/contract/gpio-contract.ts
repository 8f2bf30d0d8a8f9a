import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { Edge, GpioPort, LineSpec } from '../../src/hal/ports/gpio.js';
import { eventually } from './eventually.js';

/** A gpio adapter with a hand on the other end of its lines. */
export interface GpioRig {
  readonly port: GpioPort;
  /** Two lines that nothing else uses. */
  readonly lines: readonly [LineAddress, LineAddress];
  /** Puts an electrical level on a line. */
  drive(line: LineAddress, isHigh: boolean): void | Promise<void>;
  /** Reads the electrical level of a line. */
  isHigh(line: LineAddress): boolean | Promise<boolean>;
}

type LineAddress = Pick<LineSpec, 'chip' | 'line'>;

/** What every GpioPort promises. `makeRig` gives each test a rig of its own and takes it down with `t.teardown`. */
export function gpioContract(
  name: string,
  makeRig: (t: ExecutionContext) => GpioRig | Promise<GpioRig>,
): void {
  const contract = (title: string, body: (t: ExecutionContext, rig: GpioRig) => Promise<void>) => {
    test.serial(`${name}: ${title}`, async (t) => {
      await body(t, await makeRig(t));
    });
  };

  for (const activeLow of [false, true]) {
    const polarity = activeLow ? 'active low' : 'active high';

    contract(`an input that is ${polarity} reads logical levels`, async (t, rig) => {
      const spec = { ...rig.lines[0], activeLow };
      await rig.drive(spec, activeLow);
      const line = await rig.port.openInput(spec);
      t.false(await line.read());
      await rig.drive(spec, !activeLow);
      t.true(await line.read());
      await line.close();
    });

    contract(`an input that is ${polarity} delivers logical edges in order`, async (t, rig) => {
      const spec = { ...rig.lines[0], activeLow };
      await rig.drive(spec, activeLow);
      const line = await rig.port.openInput(spec);
      const edges: Edge[] = [];
      line.watch((edge) => edges.push(edge));
      for (const isActive of [true, false, true]) {
        const count = edges.length;
        await rig.drive(spec, isActive !== activeLow);
        await eventually(t, `edge ${count}`, () => edges.length > count);
      }
      t.deepEqual(
        edges.map(({ isActive }) => isActive),
        [true, false, true],
      );
      t.deepEqual(
        edges.map(({ at }) => at),
        edges.map(({ at }) => at).sort((a, b) => a - b),
      );
      await line.close();
    });

    contract(`an output that is ${polarity} starts inactive and takes levels`, async (t, rig) => {
      const spec = { ...rig.lines[1], activeLow };
      const line = await rig.port.openOutput(spec);
      t.is(await rig.isHigh(spec), activeLow);
      await line.write(true);
      t.is(await rig.isHigh(spec), !activeLow);
      await line.write(false);
      t.is(await rig.isHigh(spec), activeLow);
      await line.close();
    });
  }

  contract('a cancelled watch hears nothing more, the other one does', async (t, rig) => {
    const spec = { ...rig.lines[0], activeLow: false };
    await rig.drive(spec, false);
    const line = await rig.port.openInput(spec);
    let cancelled = 0;
    let kept = 0;
    const cancel = line.watch(() => (cancelled += 1));
    line.watch(() => (kept += 1));
    cancel();
    await rig.drive(spec, true);
    await eventually(t, 'the edge', () => kept > 0);
    t.is(cancelled, 0);
    await line.close();
  });

  contract('a line has one owner until it is closed', async (t, rig) => {
    const spec = { ...rig.lines[0], activeLow: false };
    const first = await rig.port.openInput(spec);
    await t.throwsAsync(rig.port.openInput(spec), { code: 'hal/busy' });
    await t.throwsAsync(rig.port.openOutput(spec), { code: 'hal/busy' });
    await first.close();
    const second = await rig.port.openOutput(spec);
    await second.close();
  });

  contract('closing twice is no error and gives the line back only once', async (t, rig) => {
    const spec = { ...rig.lines[0], activeLow: false };
    const first = await rig.port.openInput(spec);
    await first.close();
    const second = await rig.port.openInput(spec);
    await first.close();
    await t.throwsAsync(rig.port.openInput(spec), { code: 'hal/busy' });
    await second.close();
  });

  contract('a closed input hears nothing and cannot be read', async (t, rig) => {
    const spec = { ...rig.lines[0], activeLow: false };
    await rig.drive(spec, false);
    const line = await rig.port.openInput(spec);
    let edges = 0;
    line.watch(() => (edges += 1));
    await line.close();
    await rig.drive(spec, true);
    const again = await rig.port.openInput(spec);
    t.true(await again.read());
    t.is(edges, 0);
    await t.throwsAsync(line.read(), { code: 'hal/disconnected' });
    await again.close();
  });

  contract('a closed output cannot be written', async (t, rig) => {
    const line = await rig.port.openOutput({ ...rig.lines[1], activeLow: false });
    await line.close();
    await t.throwsAsync(line.write(true), { code: 'hal/disconnected' });
  });

  contract('a chip that is not there is disconnected', async (t, rig) => {
    const spec = { chip: 'no-such-chip', line: 0, activeLow: false };
    await t.throwsAsync(rig.port.openInput(spec), { code: 'hal/disconnected' });
    await t.throwsAsync(rig.port.openOutput(spec), { code: 'hal/disconnected' });
  });
}

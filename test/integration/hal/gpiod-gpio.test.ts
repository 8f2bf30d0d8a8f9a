import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { GpiodGpio, edgeTime } from '../../../src/hal/linux/gpiod-gpio.js';
import { GpiodTools } from '../../../src/hal/linux/gpiod-tools.js';
import { LinuxGpio } from '../../../src/hal/linux/linux-gpio.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import type { Edge } from '../../../src/hal/ports/gpio.js';
import { monotonicMs } from '../../../src/units.js';
import { eventually } from '../../contract/eventually.js';
import { GpiodStandIn, STAND_IN_CHIP, STAND_IN_NAME } from '../../support/gpiod-stand-in.js';
import { MemoryLogger } from '../../support/memory-logger.js';
import { rejectsWith } from '../../support/reject-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const SPEC = { chip: STAND_IN_CHIP, line: 3, activeLow: false };
const clock = new SystemClock();

async function bench(t: ExecutionContext, version: 1 | 2 = 1) {
  const standIn = await GpiodStandIn.make(t, version);
  const gpio = new GpiodGpio(await GpiodTools.find(standIn.directory), clock);
  return { standIn, gpio };
}

async function watched(t: ExecutionContext) {
  const { standIn, gpio } = await bench(t);
  const line = await gpio.openInput(SPEC);
  const edges: Edge[] = [];
  line.watch((edge) => edges.push(edge));
  return { standIn, line, edges };
}

/** Line 3 has gone up, and its edge has come. */
async function pressed(t: ExecutionContext) {
  const bench = await watched(t);
  await bench.standIn.drive(3, true);
  await eventually(t, 'the edge', () => bench.edges.length === 1);
  return bench;
}

for (const version of [1, 2] as const) {
  test(`a line is found by its name with gpiod ${version}, and is the one with that offset`, async (t) => {
    const { standIn, gpio } = await bench(t, version);
    const line = await gpio.openInput({ ...SPEC, line: STAND_IN_NAME });
    await rejectsWith(t, 'hal/busy', () => gpio.openInput(SPEC));
    await standIn.drive(3, true);
    t.true(await line.read());
    await line.close();
  });
}

test('a line that the chip does not have is disconnected', async (t) => {
  const { gpio } = await bench(t);
  for (const line of [8, -1, 1.5, 'NOBODY', '']) {
    await rejectsWith(t, 'hal/disconnected', () => gpio.openInput({ ...SPEC, line }));
  }
});

test('a line that another process has is busy', async (t) => {
  const { standIn, gpio } = await bench(t);
  await standIn.occupy(3, process.pid, 'gpiomon');
  await rejectsWith(t, 'hal/busy', () => gpio.openInput(SPEC));
  await rejectsWith(t, 'hal/busy', () => gpio.openOutput(SPEC));
});

test('a chip that vanishes takes its lines with it, and they can be opened when it is back', async (t) => {
  const { standIn, gpio } = await bench(t);
  const input = await gpio.openInput(SPEC);
  const output = await gpio.openOutput({ ...SPEC, line: 4 });
  await standIn.unplug();
  await eventually(t, 'the input is gone', () =>
    input.read().then(
      () => false,
      () => true,
    ),
  );
  await rejectsWith(t, 'hal/disconnected', () => input.read());
  await eventually(t, 'the output is gone', () =>
    output.write(true).then(
      () => false,
      () => true,
    ),
  );
  await Promise.all([input.close(), output.close()]);
  await rejectsWith(t, 'hal/disconnected', () => gpio.openInput(SPEC));
  await standIn.plug();
  const again = await gpio.openInput(SPEC);
  await again.close();
});

test('a level that was read while gpiomon was started again is read again until an edge proves it', async (t) => {
  const { standIn, line, edges } = await pressed(t);
  await standIn.tellAgain(3, 16);
  await eventually(t, 'as many edges as the kernel keeps', () => edges.length === 17);
  t.true(await line.read(), 'after edges that may be lost gpiomon is started again');
  await standIn.driveUnseen(3, false);
  t.false(await line.read(), 'a release that fell into the start is found');
  await line.close();
});

test('two edges of one direction are no reason to start gpiomon again, while which nobody would hear', async (t) => {
  const { standIn, line, edges } = await pressed(t);
  const watcher = await standIn.ownerOf(3);
  await standIn.tellAgain(3, 1);
  await eventually(t, 'two edges of one direction', () => edges.length === 2);
  t.true(await line.read());
  t.is(await standIn.ownerOf(3), watcher);
  await line.close();
});

test('the time of an edge is that of the kernel, not that of its arrival', async (t) => {
  const { standIn, line, edges } = await watched(t);
  const before = clock.monotonicMs();
  await standIn.drive(3, true);
  await eventually(t, 'the edge', () => edges.length === 1);
  const at = edges[0]?.at ?? NaN;
  // The stand-in takes its time from /proc/uptime, in steps of 10 ms.
  t.true(at >= before - 20 && at <= clock.monotonicMs(), `${at - before} ms`);
  await line.close();
});

test('a kernel time that cannot be is replaced by the time of arrival', (t) => {
  const now = monotonicMs(500);
  t.is(Number(edgeTime(99_990, 100_000, now)), 490);
  t.is(edgeTime(100_001, 100_000, now), now, 'of the future');
  t.is(edgeTime(1_795_520_060_000, 100_000, now), now, 'of a kernel that counts from 1970');
  t.is(edgeTime(80_000, 100_000, now), now, 'older than any edge can be');
});

test('without sysfs the lines are those of the gpiod tools, and the log says which', async (t) => {
  const standIn = await GpiodStandIn.make(t, 2);
  const log = new MemoryLogger();
  const gpio = new LinuxGpio(clock, log, {
    sysfsRoot: path.join(standIn.directory, 'no-sysfs'),
    toolDirectory: standIn.directory,
  });
  const input = await gpio.openInput(SPEC);
  await rejectsWith(t, 'hal/busy', () => gpio.openOutput(SPEC));
  await input.close();
  t.deepEqual(log.lines, ['info: GPIO backend backend=gpiod 2']);
});

test('without sysfs and without tools there is no GPIO, and the error says what to install', async (t) => {
  const nowhere = await temporaryDirectory(t);
  const log = new MemoryLogger();
  const gpio = new LinuxGpio(clock, log, { sysfsRoot: nowhere, toolDirectory: nowhere });
  const error = await rejectsWith(t, 'hal/no-gpio', () => gpio.openInput(SPEC));
  t.regex(error.line, /apt-get install gpiod/);
});

test('a directory without tools is no GPIO', async (t) => {
  const standIn = await GpiodStandIn.make(t, 1);
  await rejectsWith(t, 'hal/no-gpio', () =>
    GpiodTools.find(path.join(standIn.directory, 'missing')),
  );
  t.is((await GpiodTools.find(standIn.directory)).version, 1);
});

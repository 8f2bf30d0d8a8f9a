import { writeFile } from 'node:fs/promises';
import test from 'ava';
import type { CameraError } from '../../src/errors.js';
import { KeptInput, KeptOutput } from '../../src/hal/drivers/kept-lines.js';
import { I2cBus } from '../../src/hal/linux/i2c-bus.js';
import { LinuxGpio } from '../../src/hal/linux/linux-gpio.js';
import { OnoffGpio } from '../../src/hal/linux/onoff-gpio.js';
import { LinuxSerial } from '../../src/hal/linux/serial-port.js';
import { findSysfsLine } from '../../src/hal/linux/sysfs-gpiochips.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import type { Edge } from '../../src/hal/ports/gpio.js';
import { eventually } from '../contract/eventually.js';
import { MemoryLogger } from '../support/memory-logger.js';
import { rejectsWith } from '../support/reject-code.js';
import { RIG_CHIP, SPARE_LINES, openRig } from './rig.js';

// What the hardware layer does when hardware goes, over the real packages.

const rig = await openRig();
const clock = new SystemClock();
const [OFFSET, OTHER] = SPARE_LINES;
const SPEC = { chip: RIG_CHIP, line: OFFSET, activeLow: false };

test.after.always(async () => {
  await rig.gpio.return();
  await rig.close();
});

test.serial('a line is found by the name that the devicetree gives it', async (t) => {
  const line = await new OnoffGpio(clock).openInput({ ...SPEC, line: `GPIO${OFFSET}` });
  await rig.drive(OFFSET, true);
  t.true(await line.read());
  await rig.drive(OFFSET, false);
  t.false(await line.read());
  await line.close();
});

test.serial('a line that the chip does not have is disconnected', async (t) => {
  const gpio = new OnoffGpio(clock);
  for (const line of [54, -1, 1.5, 'GPIO54', '']) {
    await rejectsWith(t, 'hal/disconnected', () => gpio.openInput({ ...SPEC, line }));
  }
});

test.serial('a line that a killed process has left exported is taken over', async (t) => {
  const number = await findSysfsLine(SPEC);
  await writeFile('/sys/class/gpio/export', String(number));
  await writeFile(`/sys/class/gpio/gpio${number}/direction`, 'high');
  const line = await new OnoffGpio(clock).openInput(SPEC);
  await rig.drive(OFFSET, false);
  t.false(await line.read());
  await line.close();
});

test.serial('the lines of a Linux machine are those of sysfs, and the log says so', async (t) => {
  const log = new MemoryLogger();
  const gpio = new LinuxGpio(clock, log);
  const input = await gpio.openInput(SPEC);
  const output = await gpio.openOutput({ ...SPEC, line: OTHER });
  await Promise.all([input.close(), output.close()]);
  t.deepEqual(log.lines, ['info: GPIO backend backend=sysfs']);
});

test.serial('lines of a chip that vanished are disconnected, and come back with it', async (t) => {
  const gpio = new OnoffGpio(clock);
  await rig.drive(OFFSET, false);
  const input = await gpio.openInput(SPEC);
  const output = await gpio.openOutput({ ...SPEC, line: OTHER });
  const edges: Edge[] = [];
  input.watch((edge) => edges.push(edge));
  await rig.gpio.vanish();
  await rejectsWith(t, 'hal/disconnected', () => input.read());
  await rejectsWith(t, 'hal/disconnected', () => output.write(true));
  await rejectsWith(t, 'hal/disconnected', () => gpio.openInput({ ...SPEC, line: 7 }));
  await rig.gpio.return();
  // The old files are of a line that is no more, even when the same number is there again.
  await rejectsWith(t, 'hal/disconnected', () => output.write(true));
  await Promise.all([input.close(), output.close()]);
  t.is(edges.length, 0, 'a chip that goes is no edge');
  const again = await gpio.openInput(SPEC);
  again.watch((edge) => edges.push(edge));
  await rig.drive(OFFSET, true);
  await eventually(t, 'an edge of the new life', () => edges.length === 1);
  await again.close();
});

test.serial('a vanished chip that nobody reads costs no processor time', async (t) => {
  const input = await new OnoffGpio(clock).openInput(SPEC);
  input.watch(() => undefined);
  await rig.gpio.vanish();
  const before = process.cpuUsage();
  await clock.sleep(1_000);
  const { user, system } = process.cpuUsage(before);
  await rig.gpio.return();
  await input.close();
  // A poll that fires for ever takes a whole core.
  t.true(user + system < 300_000, `${user + system} µs in a second`);
});

test.serial(
  'kept lines tell of the fault and of its end, and take their level again',
  async (t) => {
    const gpio = new OnoffGpio(clock);
    const states: string[] = [];
    const hear = (part: string) => (fault: CameraError | undefined) => {
      states.push(`${part} ${fault?.code ?? 'works'}`);
    };
    const input = await KeptInput.open(gpio, SPEC, clock, hear('input'));
    const output = await KeptOutput.open(gpio, { ...SPEC, line: OTHER }, clock, hear('output'));
    const edges: Edge[] = [];
    input.watch((edge) => edges.push(edge));
    await output.write(true);
    t.deepEqual(states, ['input works', 'output works']);
    await rig.gpio.vanish();
    await eventually(t, 'both faults', () => states.length >= 4);
    t.deepEqual(states.slice(2).sort(), ['input hal/disconnected', 'output hal/disconnected']);
    await rig.gpio.return();
    await eventually(t, 'the ends of both faults', () =>
      ['input works', 'output works'].every((state) => states.lastIndexOf(state) > 3),
    );
    t.true(await rig.isHigh(OTHER), 'the level wanted last');
    await rig.drive(OFFSET, !(await rig.isHigh(OFFSET)));
    await eventually(t, 'an edge', () => edges.length > 0);
    await Promise.all([input.close(), output.close()]);
  },
);

test.serial('of twenty edges in one turn the last level arrives', async (t) => {
  await rig.drive(OFFSET, false);
  const line = await new OnoffGpio(clock).openInput(SPEC);
  const edges: Edge[] = [];
  line.watch((edge) => edges.push(edge));
  const steps = Array.from({ length: 21 }, (_, index) => ({ afterMs: 0, isHigh: index % 2 === 0 }));
  await rig.play(OFFSET, steps);
  await eventually(t, 'the last level', () => edges.at(-1)?.isActive === true);
  t.true(edges.length <= 21);
  await line.close();
});

test.serial('an I2C bus that is not there is disconnected', async (t) => {
  await rejectsWith(t, 'hal/disconnected', () => I2cBus.open(200));
});

test.serial(
  'a chip that is plugged again answers on the bus that was open all the time',
  async (t) => {
    const bus = await I2cBus.open(rig.imu.bus);
    await rig.imu.poke(0x75, [0x68]);
    await rig.imu.unplug();
    await rejectsWith(t, 'hal/no-acknowledge', () => bus.readBlock(rig.imu.address, 0x75, 1));
    await rig.imu.plug();
    t.deepEqual(await bus.readBlock(rig.imu.address, 0x75, 1), Buffer.from([0x68]));
    await bus.writeByte(rig.imu.address, 0x6b, 1);
    t.is(await rig.imu.peek(0x6b), 1);
    await bus.close();
  },
);

test.serial(
  'more calls than may wait for the bus are refused, the others are served',
  async (t) => {
    const bus = await I2cBus.open(rig.imu.bus);
    const calls = Array.from({ length: 70 }, () => bus.readBlock(rig.imu.address, 0, 1));
    const results = await Promise.allSettled(calls);
    t.deepEqual(
      results.map(({ status }) => status),
      Array.from({ length: 70 }, (_, index) => (index < 64 ? 'fulfilled' : 'rejected')),
    );
    await bus.close();
  },
);

test.serial(
  'a write to a line that was pulled rejects, and the line can be opened when it is back',
  async (t) => {
    const serial = new LinuxSerial(clock);
    await rig.gnss.plug();
    const faults: string[] = [];
    const chunks: Buffer[] = [];
    const events = {
      bytes: (chunk: Buffer) => void chunks.push(chunk),
      closed: ({ code }: CameraError) => void faults.push(code),
    };
    const line = await serial.open(rig.gnss.path, 9600, events);
    await rig.gnss.unplug();
    await eventually(t, 'the end', () => faults.length === 1);
    await rejectsWith(t, 'hal/disconnected', () => line.write(Buffer.from('x')));
    await rejectsWith(t, 'hal/disconnected', () => serial.open(rig.gnss.path, 9600, events));
    await rig.gnss.plug();
    const again = await serial.open(rig.gnss.path, 9600, events);
    await rig.gnss.write('$GP');
    await eventually(
      t,
      'bytes of the second life',
      () => Buffer.concat(chunks).toString() === '$GP',
    );
    t.deepEqual(faults, ['hal/disconnected']);
    await again.close();
    await rig.gnss.unplug();
  },
);

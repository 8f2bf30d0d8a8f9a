import test from 'ava';
import type { Edge, LineSpec } from '../../../../src/hal/ports/gpio.js';
import type { VideoRun } from '../../../../src/hal/ports/video.js';
import { FaultyVideo } from '../../../../src/hal/sim/faulty-video.js';
import { SimBoard } from '../../../../src/hal/sim/sim-board.js';
import type { SimBoardState, SimParts } from '../../../../src/hal/sim/sim-board.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { PRESS_MS, SimControl } from '../../../../src/hal/sim/sim-control.js';
import { SimDock } from '../../../../src/hal/sim/sim-dock.js';
import { SimGnss } from '../../../../src/hal/sim/sim-gnss.js';
import { SimGpio } from '../../../../src/hal/sim/sim-gpio.js';
import { SimI2c } from '../../../../src/hal/sim/sim-i2c.js';
import { SimImu } from '../../../../src/hal/sim/sim-imu.js';
import { SimPower } from '../../../../src/hal/sim/sim-power.js';
import { SimSerial } from '../../../../src/hal/sim/sim-serial.js';
import { SimWallClock } from '../../../../src/hal/sim/sim-wall-clock.js';
import { wallTimeMs } from '../../../../src/units.js';

const line = (number: number, activeLow = false): LineSpec => ({
  chip: 'chip',
  line: number,
  activeLow,
});

function bench(parts: Partial<SimParts> = {}) {
  const clock = new SimClock();
  const wallClock = new SimWallClock(clock);
  const gpio = new SimGpio(clock, { chip: { lines: 8 } });
  const dock = new SimDock();
  const power = new SimPower();
  const ends: string[] = [];
  const camera = new FaultyVideo({
    check: () => Promise.resolve(),
    startRun: (_launch, events): VideoRun => ({
      stop: () => Promise.resolve(),
      kill: () => {
        ends.push('killed');
        events.ended({ reason: 'failed', detail: 'killed' });
      },
    }),
  });
  const i2c = new SimI2c();
  const serial = new SimSerial();
  const imu = new SimImu(i2c, { compatible: 'invensense,mpu6050', address: 0x68 }, clock);
  const gnss = new SimGnss(serial, 'gnss', clock);
  const board = new SimBoard({
    clock: wallClock,
    gpio,
    dock,
    power,
    camera,
    imu,
    gnss,
    buttons: { record: line(0, true), function: line(1) },
    outputs: { record: line(2), status: line(3, true), vibration: undefined },
    ...parts,
  });
  const control = new SimControl(board, clock);
  const run = (words: string) => control.run(words.split(' '));
  const state = async (): Promise<SimBoardState> => {
    const reply = await run('state');
    if (!('state' in reply)) throw new Error('no state');
    return reply.state;
  };
  return { clock, wallClock, gpio, dock, power, camera, i2c, serial, imu, gnss, ends, run, state };
}

test('a press is a button down for 100 ms, told when it is up again', async (t) => {
  const { clock, gpio, run } = bench();
  const input = await gpio.openInput(line(0, true));
  const edges: Edge[] = [];
  input.watch((edge) => edges.push(edge));
  const pressing = run('press record');
  await clock.advance(500);
  t.deepEqual(await pressing, { done: 'pressed record for 100 ms' });
  t.deepEqual(
    edges.map(({ isActive, at }) => [isActive, Number(at)]),
    [
      [true, 0],
      [false, PRESS_MS],
    ],
  );
});

test('a hold lasts as long as asked, and the button is down meanwhile', async (t) => {
  const { clock, gpio, run, state } = bench();
  const input = await gpio.openInput(line(1));
  const holding = run('hold function 3s');
  await clock.advance(2_999);
  t.true(await input.read());
  t.deepEqual((await state()).pressed, ['function']);
  await clock.advance(1);
  t.false(await input.read());
  t.deepEqual((await state()).pressed, []);
  await holding;
});

test('a button that is down cannot be pressed, another one can', async (t) => {
  const { clock, run } = bench();
  const holding = run('hold record 3s');
  await t.throwsAsync(run('press record'), { code: 'hal/busy' });
  const other = run('press function');
  await clock.advance(3_000);
  await Promise.all([holding, other]);
});

test('buttons rest inactive from the start', async (t) => {
  const { gpio } = bench();
  t.true(gpio.isHigh(line(0)));
  t.false(gpio.isHigh(line(1)));
  const input = await gpio.openInput(line(0, true));
  t.false(await input.read());
});

test('the dock charges', async (t) => {
  const { dock, power, run } = bench();
  t.deepEqual(await run('dock'), { done: 'in the dock' });
  t.true(dock.isDocked());
  t.true((await power.read()).isCharging);
  t.deepEqual(await run('undock'), { done: 'out of the dock' });
  t.false(dock.isDocked());
  t.false((await power.read()).isCharging);
});

test('the battery takes the charge given', async (t) => {
  const { power, run } = bench();
  t.deepEqual(await run('battery 9'), { done: 'battery at 9 %' });
  t.is((await power.read()).chargePercent, 9);
});

test('the camera fails only while it runs', async (t) => {
  const { camera, ends, run } = bench();
  await t.throwsAsync(run('camera kill'), { code: 'capture/no-video' });
  await t.throwsAsync(run('camera stall'), { code: 'capture/no-video' });
  const chunks: Buffer[] = [];
  camera.startRun('', { bytes: (chunk) => chunks.push(chunk), ended: () => undefined });
  t.deepEqual(await run('camera stall'), { done: 'camera stalled' });
  t.deepEqual(await run('camera kill'), { done: 'camera killed' });
  t.deepEqual(ends, ['killed']);
});

test('the motion sensor leaves the bus and comes back', async (t) => {
  const { i2c, imu, run } = bench();
  t.deepEqual(await run('imu unplug'), { done: 'motion sensor unplugged' });
  await t.throwsAsync(i2c.readBlock(0x68, 0x75, 1), { code: 'hal/no-acknowledge' });
  t.false(imu.isPlugged);
  t.deepEqual(await run('imu plug'), { done: 'motion sensor plugged in' });
  t.deepEqual(await i2c.readBlock(0x68, 0x75, 1), Buffer.from([0x68]));
  t.deepEqual(await run('imu fall'), { done: 'the wearer falls' });
});

test('the receiver loses its fix and its line, and gets them back', async (t) => {
  const { serial, gnss, run } = bench();
  t.deepEqual(await run('gnss nofix'), { done: 'the receiver has no fix' });
  t.false(gnss.hasFix);
  t.deepEqual(await run('gnss fix'), { done: 'the receiver has a fix' });
  t.true(gnss.hasFix);
  t.deepEqual(await run('gnss invalid'), {
    done: 'the receiver says a wrong time and place, flagged invalid',
  });
  t.false(gnss.hasFix);
  const events = { bytes: () => undefined, closed: () => undefined };
  t.deepEqual(await run('gnss unplug'), { done: 'receiver unplugged' });
  await t.throwsAsync(serial.open('gnss', 9600, events), { code: 'hal/disconnected' });
  t.deepEqual(await run('gnss plug'), { done: 'receiver plugged in' });
  await t.notThrowsAsync(serial.open('gnss', 9600, events));
});

test('the wall clock jumps, monotonic time does not', async (t) => {
  const { wallClock, run } = bench();
  const before = wallClock.wallTime().ms;
  t.deepEqual(await run('clock +1d'), { done: 'wall clock shifted by 86400 s' });
  t.is(wallClock.wallTime().ms - before, 86_400_000);
  t.is(Number(wallClock.monotonicMs()), 0);
  t.deepEqual(await run('clock 1970'), { done: 'the wall clock was never set' });
  t.deepEqual(wallClock.wallTime(), { ms: wallTimeMs(0), source: 'unset', uncertaintyMs: 60_000 });
  t.deepEqual(await run('clock gnss'), { done: 'satellites have set the wall clock right' });
  t.deepEqual(wallClock.wallTime(), { ms: before, source: 'gnss', uncertaintyMs: 500 });
  t.deepEqual(await run('clock ntp'), { done: 'network time has set the wall clock right' });
  t.deepEqual(wallClock.wallTime(), { ms: before, source: 'ntp', uncertaintyMs: 50 });
});

test('the wall clock is slewed, and follows a receiver from the moment it is told to', async (t) => {
  const { clock, wallClock, run } = bench();
  const before = wallClock.wallTime().ms;
  t.deepEqual(await run('clock -1s/8s'), { done: 'wall clock slewed by -1 s within 8 s' });
  await clock.advance(4000);
  t.is(wallClock.wallTime().ms - before, 3500);
  await clock.advance(8000);
  t.is(wallClock.wallTime().ms - before, 11_000);
  const offer = {
    at: clock.monotonicMs(),
    wall: { ms: wallTimeMs(before + 12_000), source: 'gnss', uncertaintyMs: 10 },
  } as const;
  await run('clock 1970');
  wallClock.offer(offer);
  t.is(wallClock.wallTime().source, 'unset');
  t.deepEqual(await run('clock follow'), { done: 'the wall clock follows the receiver' });
  wallClock.offer(offer);
  t.deepEqual(wallClock.wallTime(), offer.wall);
});

test('the state tells lights as an eye sees them, lines, dock and battery', async (t) => {
  const { clock, gpio, run, state } = bench();
  const record = await gpio.openOutput(line(2));
  const status = await gpio.openOutput(line(3, true));
  await status.write(true);
  await run('dock');
  await run('battery 50');
  await clock.advance(10_000);
  t.deepEqual(await state(), {
    lights: { record: 'off', status: 'on' },
    pressed: [],
    lines: { 'chip/0': 'high', 'chip/1': 'low', 'chip/2': 'low', 'chip/3': 'low' },
    isDocked: true,
    battery: { chargePercent: 50, isCharging: true },
  });
  await record.write(true);
  t.is((await state()).lights['record'], 'on');
});

test('a light blinks while it changed twice within the last 2.5 s', async (t) => {
  const { clock, gpio, state } = bench();
  const record = await gpio.openOutput(line(2));
  await clock.advance(10_000);
  await record.write(true);
  await clock.advance(1_000);
  await record.write(false);
  t.is((await state()).lights['record'], 'blinking');
  await clock.advance(1_400);
  t.is((await state()).lights['record'], 'blinking');
  await clock.advance(100);
  t.is((await state()).lights['record'], 'off');
});

test('a part that is real is not played with', async (t) => {
  const { run, state } = bench({
    gpio: undefined,
    dock: undefined,
    power: undefined,
    camera: undefined,
    imu: undefined,
    gnss: undefined,
  });
  for (const words of [
    'press record',
    'dock',
    'battery 9',
    'camera kill',
    'imu fall',
    'gnss nofix',
  ]) {
    await t.throwsAsync(run(words), { code: 'hal/not-simulated' });
  }
  t.deepEqual(await state(), {
    lights: {},
    pressed: [],
    lines: {},
    isDocked: undefined,
    battery: undefined,
  });
});

test('a button that the board has not is disconnected', async (t) => {
  const { run } = bench({ buttons: { record: line(0) } });
  await t.throwsAsync(run('press function'), { code: 'hal/disconnected' });
});

test('words that are no command change nothing', async (t) => {
  const { run } = bench();
  await t.throwsAsync(run('motor on'), { code: 'cli/usage', message: /^expected one of: press/ });
});

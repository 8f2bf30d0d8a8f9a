import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { CameraError } from '../../../../src/errors.js';
import { judgeMotion, startFallState } from '../../../../src/hal/drivers/fall-detector.js';
import type { ImuSample } from '../../../../src/hal/drivers/imu-chip.js';
import { Imu, imuChips } from '../../../../src/hal/drivers/imu.js';
import type { ImuCompatible } from '../../../../src/hal/drivers/imu.js';
import type { I2cPort } from '../../../../src/hal/ports/i2c.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import { SimI2c } from '../../../../src/hal/sim/sim-i2c.js';
import { SimImu } from '../../../../src/hal/sim/sim-imu.js';

const ADDRESS = 0x68;
const compatibles = Object.keys(imuChips) as ImuCompatible[];

function bench(
  t: ExecutionContext,
  {
    compatible = 'invensense,mpu6050',
    fitted = compatible,
    wrap = (port) => port,
  }: {
    readonly compatible?: ImuCompatible;
    readonly fitted?: ImuCompatible;
    readonly wrap?: (port: I2cPort, clock: SimClock) => I2cPort;
  } = {},
) {
  const clock = new SimClock();
  const bus = new SimI2c();
  const chip = new SimImu(bus, { compatible: fitted, address: ADDRESS }, clock);
  const states: (string | undefined)[] = [];
  const faults: CameraError[] = [];
  const imu = Imu.start(wrap(bus, clock), { compatible, address: ADDRESS }, clock, (fault) => {
    states.push(fault?.code);
    if (fault !== undefined) faults.push(fault);
  });
  const samples: ImuSample[] = [];
  imu.watch((sample) => samples.push(sample));
  t.teardown(() => {
    imu.close();
  });
  return { clock, bus, chip, imu, samples, states, faults };
}

for (const compatible of compatibles) {
  test(`${compatible} gives gravity, 100 times a second`, async (t) => {
    const { clock, imu, samples, states } = bench(t, { compatible });
    await clock.advance(1_000);
    const before = samples.length;
    await clock.advance(1_000);
    t.is(samples.length - before, 100);
    t.deepEqual(states, [undefined]);
    for (const { accelG, gyroDps, temperatureC } of samples) {
      t.true(Math.abs(accelG.y - 1) < 0.03 && Math.abs(accelG.x) < 0.03);
      t.true(Math.abs(gyroDps.z) < 1);
      t.true(temperatureC > 0 && temperatureC < 40);
    }
    t.is((samples[1]?.at ?? 0) - (samples[0]?.at ?? 0), 10);
    t.deepEqual(imu.counts, { reads: samples.length, skipped: 0, starts: 1 });
  });

  test(`${compatible} lets a fall of the wearer be found, once`, async (t) => {
    const { clock, chip, samples } = bench(t, { compatible });
    await clock.advance(3_000);
    chip.fall();
    await clock.advance(20_000);
    let state = startFallState;
    const falls = samples.flatMap((sample) => {
      const judged = judgeMotion(state, sample);
      state = judged.state;
      return judged.event ?? [];
    });
    t.deepEqual(
      falls.map(({ kind }) => kind),
      ['fall'],
    );
    t.true((falls[0]?.peakG ?? 0) > 4.8);
  });

  test(`${compatible} at rest passes its self-test`, async (t) => {
    const { clock, imu } = bench(t, { compatible });
    await clock.advance(500);
    const testing = imu.selfTest();
    await clock.advance(1_100);
    const { identity, noiseG, gravityG, meanG } = await testing;
    t.true(imuChips[compatible].whoAmI.accepted.some((accepted) => accepted === identity));
    t.true(noiseG > 0.002 && noiseG < 0.008, String(noiseG));
    t.true(Math.abs(gravityG - 1) < 0.01);
    t.true(Math.abs(meanG.y - 1) < 0.01);
  });
}

test('another chip at the address is told by name, and taken as soon as the right one is there', async (t) => {
  const { clock, bus, imu, samples, states, faults } = bench(t, { fitted: 'st,lsm6dso' });
  await clock.advance(500);
  t.deepEqual(states, ['hal/wrong-device']);
  t.is(faults[0]?.message, 'the chip at 0x68 says 0x00, a MPU-6050 says 0x68');
  await t.throwsAsync(imu.identify(), { code: 'hal/wrong-device' });
  await t.throwsAsync(imu.selfTest(), { code: 'hal/wrong-device' });
  t.is(samples.length, 0);
  new SimImu(bus, { compatible: 'invensense,mpu6050', address: ADDRESS }, clock);
  await clock.advance(10_000);
  t.deepEqual(states, ['hal/wrong-device', undefined]);
});

test('a chip that is replugged is set up again before it is believed', async (t) => {
  const { clock, bus, chip, imu, samples, states } = bench(t);
  await clock.advance(1_000);
  chip.unplug();
  await clock.advance(1_500);
  t.deepEqual(states, [undefined, 'hal/no-acknowledge']);
  chip.plug();
  t.is(bus.peek(ADDRESS, 0x6b), 0x40);
  const before = samples.length;
  await clock.advance(5_000);
  t.deepEqual(states, [undefined, 'hal/no-acknowledge', undefined]);
  t.is(bus.peek(ADDRESS, 0x1c), 0x18);
  t.is(imu.counts.starts, 2);
  t.true(samples.slice(before).every(({ accelG }) => Math.abs(accelG.y - 1) < 0.03));
});

test('attempts come after 1, 2, 4, then every 5 s', async (t) => {
  const attempts: number[] = [];
  const { clock, chip } = bench(t, {
    wrap: (port, time) => ({
      readBlock: (address, register, length) => {
        if (register === 0x75) attempts.push(Math.round(time.monotonicMs()));
        return port.readBlock(address, register, length);
      },
      writeByte: (address, register, value) => port.writeByte(address, register, value),
      close: () => port.close(),
    }),
  });
  chip.unplug();
  await clock.advance(18_000);
  t.deepEqual(attempts, [0, 1_000, 3_000, 7_000, 12_000, 17_000]);
});

test('a chip that was reset between two reads is found within a second', async (t) => {
  const { clock, bus, samples, states } = bench(t, { compatible: 'invensense,mpu9250' });
  await clock.advance(1_000);
  // A brown-out: awake again, but at ±2 g, where 1 g reads as 8 g.
  bus.poke(ADDRESS, 0x1c, [0]);
  await clock.advance(1_100);
  t.deepEqual(states, [undefined, 'hal/no-data']);
  await clock.advance(2_000);
  t.deepEqual(states, [undefined, 'hal/no-data', undefined]);
  t.true(Math.abs((samples.at(-1)?.accelG.y ?? 0) - 1) < 0.03);
});

test('readings that stand still are a fault after 2 s, and until they change', async (t) => {
  const { clock, chip, imu, states } = bench(t);
  await clock.advance(1_000);
  chip.setFrozen(true);
  await clock.advance(1_900);
  t.deepEqual(states, [undefined]);
  const failing = t.throwsAsync(imu.selfTest(), { code: 'hal/no-data' });
  await clock.advance(20_000);
  await failing;
  t.deepEqual(states, [undefined, 'hal/no-data']);
  chip.setFrozen(false);
  await clock.advance(6_000);
  t.deepEqual(states, [undefined, 'hal/no-data', undefined]);
});

for (const [what, byte] of [
  ['zero', 0x00],
  ['all ones', 0xff],
] as const) {
  test(`the self-test of a sensor that says nothing but ${what} fails`, async (t) => {
    const { clock, bus, chip, imu } = bench(t);
    await clock.advance(500);
    chip.setFrozen(true);
    bus.poke(ADDRESS, 0x3b, Array<number>(14).fill(byte));
    const testing = imu.selfTest();
    const failing = t.throwsAsync(testing, { code: 'hal/no-data' });
    await clock.advance(4_000);
    await failing;
  });
}

test('the self-test of a sensor that is unplugged gives the fault of the bus', async (t) => {
  const { clock, chip, imu } = bench(t);
  await clock.advance(500);
  chip.unplug();
  await t.throwsAsync(imu.selfTest(), { code: 'hal/no-acknowledge' });
});

test('reads never overlap: ticks during a slow one are skipped and counted', async (t) => {
  let underWay = 0;
  let most = 0;
  const { clock, imu, samples } = bench(t, {
    wrap: (port, time) => ({
      readBlock: async (address, register, length) => {
        underWay += 1;
        most = Math.max(most, underWay);
        await time.sleep(25);
        underWay -= 1;
        return port.readBlock(address, register, length);
      },
      writeByte: (address, register, value) => port.writeByte(address, register, value),
      close: () => port.close(),
    }),
  });
  await clock.advance(1_300);
  t.is(most, 1);
  t.true(samples.length >= 30 && samples.length <= 40, String(samples.length));
  t.true(imu.counts.skipped >= 2 * samples.length - 2);
});

test('a bus that holds a transfer for a second is told, and reading goes on when it lets go', async (t) => {
  let release: (() => void) | undefined;
  let isHeld = false;
  const { clock, samples, states } = bench(t, {
    wrap: (port) => ({
      readBlock: async (address, register, length) => {
        if (isHeld) await new Promise<void>((resolve) => (release = resolve));
        return port.readBlock(address, register, length);
      },
      writeByte: (address, register, value) => port.writeByte(address, register, value),
      close: () => port.close(),
    }),
  });
  await clock.advance(500);
  isHeld = true;
  await clock.advance(1_500);
  t.deepEqual(states, [undefined, 'hal/bus']);
  isHeld = false;
  release?.();
  const before = samples.length;
  await clock.advance(500);
  t.true(samples.length > before);
  t.deepEqual(states, [undefined, 'hal/bus', undefined]);
});

test('after closing nothing is read and no timer is left', async (t) => {
  const { clock, imu, samples } = bench(t);
  await clock.advance(500);
  imu.close();
  const before = samples.length;
  await clock.advance(2_000);
  t.is(samples.length, before);
  t.is(clock.timers, 0);
});

test('closing while the chip is set up leaves no timer either', async (t) => {
  const { clock, imu } = bench(t);
  await clock.advance(50);
  imu.close();
  await clock.advance(2_000);
  t.is(clock.timers, 0);
});

import test from 'ava';
import { CameraMounting } from '../../../src/camera-mounting.js';
import type { Config } from '../../../src/config/config.js';
import { Imu } from '../../../src/hal/drivers/imu.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { SimI2c } from '../../../src/hal/sim/sim-i2c.js';
import { SimImu } from '../../../src/hal/sim/sim-imu.js';
import { createLogger } from '../../../src/log.js';

const SPEC = { compatible: 'invensense,mpu6050', address: 0x68 } as const;

async function bench(setting: Config['rotation'] = 'auto', up: 'y' | null = 'y') {
  const clock = new SimClock();
  const bus = new SimI2c();
  const chip = new SimImu(bus, SPEC, clock);
  const imu = Imu.start(bus, SPEC, clock, () => undefined);
  const log = createLogger('silent', { write: () => undefined });
  const mounting = new CameraMounting({ clock, imu, up: up ?? undefined, log }, setting);
  await clock.advance(500);
  return { clock, chip, imu, mounting };
}

test('a camera put on upside down is found so within two seconds of rest, and upright again at the next undocking', async (t) => {
  const { clock, chip, imu, mounting } = await bench();
  chip.setInverted(true);
  await clock.advance(5000);
  t.is(mounting.rotation, 0, 'in the dock it is not asked');
  mounting.takenOut();
  await clock.advance(2000);
  t.is(mounting.rotation, 180);
  chip.setInverted(false);
  await clock.advance(2500);
  t.is(mounting.rotation, 0, 'turned over in the hand before it was put on');
  chip.setInverted(true);
  await clock.advance(2500);
  t.is(mounting.rotation, 180);
  await clock.advance(60_000);
  chip.setInverted(false);
  await clock.advance(10_000);
  t.is(mounting.rotation, 180, 'who hangs upside down a minute later turns nothing');
  mounting.takenOut();
  await clock.advance(2000);
  t.is(mounting.rotation, 0);
  mounting.close();
  imu.close();
  t.is(clock.timers, 0);
});

test('a fall turns nothing: a camera that lies is neither upright nor upside down', async (t) => {
  const { clock, chip, imu, mounting } = await bench();
  chip.setInverted(true);
  mounting.takenOut();
  await clock.advance(2000);
  chip.fall();
  await clock.advance(8000);
  t.is(mounting.rotation, 180);
  imu.close();
  mounting.close();
});

test('a setting does not ask, and a board that does not say how its sensor is fitted turns nothing', async (t) => {
  const cases = [
    ['upside-down', 'y', 180],
    ['none', 'y', 0],
    ['auto', null, 0],
  ] as const;
  for (const [setting, up, expected] of cases) {
    const { clock, chip, imu, mounting } = await bench(setting, up);
    chip.setInverted(true);
    mounting.takenOut();
    await clock.advance(5000);
    t.is(mounting.rotation, expected, setting);
    imu.close();
    t.is(clock.timers, 0);
  }
});

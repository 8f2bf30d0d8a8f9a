import test from 'ava';
import fc from 'fast-check';
import { decodeSample } from '../../../src/hal/drivers/imu-chip.js';
import type { Vector3 } from '../../../src/hal/drivers/imu-chip.js';
import { judgeMotion, startFallState } from '../../../src/hal/drivers/fall-detector.js';
import { imuChips } from '../../../src/hal/drivers/imu.js';
import type { ImuCompatible } from '../../../src/hal/drivers/imu.js';
import { monotonicMs } from '../../../src/units.js';

const compatible = fc.constantFrom(...(Object.keys(imuChips) as ImuCompatible[]));
const axes = ({ x, y, z }: Vector3): number[] => [x, y, z];
const block = fc.uint8Array({ minLength: 14, maxLength: 14 });

test('any registers decode to values within the range of the chip', (t) => {
  fc.assert(
    fc.property(compatible, block, (name, bytes) => {
      const sample = decodeSample(imuChips[name], Buffer.from(bytes), monotonicMs(0));
      const { accelG, gyroDps, temperatureC } = sample;
      t.true(axes(accelG).every((g) => Math.abs(g) <= 16));
      // 70 mdps/LSB reaches 2294 °/s: ST leaves headroom above ±2000.
      t.true(axes(gyroDps).every((dps) => Math.abs(dps) <= 2_294));
      t.true(temperatureC >= -2_023.1 && temperatureC <= 2_073);
    }),
    { numRuns: 2_000 },
  );
});

test('the extremes of each word are the ends of the range, in the byte order of the family', (t) => {
  const sampleOf = (name: ImuCompatible, bytes: readonly number[]) =>
    decodeSample(imuChips[name], Buffer.from(bytes), monotonicMs(0));
  const mpu = sampleOf(
    'invensense,mpu6050',
    [0x08, 0, 0x7f, 0xff, 0x80, 0, 0, 0, 0, 0, 0x40, 0x10, 0, 0xa4],
  );
  t.is(mpu.accelG.x, 1);
  t.is(mpu.accelG.y, 32_767 / 2_048);
  t.is(mpu.accelG.z, -16);
  t.is(mpu.gyroDps.z, 10);
  t.is(mpu.temperatureC, 36.53);
  const lsm = sampleOf('st,lsm6dso', [0, 1, 0x64, 0, 0, 0x80, 0, 0, 1, 8, 0, 0, 0, 0x80]);
  t.is(lsm.temperatureC, 26);
  t.true(Math.abs(lsm.gyroDps.x - 7) < 1e-9);
  t.true(Math.abs(lsm.gyroDps.y + 2_293.76) < 1e-9);
  t.true(Math.abs(lsm.accelG.x - 2_049 * 0.000_488) < 1e-9);
  t.true(Math.abs(lsm.accelG.z + 15.990_784) < 1e-9);
});

test('the fall detector bears any samples at any times', (t) => {
  const step = fc.tuple(block, fc.integer({ min: 0, max: 600 }));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      let state = startFallState;
      let at = 0;
      for (const [bytes, passedMs] of steps) {
        at += passedMs;
        const sample = decodeSample(imuChips['st,lsm6dso'], Buffer.from(bytes), monotonicMs(at));
        const judged = judgeMotion(state, sample);
        state = judged.state;
        if (judged.event?.kind === 'fall') t.true(Number.isFinite(judged.event.tiltDeg));
        const { x = 0, y = 0, z = 0 } = state.posture ?? {};
        t.true(Number.isFinite(x + y + z));
      }
    }),
    { numRuns: 300 },
  );
});

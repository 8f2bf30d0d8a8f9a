import test from 'ava';
import fc from 'fast-check';
import type { ImuSample, Vector3 } from '../../../../src/hal/drivers/imu-chip.js';
import { AXES, isUpright, judgeRest, type RestState } from '../../../../src/hal/drivers/posture.js';
import { monotonicMs } from '../../../../src/units.js';

const UP: Vector3 = { x: 0, y: 1, z: 0 };

const sample = (at: number, accelG: Vector3): ImuSample => ({
  ...{ at: monotonicMs(at), accelG, gyroDps: { x: 0, y: 0, z: 0 }, temperatureC: 20 },
});

/** Where gravity is found to point in samples 10 ms apart, with the time of each answer. */
function rests(accels: readonly Vector3[]): { at: number; gravity: Vector3 }[] {
  let state: RestState | undefined;
  return accels.flatMap((accelG, index) => {
    const judged = judgeRest(state, sample(index * 10, accelG));
    state = judged.state;
    return judged.gravity ? [{ at: index * 10, gravity: judged.gravity }] : [];
  });
}

const held = (accel: Vector3, ms: number): Vector3[] =>
  Array.from({ length: ms / 10 }, () => accel);

test('each second at rest tells where gravity points', (t) => {
  t.deepEqual(
    rests(held(UP, 3000)).map(({ at }) => at),
    [1000, 2000],
  );
});

test('a camera that is moved tells nothing until it has been at rest for a second', (t) => {
  const steps = Array.from({ length: 300 }, (_, index) => ({
    x: 0,
    y: index % 20 < 10 ? 0.8 : 1.2,
    z: 0,
  }));
  t.deepEqual(rests(steps), []);
  t.deepEqual(
    rests([...held(UP, 500), ...held({ x: 0, y: 0, z: 1 }, 1500)]).map(({ at }) => at),
    [1500],
  );
});

test('samples with a gap between them are of no rest', (t) => {
  const { state } = judgeRest(undefined, sample(0, UP));
  t.is(judgeRest(state, sample(2000, UP)).gravity, undefined);
});

test('a camera that lies on its side, or looks up, is neither upright nor upside down', (t) => {
  t.is(isUpright(UP, 'y'), true);
  t.is(isUpright(UP, '-y'), false);
  t.is(isUpright(UP, 'x'), undefined);
  t.is(isUpright(UP, '-z'), undefined);
  t.is(isUpright({ x: 0.5, y: -0.9, z: 0 }, 'y'), false);
  t.is(isUpright({ x: 0.8, y: -0.6, z: 0 }, 'y'), undefined);
  t.is(isUpright({ x: 0, y: 0, z: 0 }, 'y'), undefined, 'in free fall');
});

test('turning a camera over turns the answer over, and at most two ends of an axis are clear', (t) => {
  const g = fc.double({ min: -2, max: 2, noNaN: true });
  fc.assert(
    fc.property(fc.record({ x: g, y: g, z: g }), (gravity) => {
      const over = { x: -gravity.x, y: -gravity.y, z: -gravity.z };
      for (const axis of AXES) {
        const answer = isUpright(gravity, axis);
        t.is(isUpright(over, axis), answer === undefined ? undefined : !answer);
      }
    }),
  );
});

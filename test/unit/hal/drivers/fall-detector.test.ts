import test from 'ava';
import { judgeMotion, startFallState } from '../../../../src/hal/drivers/fall-detector.js';
import type { FallEvent } from '../../../../src/hal/drivers/fall-detector.js';
import type { ImuSample, Vector3 } from '../../../../src/hal/drivers/imu-chip.js';
import { monotonicMs } from '../../../../src/units.js';
import { Trace, motionClasses } from '../../../support/motion-traces.js';

const VARIANTS = 200;
const HIT_RATE_MIN = 0.95;
/** Of the traces that are no fall. A fifth of the cameras thrown turn too slowly to be told from a body. */
const FALSE_ALARMS_MAX: Readonly<Record<string, number>> = { 'camera thrown on a seat': 0.35 };

function eventsOf(samples: readonly ImuSample[]): readonly FallEvent[] {
  let state = startFallState;
  const events: FallEvent[] = [];
  for (const sample of samples) {
    const judged = judgeMotion(state, sample);
    state = judged.state;
    if (judged.event !== undefined) events.push(judged.event);
  }
  return events;
}

const falls = (samples: readonly ImuSample[]): number =>
  eventsOf(samples).filter(({ kind }) => kind === 'fall').length;

test('falls are found and other motion is let alone, in 200 variants of each', (t) => {
  t.timeout(60_000);
  const rows = motionClasses.map(({ name, isFall, make }, index) => {
    const counts = Array.from({ length: VARIANTS }, (_, variant) =>
      falls(make(new Trace(index * 10_000 + variant)).samples),
    );
    return { name, isFall, told: counts.filter((count) => count > 0).length, counts };
  });
  t.log(`${'motion'.padEnd(24)} of   told as a fall`);
  for (const { name, isFall, told } of rows) {
    const rate = `${((told / VARIANTS) * 100).toFixed(1)} %`.padStart(8);
    t.log(`${name.padEnd(24)} ${VARIANTS}  ${rate} ${isFall ? 'hits' : 'false alarms'}`);
  }
  for (const { name, isFall, told, counts } of rows) {
    t.true(
      counts.every((count) => count <= 1),
      `${name}: one fall is told once`,
    );
    if (isFall) t.true(told / VARIANTS >= HIT_RATE_MIN, `${name}: ${told} of ${VARIANTS}`);
    else t.true(told / VARIANTS <= (FALSE_ALARMS_MAX[name] ?? 0.01), `${name}: ${told}`);
  }
});

const UP: Vector3 = { x: 0, y: 1, z: 0 };
const FORWARD: Vector3 = { x: 0, y: 0, z: 1 };

/** Parts of a motion, each held for its time. */
function trace(...parts: readonly [ms: number, accel: Vector3, gyroDps?: number][]): ImuSample[] {
  let at = 0;
  return parts.flatMap(([ms, accelG, gyroDps = 0]) =>
    Array.from({ length: ms / 10 }, () => ({
      at: monotonicMs((at += 10)),
      accelG,
      gyroDps: { x: gyroDps, y: 0, z: 0 },
      temperatureC: 25,
    })),
  );
}

const times = ({ x, y, z }: Vector3, by: number): Vector3 => ({ x: x * by, y: y * by, z: z * by });
const standing = [2_000, UP] as const;
const flight = [300, times(UP, 0.3)] as const;
const strike = [50, times(FORWARD, 4)] as const;
const lying = [3_000, FORWARD] as const;

test('a fall is told once, with when it struck, how hard, and how far the wearer tilted', (t) => {
  t.deepEqual(eventsOf(trace([...standing], [...flight], [...strike], [...lying])), [
    { kind: 'fall', at: monotonicMs(2_310), peakG: 4, freeFallMs: 290, tiltDeg: 90 },
  ]);
});

const harmless: readonly [title: string, samples: ImuSample[]][] = [
  ['no free fall before the strike', trace([...standing], [...strike], [...lying])],
  ['a free fall of 30 ms', trace([...standing], [30, times(UP, 0.3)], [...strike], [...lying])],
  ['a strike too late', trace([...standing], [...flight], [510, UP], [...strike], [...lying])],
  ['no strike', trace([...standing], [...flight], [50, times(UP, 1.9)], [...lying])],
  ['the same posture', trace([...standing], [...flight], [50, times(UP, 4)], [3_000, UP])],
  [
    'a trunk that turns like a thrown camera',
    trace([...standing], [300, times(UP, 0.3), 500], [...strike], [...lying]),
  ],
  [
    'a wearer who goes on moving',
    trace(
      [...standing],
      [...flight],
      [...strike],
      ...Array.from(
        { length: 20 },
        (_, index) => [200, times(FORWARD, index % 2 ? 0.8 : 1.2)] as const,
      ).map(([ms, accel]): [number, Vector3] => [ms, accel]),
      [...lying],
    ),
  ],
];
for (const [title, samples] of harmless) {
  test(`is no fall: ${title}`, (t) => {
    t.deepEqual(eventsOf(samples), []);
  });
}

test('a fall in the middle of a gap of samples is not put together', (t) => {
  const samples = trace([...standing], [...flight], [...strike], [...lying]);
  t.deepEqual(eventsOf(samples.filter(({ at }) => at < 2_350 || at > 2_900)), []);
});

test('a blow is told at once, and once while it rings', (t) => {
  const samples = trace(
    [...standing],
    [20, times(UP, 13)],
    [100, UP],
    [20, times(UP, 14)],
    [6_000, UP],
    [20, times(UP, 15)],
  );
  t.deepEqual(eventsOf(samples), [
    { kind: 'blow', at: monotonicMs(2_010), peakG: 13 },
    { kind: 'blow', at: monotonicMs(8_150), peakG: 15 },
  ]);
});

test('nothing is told of a sensor that says nothing but zero', (t) => {
  t.deepEqual(eventsOf(trace([10_000, times(UP, 0)])), []);
});

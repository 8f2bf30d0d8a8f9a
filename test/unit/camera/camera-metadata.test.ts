import test from 'ava';
import { CameraMetadata } from '../../../src/camera-metadata.js';
import { formatMetadata, readMetadata } from '../../../src/evidence/metadata.js';
import type { MetadataLine } from '../../../src/evidence/metadata.js';
import { monotonicMs, wallTimeMs } from '../../../src/units.js';

const CFG = 'c0'.repeat(32);
const NOON = Date.UTC(2026, 10, 24, 12);

function collector(): CameraMetadata {
  return new CameraMetadata({
    wearer: 'Agent 7',
    mount: 'chest',
    configDigest: CFG,
    anchors: () => [
      { at: monotonicMs(0), wall: { ms: wallTimeMs(NOON), source: 'gnss', uncertaintyMs: 500 } },
    ],
  });
}

function live(metadata: CameraMetadata, fromMs: number, toMs: number): void {
  for (let at = fromMs; at < toMs; at += 10) {
    metadata.addSample({
      at: monotonicMs(at),
      accelG: { x: 0, y: 1, z: -0.0014 },
      gyroDps: { x: 0, y: 0, z: 12.34 },
      temperatureC: 20,
    });
    if (at % 500 === 0) {
      metadata.addFix({
        at: monotonicMs(at),
        utcMs: wallTimeMs(NOON + at),
        uncertaintyMs: 500,
        latitude: 48.123456789,
        longitude: -11.5,
        speedMps: 1.5,
        courseDeg: undefined,
        altitudeM: 520.25,
        satellites: 9,
        hdop: 0.9,
        dimension: '3D',
      });
    }
  }
}

const ofType = <T extends MetadataLine['type']>(
  lines: readonly MetadataLine[],
  type: T,
): Extract<MetadataLine, { type: T }>[] =>
  lines.filter((line): line is Extract<MetadataLine, { type: T }> => line.type === type);

test('positions once a second and 30 s of motion on both sides of a trigger, in the segments of the recording', (t) => {
  const metadata = collector();
  live(metadata, 0, 100_000);
  metadata.trigger('start', monotonicMs(100_000));
  live(metadata, 100_000, 110_000);
  // 10 s of pre-event: nothing from before it is told.
  const first = metadata.linesFor({ rec: 1, from: 90_000, to: 110_000, mediaMs: 0, isLast: false });
  live(metadata, 110_000, 170_000);
  const second = metadata.linesFor({
    ...{ rec: 1, from: 110_000, to: 170_000, mediaMs: 20_000, isLast: true },
  });
  t.deepEqual([...readMetadata(formatMetadata([...first, ...second]))], [...first, ...second]);
  t.is(ofType(first, 'gnss').length, 20);
  t.is(ofType(second, 'gnss').length, 60);
  t.deepEqual(ofType(second, 'gnss')[0], {
    ...{ type: 'gnss', mono: 110_000, media_ms: 20_000, lat_e7: 481_234_568 },
    ...{ lon_e7: -115_000_000, alt_mm: 520_250, speed_mm_s: 1_500, course_cdeg: null },
    ...{ hdop_c: 90, accuracy_mm: 4_500 },
  });
  t.deepEqual(ofType(first, 'trigger'), [{ type: 'trigger', kind: 'start', mono: 100_000 }]);
  const motion = [...ofType(first, 'imu'), ...ofType(second, 'imu')];
  const times = motion.flatMap(({ mono, dt }) => dt.map((after) => mono + after));
  t.is(times[0], 90_000);
  t.is(times.at(-1), 129_990);
  t.is(times.length, 4_000);
  t.is(new Set(times).size, 4_000);
  t.deepEqual(motion[0]?.acc_mg.slice(0, 3), [0, 1_000, -1]);
  t.deepEqual(motion[0]?.gyro_ddps.slice(0, 3), [0, 0, 123]);
  t.deepEqual(ofType(first, 'facts'), [
    { type: 'facts', wearer: 'Agent 7', mount: 'chest', rotation: 0, cfg: CFG },
  ]);
  t.is(ofType(first, 'clock').length, 1);
});

test('without a trigger no motion is kept but the last 30 s, and none is sealed', (t) => {
  const metadata = collector();
  live(metadata, 0, 200_000);
  const lines = metadata.linesFor({ rec: 1, from: 0, to: 200_000, mediaMs: 0, isLast: true });
  t.is(ofType(lines, 'imu').length, 0);
  metadata.trigger('fall', monotonicMs(200_000));
  const next = metadata.linesFor({ rec: 2, from: 0, to: 200_000, mediaMs: 0, isLast: true });
  t.is(ofType(next, 'imu')[0]?.mono, 170_000);
});

test('a trigger from over the network says who signed it', (t) => {
  const metadata = collector();
  metadata.trigger('peer', monotonicMs(1_000), 'cam-2');
  metadata.trigger('command', monotonicMs(2_000), 'fleet-1');
  const lines = metadata.linesFor({ rec: 1, from: 0, to: 5_000, mediaMs: 0, isLast: true });
  t.deepEqual([...readMetadata(formatMetadata(lines))], [...lines]);
  t.deepEqual(ofType(lines, 'trigger'), [
    { type: 'trigger', kind: 'peer', mono: 1_000, by: 'cam-2' },
    { type: 'trigger', kind: 'command', mono: 2_000, by: 'fleet-1' },
  ]);
});

test('stealth is sealed with each segment that has a part of it, in the time of the recording', (t) => {
  const metadata = collector();
  metadata.stealth(false, monotonicMs(0));
  metadata.stealth(true, monotonicMs(1_000));
  metadata.stealth(false, monotonicMs(2_000));
  metadata.stealth(true, monotonicMs(30_000));
  metadata.stealth(true, monotonicMs(31_000));
  const first = metadata.linesFor({ rec: 1, from: 10_000, to: 70_000, mediaMs: 0, isLast: false });
  metadata.stealth(false, monotonicMs(75_000));
  const rest = { rec: 1, from: 70_000, to: 130_000, mediaMs: 60_000, isLast: true };
  const second = metadata.linesFor(rest);
  t.deepEqual([...readMetadata(formatMetadata([...first, ...second]))], [...first, ...second]);
  t.deepEqual(ofType(first, 'interval'), [
    { type: 'interval', kind: 'stealth', from_ms: 20_000, to_ms: 60_000 },
  ]);
  t.deepEqual(ofType(second, 'interval'), [
    { type: 'interval', kind: 'stealth', from_ms: 60_000, to_ms: 65_000 },
  ]);
});

test('motion that is too old to be sealed is let go, however many triggers wanted it', (t) => {
  const metadata = collector();
  for (let minute = 0; minute < 60; minute += 5) {
    const pressedAt = minute * 60_000 + 30_000;
    live(metadata, minute * 60_000, pressedAt);
    metadata.trigger('start', monotonicMs(pressedAt));
    live(metadata, pressedAt, (minute + 5) * 60_000);
  }
  const lines = metadata.linesFor({ rec: 1, from: 0, to: 3_600_000, mediaMs: 0, isLast: true });
  t.true(ofType(lines, 'imu').every(({ mono }) => mono >= 3_600_000 - 660_000 - 30_000));
  t.is(ofType(lines, 'imu').length, 2 * 60);
});

test('where a segment begins a little before the end of the one before, nothing is told twice', (t) => {
  const metadata = collector();
  live(metadata, 0, 5_000);
  metadata.trigger('fall', monotonicMs(5_000));
  live(metadata, 5_000, 20_000);
  const first = metadata.linesFor({ rec: 1, from: 0, to: 5_010, mediaMs: 0, isLast: false });
  const rest = { rec: 1, from: 4_990, to: 10_000, mediaMs: 5_010, isLast: true };
  const lines = [...first, ...metadata.linesFor(rest)];
  t.is(ofType(lines, 'trigger').length, 1);
  t.deepEqual(
    ofType(lines, 'gnss').map(({ mono }) => mono),
    Array.from({ length: 10 }, (_, second) => second * 1_000),
  );
});

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { anchorsIn, makeSidecars } from '../../../src/cli/sidecars.js';
import type { SidecarInput } from '../../../src/cli/sidecars.js';
import type { MetadataLine } from '../../../src/evidence/metadata.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const NOON = Date.UTC(2026, 10, 24, 12);
const HOUR = 3_600_000;

const clock = (mono: number, wall_ms: number, source: 'gnss' | 'rtc' | 'unset'): MetadataLine => ({
  ...{ type: 'clock', mono, source, wall_ms },
  uncertainty_ms: source === 'gnss' ? 500 : 60_000,
});

const gnss = (mono: number, media_ms: number): MetadataLine => ({
  ...{ type: 'gnss', mono, media_ms, lat_e7: 481_234_567, lon_e7: -115_000_000 },
  ...{ alt_mm: 520_250, speed_mm_s: 0, course_cdeg: null, hdop_c: 90, accuracy_mm: 4_500 },
});

/** Two segments of two seconds, the second after a hole of a second. */
const inputs: readonly SidecarInput[] = [
  {
    lines: [
      { type: 'start', mono: 10_000, media_ms: 0 },
      clock(0, NOON - 2 * HOUR, 'rtc'),
      { type: 'mark', mono: 11_500, media_ms: 1_500 },
      { type: 'interval', kind: 'mute', from_ms: 500, to_ms: 1_000 },
      gnss(10_000, 0),
      {
        ...{ type: 'imu', mono: 10_000, media_ms: 0, dt: [0, 10] },
        ...{ acc_mg: [0, 1000, -1, 2, 3, 4], gyro_ddps: [0, 0, 123, 0, 0, -1] },
      },
    ],
    offsetMs: 0,
    durationMs: 3_000,
  },
  {
    lines: [{ type: 'start', mono: 13_000, media_ms: 3_000 }, gnss(14_000, 4_000)],
    offsetMs: 3_000,
    durationMs: 2_000,
  },
];

const own = anchorsIn(inputs.flatMap(({ lines }) => lines));
/** What a later recording of the same boot learnt from satellites. */
const later = anchorsIn([clock(60_000, NOON + 60_000, 'gnss')]);

test('every moment is dated by the surest time of the boot, also when it came after the recording', (t) => {
  const first = (gpx: string | undefined): string | undefined =>
    /<time>([^<]*)</.exec(gpx ?? '')?.[1];
  t.is(first(makeSidecars(inputs, own).gpx), '2026-11-24T10:00:10.000Z');
  t.is(first(makeSidecars(inputs, [...own, ...later]).gpx), '2026-11-24T12:00:10.000Z');
  t.is(first(makeSidecars(inputs, anchorsIn([clock(0, 0, 'unset')])).gpx), undefined);
});

test('GPX is XML that xmllint reads, with places, heights and times', async (t) => {
  const { gpx = '' } = makeSidecars(inputs, later);
  const file = path.join(await temporaryDirectory(t), 'a.gpx');
  await writeFile(file, gpx);
  try {
    await promisify(execFile)('xmllint', ['--noout', file]);
  } catch (error) {
    // A machine without xmllint has the look at the text below.
    if ((error as { code?: unknown }).code !== 'ENOENT') throw error;
  }
  t.is(gpx.match(/<trkpt /g)?.length, 2);
  t.true(
    gpx.includes(
      '<trkpt lat="48.1234567" lon="-11.5000000"><ele>520.25</ele><time>2026-11-24T12:00:14.000Z</time><hdop>0.90</hdop></trkpt>',
    ),
  );
});

test('the motion is a row a sample', (t) => {
  const rows = makeSidecars(inputs, later).csv?.split('\r\n') ?? [];
  t.is(rows.length, 4);
  t.is(rows[1], '0,10000,2026-11-24T12:00:10.000Z,0.000,1.000,-0.001,0.0,0.0,12.3');
  t.is(rows[2], '10,10010,2026-11-24T12:00:10.010Z,0.002,0.003,0.004,0.0,0.0,-0.1');
});

test('ffprobe reads marks, mutes and places from the WebVTT, at their times in the MP4', async (t) => {
  const { vtt = '' } = makeSidecars(inputs, later);
  const file = path.join(await temporaryDirectory(t), 'a.vtt');
  await writeFile(file, vtt);
  const arguments_ = [
    '-v',
    'error',
    '-show_entries',
    'packet=pts_time,duration_time',
    '-of',
    'csv',
  ];
  const { stdout, stderr } = await promisify(execFile)('ffprobe', [...arguments_, file]);
  t.is(stderr, '');
  t.deepEqual(stdout.trim().split('\n'), [
    'packet,0.000000,1.000000',
    'packet,0.500000,0.500000',
    'packet,1.500000,1.500000',
    'packet,4.000000,1.000000',
  ]);
  t.true(vtt.startsWith('WEBVTT\n\n'));
  t.true(vtt.includes('00:00:00.500 --> 00:00:01.000\nmute\n'));
  t.true(vtt.includes('2026-11-24T12:00:14.000Z 48.1234567 -11.5000000'));
});

test('a recording of which nothing is known has nothing beside it', (t) => {
  t.deepEqual(makeSidecars([{ lines: [], offsetMs: 0, durationMs: 5_000 }], later), {});
});

test('a position that both segments of a seam have stands in the GPX once', (t) => {
  const [first, second] = inputs;
  if (first === undefined || second === undefined) return t.fail();
  const doubled = [first, { ...second, lines: [gnss(10_000, 3_000), ...second.lines] }];
  const points = (given: readonly SidecarInput[]): number | undefined =>
    makeSidecars(given, own).gpx?.match(/<trkpt/g)?.length;
  t.is(points(doubled), points(inputs));
});

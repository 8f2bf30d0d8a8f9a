import { readFile } from 'node:fs/promises';
import path from 'node:path';
import test, { type ExecutionContext } from 'ava';
import { Camera } from '../../../src/camera.js';
import { exportRecording } from '../../../src/cli/export.js';
import { readIdentity } from '../../../src/cli/identity-file.js';
import { initCamera } from '../../../src/cli/keys.js';
import { findNamedBoard, openBoardHere } from '../../../src/cli/open-camera.js';
import { dataPaths } from '../../../src/cli/paths.js';
import { parseConfig } from '../../../src/config/config.js';
import type { LogEntry } from '../../../src/evidence/log-entry.js';
import type { MetadataLine } from '../../../src/evidence/metadata.js';
import type { Board } from '../../../src/hal/board.js';
import { openMachine } from '../../../src/hal/machine.js';
import { KeyFile } from '../../../src/storage/keys.js';
import { eventually } from '../../contract/eventually.js';
import { CONFIG_DIGEST, FIRMWARE_DIGEST, silent } from '../../support/boot-fixture.js';
import { CardReader, type ReadSegment } from '../../support/card-readings.js';
import { probeSamples } from '../../support/ffmpeg.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

// The whole camera on a simulated board, with the clock of that board stepped in the middle of a recording.

const FRAME_90K = 3000;
const DAY = 86_400_000;
const HOUR = 3_600_000;
/** The camera looks at its clock once a second. */
const LOOK_MS = 1000;
/** The receiver has to count on evenly for three sentences, after one that may have been missed. */
const SATELLITES_MS_MAX = 10_000;
/** Network time of the simulated board says that it is off by at most this. */
const NTP_MS = 50;
/** How unevenly pictures may arrive on a busy machine; far less than the smallest step. */
const ARRIVAL_MS_MAX = 500;
const SLEW = { ms: -1000, overMs: 5000 };

/** Wall time of the machine below the simulated board: what its clock says when nobody shifts it. */
const trueAt = (mono: number): number => Date.now() - performance.now() + mono;

interface Bench {
  readonly camera: Camera;
  readonly board: Board;
  readonly reader: CardReader;
  /** Does what `lapel sim` does, and returns when it was done. */
  readonly sim: (words: string) => Promise<number>;
  readonly light: (role: string) => Promise<string>;
  readonly close: () => Promise<void>;
  /** Exports a recording; returns its MP4. */
  readonly exported: (rec: number) => Promise<string>;
}

async function open(t: ExecutionContext, before: readonly string[] = []): Promise<Bench> {
  const root = await temporaryDirectory(t);
  const machine = openMachine();
  const { fs } = machine;
  const data = path.join(root, 'camera');
  const paths = dataPaths(data);
  const identityFile = path.join(root, 'identity.txt');
  const made = { data, device: 'lapel-clock', recipients: [], identity: identityFile };
  const { recipients } = await initCamera(fs, made);
  const board = await openBoardHere(machine, silent, await findNamedBoard(machine, 'sim'));
  const { control } = board;
  if (control === undefined) throw new Error('the board has no hands');
  const sim = async (words: string): Promise<number> => {
    await control.run(words.split(' '));
    return performance.now();
  };
  for (const words of before) await sim(words);
  const deviceKey = await new KeyFile(fs, paths.deviceKey).load();
  const camera = await Camera.open(board, fs, silent, {
    config: parseConfig({
      ...{ deviceId: 'lapel-clock', recipients, preEventMs: 1000, segmentMs: 10_000 },
      reserveBytes: 256 * 1024 * 1024,
      reservePercent: 0,
    }),
    card: paths.card,
    bootFile: paths.bootFile,
    deviceKey,
    configDigest: CONFIG_DIGEST,
    firmwareDigest: FIRMWARE_DIGEST,
  });
  let isClosed = false;
  const close = async (): Promise<void> => {
    if (isClosed) return;
    isClosed = true;
    t.true(await camera.close());
    await board.close();
  };
  t.teardown(close);
  camera.start();
  await eventually(t, 'a second of pictures', () => camera.recorder.status().bufferedMs > 1000);
  const identity = await readIdentity(fs, identityFile);
  return {
    ...{ camera, board, sim, close },
    reader: new CardReader(paths.card, { deviceKey, identity }, root),
    light: async (role) => {
      const reply = await control.run(['state']);
      return 'state' in reply ? (reply.state.lights[role] ?? '') : '';
    },
    exported: async (rec) => {
      const out = path.join(root, `recording-${rec}.mp4`);
      await exportRecording(fs, path.join(paths.card, 'ev', '1', `${rec}`), identity, out);
      return out;
    },
  };
}

type Step = Extract<LogEntry, { type: 'clock-set' }>;
type Correction = Extract<LogEntry, { type: 'time-correction' }>;

const faultsOf = async ({ camera }: Bench): Promise<string> =>
  (await camera.status()).parts.map(({ part, code }) => `${part} ${code}`).join(', ');

/** Waits for what the camera says of the part `clock`, and for what its lights do meanwhile. */
async function told(t: ExecutionContext, bench: Bench, fault: string): Promise<void> {
  await eventually(t, `the part clock: ${fault}`, async () => (await faultsOf(bench)) === fault);
  if (fault !== '') {
    await eventually(t, 'the fault light', async () => (await bench.light('fault')) !== 'off');
  }
  const { recorder } = bench.camera;
  await eventually(t, 'the recording goes on', () => recorder.status().mode === 'recording');
  // A mark winks.
  await eventually(t, 'and shows it', async () => (await bench.light('record')) !== 'off');
}

async function untilSource(t: ExecutionContext, { camera }: Bench, source: string): Promise<void> {
  const limit = performance.now() + SATELLITES_MS_MAX;
  for (;;) {
    const { time } = await camera.status();
    if (time.source === source) return;
    if (performance.now() > limit) {
      t.fail(`the time is not by ${source}: ${JSON.stringify(time)}`);
      return;
    }
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

/** Every picture one frame after the other, whatever the clock did. */
async function checkMediaTimes(t: ExecutionContext, mp4: string): Promise<number> {
  const pictures = await probeSamples(mp4);
  t.deepEqual(
    pictures.map(({ at90k }) => at90k),
    pictures.map((_, index) => index * FRAME_90K),
  );
  return pictures.length;
}

/** Rows of the motion sidecar: monotonic time, and the wall time it was exported with. */
async function datesIn(
  mp4: string,
): Promise<readonly { mono: number; mediaMs: number; utc: string }[]> {
  const [, ...rows] = (await readFile(mp4.replace(/mp4$/, 'csv'), 'utf8')).trimEnd().split('\r\n');
  return rows.map((row) => {
    const [mediaMs = '', mono = '', utc = ''] = row.split(',');
    return { mono: Number(mono), mediaMs: Number(mediaMs), utc };
  });
}

const rises = (values: readonly number[]): boolean =>
  values.every((value, index) => index === 0 || value > (values[index - 1] ?? 0));

const neverFalls = (values: readonly number[]): boolean =>
  values.every((value, index) => value >= (values[index - 1] ?? value));

async function segmentsOf({ reader }: Bench, rec: number): Promise<readonly ReadSegment[]> {
  const segments: ReadSegment[] = [];
  for (const found of (await reader.recordings()).get(rec) ?? []) {
    segments.push(await reader.segment(found));
  }
  return segments;
}

/** Where marks stand, by the media and by the monotonic clock: the same way apart. */
function checkMarks(t: ExecutionContext, segments: readonly ReadSegment[], count: number): void {
  const marks = segments
    .flatMap(({ metadata }) => metadata)
    .filter((line): line is Extract<MetadataLine, { type: 'mark' }> => line.type === 'mark');
  t.is(marks.length, count);
  t.true(rises(marks.map(({ media_ms }) => media_ms)));
  for (const [index, mark] of marks.slice(1).entries()) {
    const before = marks[index];
    const apartMs = mark.media_ms - (before?.media_ms ?? 0);
    t.true(
      Math.abs(apartMs - (mark.mono - (before?.mono ?? 0))) <= ARRIVAL_MS_MAX,
      `${apartMs} ms`,
    );
  }
}

test.serial(
  'a day, an hour, 1970, a receiver with an invalid flag and a leap second, stepped and smeared: one recording whose times stay as they are, and whose dates are right',
  async (t) => {
    t.timeout(180_000);
    const bench = await open(t);
    const { camera, sim } = bench;
    await sim('press record');
    await told(t, bench, '');
    let marks = 0;
    const mark = async (): Promise<void> => {
      await sim('press record');
      marks += 1;
    };

    for (const [there, back] of [
      ['+1d', '-1d'],
      ['-1d', '+1d'],
      ['+1h', '-1h'],
      ['-1h', '+1h'],
    ] as const) {
      await sim(`clock ${there}`);
      await told(t, bench, 'clock hal/clock-jumped');
      await mark();
      await sim(`clock ${back}`);
      await told(t, bench, '');
      await mark();
    }

    await sim('clock 1970');
    await told(t, bench, 'clock hal/clock-jumped');
    await mark();
    await sim('gnss invalid');
    await sim('clock follow');
    await bench.board.clock.sleep(4 * LOOK_MS);
    await told(t, bench, 'clock hal/clock-jumped');
    t.is((await camera.status()).time.source, 'rtc', 'nobody has believed the receiver');
    await sim('gnss fix');
    await untilSource(t, bench, 'gnss');
    await told(t, bench, '');
    await mark();
    await sim('clock ntp');
    await untilSource(t, bench, 'ntp');

    const leapAt = await sim('clock -1s');
    await bench.board.clock.sleep(2 * LOOK_MS);
    await told(t, bench, '');
    await mark();
    const slewAt = await sim('clock -1s/5s');
    await bench.board.clock.sleep(SLEW.overMs + 2 * LOOK_MS);
    await mark();
    await camera.check();
    t.is(await bench.light('fault'), 'off', 'all is well in the end');
    await sim('hold record 3100ms');
    await eventually(t, 'the seal', () => camera.recorder.status().mode === 'buffering');
    await bench.close();

    const mp4 = await bench.exported(1);
    const frames = await checkMediaTimes(t, mp4);
    const segments = await segmentsOf(bench, 1);
    checkMarks(t, segments, marks);
    t.true(segments.every(({ manifest }) => manifest.media.gap_before_ms === 0));

    const entries = await bench.reader.entries(1);
    const steps = entries.filter((entry): entry is Step => entry.type === 'clock-set');
    const corrections = entries.filter(
      (entry): entry is Correction => entry.type === 'time-correction',
    );
    const near = (ms: number, wanted: number): boolean => Math.abs(ms - wanted) <= 2;
    const wanted = [DAY, -DAY, -DAY, DAY, HOUR, -HOUR, -HOUR, HOUR];
    for (const [index, ms] of wanted.entries()) {
      const step = steps[index];
      t.true(near(step?.step_ms ?? NaN, ms), `${step?.step_ms} for ${ms}`);
      t.is(step?.believed, index % 2 === 1);
    }
    t.like(steps[8], { believed: false, time: { source: 'unset' } });
    t.true((steps[8]?.time.wall_ms ?? NaN) < 10_000, 'it said 1970');
    t.deepEqual(
      corrections.map(({ before, after }) => `${before.source} to ${after.source}`),
      ['rtc to gnss', 'gnss to ntp'],
    );
    const [leap, ...smeared] = steps.slice(steps.findLastIndex(({ step_ms }) => step_ms < -900));
    t.true(near(leap?.step_ms ?? NaN, -1000) && leap?.believed, 'the leap second in one step');
    t.true(smeared.length > 0);
    for (const { step_ms, believed } of smeared) t.true(believed && step_ms <= -500, 'smeared');
    t.true(neverFalls(entries.map(({ mono }) => mono)), 'the log never goes back');

    const dates = await datesIn(mp4);
    t.true(dates.length > 500);
    t.true(neverFalls(dates.map(({ mono }) => mono)));
    t.true(neverFalls(dates.map(({ mediaMs }) => mediaMs)));
    let worstMs = 0;
    let worstSmearedMs = 0;
    for (const { mono, utc } of dates) {
      const share = Math.min(1, Math.max(0, (mono - slewAt) / SLEW.overMs));
      const shiftMs = (mono > leapAt ? -1000 : 0) + share * SLEW.ms;
      const offMs = Math.abs(Date.parse(utc) - trueAt(mono) - shiftMs);
      // The step is seen by the next look; what is recorded before that look is dated by the time before the step.
      if (mono > leapAt && mono < leapAt + LOOK_MS + 500) continue;
      if (share > 0) worstSmearedMs = Math.max(worstSmearedMs, offMs);
      else worstMs = Math.max(worstMs, offMs);
    }
    t.log(
      `${frames} pictures, ${steps.length} steps and ${corrections.length} corrections in the log;`,
      `exported UTC off by at most ${worstMs.toFixed(0)} ms, while smeared ${worstSmearedMs.toFixed(0)} ms`,
    );
    t.true(worstMs <= NTP_MS, `${worstMs} ms`);
    // Each half second has its anchor, a look after it.
    t.true(worstSmearedMs <= 500 + (LOOK_MS * 1000) / SLEW.overMs + NTP_MS, `${worstSmearedMs} ms`);
    const gpx = await readFile(mp4.replace(/mp4$/, 'gpx'), 'utf8');
    t.false(gpx.includes('lon="-30'), 'no invalid position');
    const times = [...gpx.matchAll(/<time>([^<]+)<\/time>/g)].map(([, time]) =>
      Date.parse(time ?? ''),
    );
    t.true(times.length > 5);
    t.true(times.every((ms) => Math.abs(ms - Date.now()) < 180_000));
  },
);

test.serial(
  'a camera whose clock nobody ever set shows it, records all the same, and dates the recording when satellites come',
  async (t) => {
    t.timeout(120_000);
    const bench = await open(t, ['gnss nofix', 'clock 1970', 'clock follow']);
    const { camera, sim } = bench;
    await sim('press record');
    await told(t, bench, 'clock hal/clock-unset');
    t.false((await camera.status()).time.isSet);
    await bench.board.clock.sleep(2 * LOOK_MS);
    await sim('hold record 3100ms');
    await eventually(t, 'the end', () => camera.recorder.status().mode === 'buffering');

    await sim('gnss fix');
    // The contact of the hold must be quiet first.
    await bench.board.clock.sleep(100);
    await sim('press record');
    await untilSource(t, bench, 'gnss');
    await told(t, bench, '');
    await sim('hold record 3100ms');
    await eventually(t, 'the end', () => camera.recorder.status().mode === 'buffering');
    await bench.close();

    const [first] = await segmentsOf(bench, 1);
    t.is(first?.manifest.time.source, 'unset', 'what was said before stays');
    const opened = first?.metadata.find(({ type }) => type === 'opened');
    t.like(opened, { source: 'unset' });
    const entries = await bench.reader.entries(1);
    const correction = entries.find(({ type }) => type === 'time-correction');
    t.like(correction, { before: { source: 'unset' }, after: { source: 'gnss' } });
    const mp4 = await bench.exported(1);
    await checkMediaTimes(t, mp4);
    const dates = await datesIn(mp4);
    const worstMs = Math.max(
      ...dates.map(({ mono, utc }) => Math.abs(Date.parse(utc) - trueAt(mono))),
    );
    t.log(
      `${dates.length} moments of the first recording dated by the second, off by at most ${worstMs} ms`,
    );
    t.true(worstMs <= 500);
  },
);

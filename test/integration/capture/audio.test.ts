import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import test, { type ExecutionContext } from 'ava';
import { joinSegments } from '../../../src/capture/mp4.js';
import { launchLineWithAudio } from '../../../src/capture/pipeline.js';
import type { AudioInterval, Fragment } from '../../../src/capture/ports.js';
import { Recordings, type RecordingStart } from '../../../src/capture/recordings.js';
import { bytesSource } from '../../../src/capture/segment-reader.js';
import { VideoFeed } from '../../../src/capture/video-feed.js';
import { GStreamerSource } from '../../../src/hal/linux/gstreamer.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { eventually } from '../../contract/eventually.js';
import {
  audioSpan,
  clapCamera,
  CLAP_MICROPHONE,
  clicksIn,
  flashesOf,
  peakBetween,
  samplesOf,
} from '../../support/clap.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemoryTarget } from '../../support/mp4-packets.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { TEST_CAMERA, testLaunch } from '../../support/test-launch.js';

/** How long the clap test records. Ten minutes: `LAPEL_CLAP_MINUTES=10 npx ava --config test/timed.config.js …`. */
const CLAP_MS = Number(process.env['LAPEL_CLAP_MINUTES'] ?? 0.5) * 60_000;
const ROTATIONS = 3;
const SKEW_MS_MAX = 100;
/** A GOP of one second and half as much again. */
const DURABLE_MS_MAX = 1500;
/** Of a full scale of 32768: -90 dB is 1.04. */
const SILENT_PEAK = 1;
const MIB = 2 ** 20;

interface Rig {
  readonly feed: VideoFeed;
  readonly recordings: Recordings;
  readonly sink: MemorySink;
  readonly clock: SystemClock;
  readonly faults: string[];
  /** When the pictures of each fragment were handed to the card. */
  readonly writtenAt: number[];
  /** Begins a recording with what has been buffered. */
  readonly begin: () => void;
  readonly end: () => Promise<void>;
}

/** A real pipeline with what it feeds, without buttons. */
function open(
  t: ExecutionContext,
  microphone: string,
  segmentMs = 60_000,
  source = 'videotestsrc is-live=true pattern=ball',
): Rig {
  const clock = new SystemClock();
  const sink = new MemorySink();
  const faults: string[] = [];
  const writtenAt: number[] = [];
  sink.hooks.append = ({ frames }) => {
    if (frames > 0) writtenAt.push(clock.monotonicMs());
    return Promise.resolve();
  };
  const audio = { isOn: true, isInPreEvent: false };
  const recordings = new Recordings({ clock, sink }, 512 * MIB, audio, {
    reached: () => undefined,
    sealed: () => undefined,
    stopped: () => undefined,
    failed: (_rec, error) => t.fail(String(error)),
    queueFull: () => t.fail('the queue is full'),
    hole: () => t.fail('pictures are missing'),
  });
  const buffered: Fragment[] = [];
  const camera = { ...TEST_CAMERA, source };
  const feed = new VideoFeed(
    { clock, video: new GStreamerSource() },
    {
      launch: testLaunch({ source }),
      launchWithAudio: launchLineWithAudio(camera, { source: microphone, bitrateKbps: 64 }),
    },
    {
      fragment: (fragment, gop) => {
        if (recordings.active === undefined) buffered.push(fragment);
        recordings.add(fragment, gop);
      },
      up: () => undefined,
      lost: () => undefined,
      failed: () => undefined,
      gap: () => undefined,
      fault: ({ code, message }) => faults.push(`${code}: ${message}`),
    },
  );
  const begin = (): void => {
    const preEvent: RecordingStart['preEvent'] = {
      fragments: buffered,
      askedMs: 0,
      gotMs: 0,
      reason: 'none',
    };
    const pressedAt = clock.monotonicMs();
    recordings.begin({ rec: 1, segmentMs, trigger: 'press', preEvent, later: [], pressedAt });
  };
  const end = async (): Promise<void> => {
    recordings.stop(feed.openGop?.gop);
    await feed.stop(3000);
    await recordings.finishAll();
  };
  t.teardown(() => feed.stop(1000));
  feed.start();
  return { feed, recordings, sink, clock, faults, writtenAt, begin, end };
}

async function exported(t: ExecutionContext, { sink }: Rig): Promise<string> {
  let end90k = 0;
  const inputs = sink.of(1).map((segment) => {
    const offset90k = end90k + segment.opening.gapBeforeMs * 90;
    end90k = offset90k + segment.fragments.reduce((sum, { duration90k }) => sum + duration90k, 0);
    return { source: bytesSource(sink.bytesOf(segment)), offset90k };
  });
  const target = new MemoryTarget();
  await joinSegments(inputs, target);
  const file = path.join(await temporaryDirectory(t), 'recording.mp4');
  await writeFile(file, target.bytes);
  return file;
}

const intervalsOf = ({ sink }: Rig): AudioInterval[] =>
  sink.of(1).flatMap(({ closing }) => closing?.audio ?? []);

function checkCadence(t: ExecutionContext, { writtenAt }: Rig): void {
  const steps = writtenAt.slice(1).map((at, index) => at - (writtenAt[index] ?? at));
  t.log(`fragments ${steps.length}, longest step ${Math.round(Math.max(...steps))} ms`);
  t.true(Math.max(...steps) <= DURABLE_MS_MAX);
}

test.serial('a flash and a click each second stay together over three rotations', async (t) => {
  t.timeout(CLAP_MS + 120_000);
  const source = await clapCamera(await temporaryDirectory(t));
  const rig = open(t, CLAP_MICROPHONE, CLAP_MS / (ROTATIONS + 0.5), source);
  await eventually(t, 'three seconds of pictures', () => rig.feed.frames > 90);
  rig.begin();
  const framesBefore = rig.feed.frames;
  await wait(CLAP_MS);
  await rig.end();
  t.is(rig.sink.of(1).length, ROTATIONS + 1);
  const file = await exported(t, rig);
  const [flashes, samples, span] = [
    await flashesOf(file),
    await samplesOf(file),
    await audioSpan(file),
  ];
  // All of the buffer is in the file, so the newest picture at the press is the last of these.
  const press = (framesBefore - 1) / 30;
  t.true(span.first >= press, 'no packet from before the press');
  t.true(span.first < press + 0.25, 'and sound soon after it');
  t.is(peakBetween(samples, 0, press), 0, 'nor anything to hear');
  // The sound may end some milliseconds after the last picture, with a click whose flash is not there.
  const clicks = clicksIn(samples).filter((click) => click < (flashes.at(-1) ?? 0) + 0.5);
  t.true(clicks.length >= CLAP_MS / 1000 - 2);
  const skews = clicks.map((click) => {
    const nearest = Math.min(...flashes.map((flash) => Math.abs(flash - click)));
    return nearest * 1000;
  });
  t.log(
    `${clicks.length} claps, skew ${Math.min(...skews).toFixed(1)} to ${Math.max(...skews).toFixed(1)} ms,`,
    `packets ${span.packets}, from ${span.first} s (press ${press.toFixed(3)} s) to ${span.end} s`,
  );
  t.true(Math.max(...skews) < SKEW_MS_MAX);
  t.true(Math.abs((span.end - span.first) * 48_000 - span.packets * 1024) <= 2, 'no hole');
  t.deepEqual(intervalsOf(rig), []);
  t.deepEqual(rig.faults, []);
});

test.serial('a mute is silent to the sample where it says so, and pictures go on', async (t) => {
  const rig = open(t, 'audiotestsrc is-live=true wave=sine freq=1000', 4000);
  await eventually(t, 'pictures', () => rig.feed.frames > 45);
  rig.begin();
  await wait(3300);
  rig.recordings.setMuted(rig.clock.monotonicMs(), true);
  await wait(3000);
  rig.recordings.setMuted(rig.clock.monotonicMs(), false);
  await wait(3000);
  await rig.end();
  checkCadence(t, rig);
  const intervals = intervalsOf(rig);
  t.true(intervals.length >= 1 && intervals.every(({ kind }) => kind === 'mute'));
  for (const [index, { fromMs }] of intervals.slice(1).entries()) {
    t.true(fromMs - (intervals[index]?.toMs ?? 0) <= 1, 'one mute, told by segments');
  }
  const [from, to] = [(intervals[0]?.fromMs ?? 0) / 1000, (intervals.at(-1)?.toMs ?? 0) / 1000];
  t.true(to - from > 2.95 && to - from < 3.1, `${to - from} s`);
  const samples = await samplesOf(await exported(t, rig));
  t.log(`muted ${from} to ${to} s, peak ${peakBetween(samples, from, to)}`);
  t.true(peakBetween(samples, from, to) <= SILENT_PEAK);
  t.true(peakBetween(samples, from - 0.06, from - 0.02) > 1000, 'not more than it says');
  t.true(peakBetween(samples, to + 0.02, to + 0.06) > 1000);
});

for (const [what, microphone] of [
  ['breaks', 'audiotestsrc is-live=true wave=sine ! identity error-after=250'],
  ['ends', 'audiotestsrc is-live=true wave=sine num-buffers=250'],
] as const) {
  test.serial(`a microphone that ${what} while recording delays no picture`, async (t) => {
    const rig = open(t, microphone, 5000);
    await eventually(t, 'pictures', () => rig.feed.frames > 45);
    rig.begin();
    await wait(11_000);
    await rig.end();
    checkCadence(t, rig);
    t.is(rig.feed.runs, 1, 'not even a restart');
    t.is(rig.faults.length, 1);
    t.regex(rig.faults[0] ?? '', /^capture\/audio-lost: /);
    const intervals = intervalsOf(rig);
    t.true(intervals.length > 0 && intervals.every(({ kind }) => kind === 'audio-lost'));
    const file = await exported(t, rig);
    const span = await audioSpan(file);
    t.true(Math.abs((span.end - span.first) * 48_000 - span.packets * 1024) <= 2, 'no hole');
    t.log(rig.faults[0], intervals);
    const samples = await samplesOf(file);
    t.true(peakBetween(samples, 2.2, 3) > 1000);
    t.is(peakBetween(samples, (intervals[0]?.fromMs ?? 0) / 1000 + 0.1, span.end), 0);
  });
}

test.serial('a microphone that is not there: pictures without it', async (t) => {
  const rig = open(t, 'filesrc location=/nonexistent/microphone.wav ! wavparse');
  await eventually(t, 'pictures', () => rig.feed.frames > 60);
  rig.begin();
  await wait(2500);
  await rig.end();
  t.regex(rig.faults[0] ?? '', /^capture\/audio-lost: .*nonexistent/);
  t.true((rig.sink.of(1)[0]?.fragments.length ?? 0) >= 2);
  t.deepEqual([...new Set(intervalsOf(rig).map(({ kind }) => kind))], ['audio-lost']);
});

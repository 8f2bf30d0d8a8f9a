import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import test from 'ava';
import { joinSegments } from '../../../src/capture/mp4.js';
import { Recorder } from '../../../src/capture/recorder.js';
import type { RecorderSettings } from '../../../src/capture/recorder-api.js';
import { bytesSource } from '../../../src/capture/segment-reader.js';
import { GStreamerSource } from '../../../src/hal/linux/gstreamer.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import type { RunEvents, VideoRun, VideoSource } from '../../../src/hal/ports/video.js';
import { createLogger } from '../../../src/log.js';
import { eventually } from '../../contract/eventually.js';
import { decode, probe, toRawVideo } from '../../support/ffmpeg.js';
import { MemoryJournal } from '../../support/memory-journal.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemoryTarget } from '../../support/mp4-packets.js';
import { RIG_SETTINGS } from '../../support/recorder-rig.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { testLaunch } from '../../support/test-launch.js';

const FRAME_90K = 3000;
const FOOTAGE = path.resolve('node_modules/gstreamer-superficial/examples/loop/samplevideo.mp4');

/** The real source, with the process of its newest run in reach. */
class KillableSource implements VideoSource {
  readonly #source = new GStreamerSource();
  pid: number | undefined;

  check(launch: string): Promise<void> {
    return this.#source.check(launch);
  }

  startRun(launch: string, events: RunEvents): VideoRun {
    const run = this.#source.startRun(launch, events);
    this.pid = run.pid;
    return run;
  }
}

function openRecorder(settings: Partial<RecorderSettings>) {
  const clock = new SystemClock();
  const source = new KillableSource();
  const sink = new MemorySink();
  const journal = new MemoryJournal();
  const latencies = new Map<string, number>();
  const recorder = new Recorder(
    {
      clock,
      video: source,
      sink,
      journal,
      indicator: { show: () => undefined, signal: () => undefined },
      log: createLogger('silent', process.stdout),
    },
    { ...RIG_SETTINGS, launch: testLaunch(), ...settings },
  );
  recorder.on({ reached: (step, _rec, ms) => latencies.set(step, ms) });
  const edge = (isPressed: boolean): void => {
    recorder.edge({ button: 'record', isPressed, at: clock.monotonicMs() });
  };
  return { recorder, source, sink, journal, latencies, edge };
}

/** Joins a recording as an export does, and writes it to a file. */
async function exportTo(file: string, sink: MemorySink, rec: number): Promise<number> {
  let end90k = 0;
  const inputs = sink.of(rec).map((segment) => {
    const offset90k = end90k + segment.opening.gapBeforeMs * 90;
    end90k = offset90k + segment.fragments.reduce((sum, { duration90k }) => sum + duration90k, 0);
    return { source: bytesSource(sink.bytesOf(segment)), offset90k };
  });
  const target = new MemoryTarget();
  const { frames } = await joinSegments(inputs, target);
  await writeFile(file, target.bytes);
  return frames;
}

test.serial(
  'real footage: a press in mid-GOP, rotation, a stop; the export is whole to the frame',
  async (t) => {
    const directory = await temporaryDirectory(t);
    const raw = path.join(directory, 'loop.i420');
    const [width, height] = [320, 180];
    await toRawVideo(FOOTAGE, raw, { width, height, seconds: 3 });
    const { recorder, sink, journal, latencies, edge } = openRecorder({
      preEventMs: 2000,
      segmentMs: 2000,
      launch: testLaunch({
        source:
          `multifilesrc location="${raw}" loop=true blocksize=${(width * height * 3) / 2}` +
          ` ! rawvideoparse format=i420 width=${width} height=${height} framerate=30/1 ! identity sync=true`,
        width,
        height,
      }),
    });
    recorder.start();
    await eventually(t, 'the first picture', () => recorder.status().frames > 0);
    await eventually(t, 'the buffer to fill', () => recorder.status().frames > 105);
    edge(true);
    await wait(150);
    edge(false);
    await wait(3500);
    edge(true);
    await wait(3200);
    edge(false);
    await eventually(t, 'the last seal', () => sink.of(1).at(-1)?.closing?.isLast === true);
    t.true(await recorder.stopAndClose(6000));

    const segments = sink.of(1);
    t.true(segments.length >= 4, `${segments.length} segments`);
    const { askedMs, gotMs = 0, reason } = segments[0]?.opening.preEvent ?? {};
    t.is(reason, 'none');
    t.true(gotMs >= 2000 && gotMs <= 3000, `${gotMs} of ${askedMs}`);
    t.deepEqual(
      ['first-append', 'first-durable', 'pre-event-durable'].filter((step) => !latencies.has(step)),
      [],
    );
    t.deepEqual([...journal.outcomes.values()], ['started', 'released', 'stopped', 'released']);

    const file = path.join(directory, 'export.mp4');
    const frames = await exportTo(file, sink, 1);
    const { packets, counted } = await probe(file);
    const durations = segments.flatMap(({ fragments }) =>
      fragments.map((each) => each.duration90k),
    );
    t.is(counted, frames);
    t.is(
      durations.reduce((sum, each) => sum + each, 0),
      frames * FRAME_90K,
    );
    t.deepEqual(
      packets.map((packet) => packet.at90k),
      packets.map((_, index) => index * FRAME_90K),
      'one frame apart, also across the seams',
    );
    const { md5, messages } = await decode(file);
    t.is(messages, '');
    t.is(md5.length, frames);
    t.deepEqual(
      md5.filter((each, index) => each === md5[index - 1]),
      [],
      'no picture twice',
    );
  },
);

test.serial(
  'a capture child killed while recording: frames again within 2 s, a gap in the log, and on',
  async (t) => {
    const directory = await temporaryDirectory(t);
    const { recorder, source, sink, journal, edge } = openRecorder({
      preEventMs: 1000,
      segmentMs: 60_000,
    });
    recorder.start();
    await eventually(t, 'a second of pictures', () => recorder.status().bufferedMs > 1300);
    edge(true);
    await wait(100);
    edge(false);
    await wait(1700);
    const before = recorder.status().frames;
    process.kill(source.pid ?? 0, 'SIGKILL');
    const killedAt = performance.now();
    await eventually(t, 'frames again', () => recorder.status().frames > before + 5);
    const backAfterMs = performance.now() - killedAt;
    t.true(backAfterMs < 2000, `back after ${backAfterMs} ms`);
    await wait(1500);
    const all = recorder.status().frames;
    t.true(await recorder.stopAndClose(6000));

    const segments = sink.of(1);
    t.deepEqual(
      segments.map(({ opening, closing }) => [opening.run, closing?.end, closing?.isLast]),
      [
        [1, 'stall', false],
        [2, 'normal', true],
      ],
    );
    const gap = journal.facts.find((fact) => fact.type === 'gap');
    t.is(gap?.rec, 1);
    t.regex(gap?.cause ?? '', /SIGKILL/);
    const gapMs = segments[1]?.opening.gapBeforeMs ?? 0;
    t.true(gapMs > 50 && gapMs < 2000, `${gapMs} ms`);
    t.true(Math.abs(gapMs - (gap?.gapMs ?? 0)) < 150, `${gapMs} and ${gap?.gapMs}`);

    const file = path.join(directory, 'export.mp4');
    const frames = await exportTo(file, sink, 1);
    t.true(frames >= all, 'every frame that came is in the recording');
    const { packets } = await probe(file);
    const steps = packets
      .slice(1)
      .map((packet, index) => packet.at90k - (packets[index]?.at90k ?? 0))
      .filter((step) => step !== FRAME_90K);
    t.deepEqual(steps, [FRAME_90K + gapMs * 90]);
    t.is((await decode(file)).messages, '');
  },
);

test.serial(
  'a recording cut anywhere in its last segment exports every whole picture, and decodes',
  async (t) => {
    const directory = await temporaryDirectory(t);
    const { recorder, sink, edge } = openRecorder({ preEventMs: 1000, segmentMs: 60_000 });
    recorder.start();
    await eventually(t, 'a second of pictures', () => recorder.status().bufferedMs > 1100);
    edge(true);
    await wait(1500);
    t.true(await recorder.stopAndClose(6000));
    const [segment] = sink.of(1);
    t.truthy(segment);
    const whole = segment ? sink.bytesOf(segment) : Buffer.alloc(0);
    const file = path.join(directory, 'cut.mp4');
    for (const share of [0.3, 0.55, 0.83, 0.99]) {
      const cut = whole.subarray(0, Math.floor(whole.length * share));
      const target = new MemoryTarget();
      const report = await joinSegments([{ source: bytesSource(cut), offset90k: 0 }], target);
      t.true(report.segments[0]?.isCut);
      await writeFile(file, target.bytes);
      const { md5, messages } = await decode(file);
      t.is(messages, '', `cut at ${share}`);
      t.is(md5.length, report.frames);
      t.true(report.frames > 0);
    }
  },
);

import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import { joinSegments } from '../../../src/capture/mp4.js';
import { Recorder } from '../../../src/capture/recorder.js';
import { bytesSource } from '../../../src/capture/segment-reader.js';
import type { WallTime } from '../../../src/clock.js';
import { GStreamerSource } from '../../../src/hal/linux/gstreamer.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import type { RunEvents, VideoRun, VideoSource } from '../../../src/hal/ports/video.js';
import { createLogger } from '../../../src/log.js';
import { monotonicMs, wallTimeMs, type MonotonicMs } from '../../../src/units.js';
import { eventually } from '../../contract/eventually.js';
import { decode } from '../../support/ffmpeg.js';
import { MemoryJournal } from '../../support/memory-journal.js';
import { MemorySink } from '../../support/memory-sink.js';
import { MemoryTarget } from '../../support/mp4-packets.js';
import { RIG_SETTINGS } from '../../support/recorder-rig.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';
import { testLaunch } from '../../support/test-launch.js';

/** Longer than any of these recordings, so that each holds every picture there was. */
const PRE_EVENT_MS = 60_000;

const execute = promisify(execFile);

/** The real source; keeps the bytes of its run, so that the same pictures can be recorded again. */
class TappedSource implements VideoSource {
  readonly #source = new GStreamerSource();
  readonly chunks: Buffer[] = [];

  check(launch: string): Promise<void> {
    return this.#source.check(launch);
  }

  startRun(launch: string, events: RunEvents): VideoRun {
    return this.#source.startRun(launch, {
      ...events,
      bytes: (chunk) => {
        this.chunks.push(Buffer.from(chunk));
        events.bytes(chunk);
      },
    });
  }
}

/** Gives the bytes of another source again, all at once. */
class ReplayedSource implements VideoSource {
  readonly #chunks: readonly Buffer[];
  constructor(chunks: readonly Buffer[]) {
    this.#chunks = chunks;
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  startRun(_launch: string, events: RunEvents): VideoRun {
    setTimeout(() => {
      for (const chunk of this.#chunks) events.bytes(chunk);
    }, 10);
    return {
      kill: () => undefined,
      stop: () => {
        events.ended({ reason: 'stopped', detail: '' });
        return Promise.resolve();
      },
    };
  }
}

function openRecorder(video: VideoSource, wallAt?: (at: MonotonicMs) => WallTime) {
  const clock = new SystemClock();
  const sink = new MemorySink();
  const recorder = new Recorder(
    {
      clock,
      video,
      sink,
      journal: new MemoryJournal(),
      indicator: { show: () => undefined, signal: () => undefined },
      log: createLogger('silent', process.stdout),
      frameClock: wallAt && { wallAt },
    },
    { ...RIG_SETTINGS, launch: testLaunch(), preEventMs: PRE_EVENT_MS, segmentMs: 2000 },
  );
  const edge = (isPressed: boolean): void => {
    recorder.edge({ button: 'record', isPressed, at: clock.monotonicMs() });
  };
  return { clock, sink, recorder, edge };
}

async function exportTo(file: string, sink: MemorySink): Promise<void> {
  let end90k = 0;
  const inputs = sink.of(1).map((segment) => {
    const offset90k = end90k;
    end90k += segment.fragments.reduce((sum, { duration90k }) => sum + duration90k, 0);
    return { source: bytesSource(sink.bytesOf(segment)), offset90k };
  });
  const target = new MemoryTarget();
  await joinSegments(inputs, target);
  await writeFile(file, target.bytes);
}

/** What ffmpeg's showinfo filter prints of MISB time stamps: status byte and microseconds of each frame. */
async function shownTimes(file: string): Promise<{ status: number; utcMicros: number }[]> {
  const { stderr } = await execute(
    'ffmpeg',
    ['-hide_banner', '-nostats', '-i', file, '-vf', 'showinfo', '-f', 'null', '-'],
    { maxBuffer: 2 ** 26, timeout: 60_000 },
  );
  const lines = stderr.matchAll(
    /UUID=4d495350-6d69-6372-6f73-656374696d65\s+\[[^\]]*\] User Data=([0-9a-f]{24})\s/g,
  );
  return [...lines].map(([, hex = '']) => {
    const pairs = [2, 8, 14, 20].map((at) => hex.slice(at, at + 4));
    return {
      status: Number.parseInt(hex.slice(0, 2), 16),
      utcMicros: Number.parseInt(pairs.join(''), 16),
    };
  });
}

test.serial(
  'ffmpeg reads when each picture was taken, also before the press, and decodes the same pictures as without',
  async (t) => {
    const directory = await temporaryDirectory(t);
    const source = new TappedSource();
    const beganMs = Date.now() - performance.now();
    const { recorder, sink, edge, clock } = openRecorder(source, (at) => {
      const nowMs = Date.now() - clock.monotonicMs() + at;
      return { ms: wallTimeMs(nowMs), source: 'ntp', uncertaintyMs: 10 };
    });
    recorder.start();
    await eventually(t, 'two seconds of pictures', () => recorder.status().bufferedMs > 2100);
    const pressedMs = Date.now();
    edge(true);
    await eventually(t, 'two more', () => recorder.status().recordingMs > 4000);
    t.true(await recorder.stopAndClose(6000));
    const stoppedMs = Date.now();
    const file = path.join(directory, 'export.mp4');
    await exportTo(file, sink);

    const { md5, messages } = await decode(file);
    t.is(messages, '');
    const times = await shownTimes(file);
    t.is(times.length, md5.length, 'each frame says its time');
    t.deepEqual([...new Set(times.map(({ status }) => status))], [0x1f]);
    const ms = times.map(({ utcMicros }) => utcMicros / 1000);
    const steps = ms.slice(1).map((each, index) => each - (ms[index] ?? 0));
    t.true(Math.min(...steps) > 0, 'no picture before the one before it');
    t.true((ms[0] ?? 0) > beganMs && (ms.at(-1) ?? 0) <= stoppedMs);
    const gotMs = sink.of(1)[0]?.opening.preEvent?.gotMs ?? 0;
    const before = ms.filter((each) => each < pressedMs).length;
    t.true(Math.abs(before * (1000 / 30) - gotMs) < 300, `${before} before the press, ${gotMs} ms`);
    const settled = steps.slice(30);
    const offMs = settled.map((step) => Math.abs(step - 1000 / 30)).sort((a, b) => a - b);
    const most = offMs[Math.floor(offMs.length * 0.9)] ?? 0;
    t.log(
      `${times.length} frames; steps of settled frames: 90 % within ${most.toFixed(3)} ms of a frame`,
    );
    t.true(most < 5);

    const plain = openRecorder(new ReplayedSource(source.chunks));
    plain.recorder.start();
    await eventually(t, 'the pictures', () => plain.recorder.status().frames >= md5.length);
    plain.edge(true);
    await eventually(t, 'the start', () => plain.recorder.status().rec === 1);
    t.true(await plain.recorder.stopAndClose(6000));
    const same = path.join(directory, 'plain.mp4');
    await exportTo(same, plain.sink);
    t.deepEqual(await shownTimes(same), []);
    const { md5: plainMd5 } = await decode(same);
    const pictures = new Set(md5);
    t.deepEqual(
      plainMd5.filter((each) => pictures.has(each)),
      md5,
      'the same pictures in the same order',
    );
  },
);

test.serial(
  'a clock that nobody set, then one that is set: the status byte of ffmpeg says both',
  async (t) => {
    const directory = await temporaryDirectory(t);
    let setAt = monotonicMs(Number.POSITIVE_INFINITY);
    const { recorder, sink, edge, clock } = openRecorder(new GStreamerSource(), (at) =>
      at < setAt
        ? { ms: wallTimeMs(at), source: 'unset', uncertaintyMs: 1e12 }
        : { ms: wallTimeMs(1_800_000_000_000 + at), source: 'gnss', uncertaintyMs: 1 },
    );
    recorder.start();
    await eventually(t, 'a second of pictures', () => recorder.status().bufferedMs > 1100);
    edge(true);
    setAt = clock.monotonicMs();
    await eventually(t, 'another', () => recorder.status().recordingMs > 2500);
    t.true(await recorder.stopAndClose(6000));
    const file = path.join(directory, 'export.mp4');
    await exportTo(file, sink);
    const said = (await shownTimes(file)).map(({ status }) => status);
    const kinds = said.filter((status, index) => status !== said[index - 1]);
    t.deepEqual(kinds, [0x9f, 0x5f, 0x1f]);
    t.is(said.filter((status) => status === 0x5f).length, 1);
  },
);

import test from 'ava';
import type { CameraError } from '../../../src/errors.js';
import type { RunEvents, VideoRun, VideoSource } from '../../../src/hal/ports/video.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { readFrameTime } from '../../../src/capture/frame-time-sei.js';
import type { Fragment } from '../../../src/capture/ports.js';
import { bytesSource, SegmentReader } from '../../../src/capture/segment-reader.js';
import { VideoFeed, type VideoFeedSettings } from '../../../src/capture/video-feed.js';
import { wallTimeMs } from '../../../src/units.js';
import { accessUnits, gdpStream } from '../../support/synthetic-video.js';

/** A source whose runs the test drives by hand. */
class HandSource implements VideoSource {
  readonly runs: RunEvents[] = [];
  kills = 0;
  /** What the next start throws. */
  refusal: Error | undefined;

  check(): Promise<void> {
    return Promise.resolve();
  }

  startRun(_launch: string, events: RunEvents): VideoRun {
    if (this.refusal) throw this.refusal;
    this.runs.push(events);
    return {
      kill: () => {
        this.kills += 1;
      },
      stop: () => {
        events.ended({ reason: 'stopped', detail: '' });
        return Promise.resolve();
      },
    };
  }

  get newest(): RunEvents {
    const run = this.runs.at(-1);
    if (!run) throw new Error('no run');
    return run;
  }
}

async function begin(settings: VideoFeedSettings = { launch: 'launch' }) {
  const clock = new SimClock();
  const source = new HandSource();
  const said: string[] = [];
  const faults: CameraError[] = [];
  const feed = new VideoFeed({ clock, video: source }, settings, {
    fragment: ({ run, frames }, gop) => said.push(`gop ${gop} of run ${run}: ${frames}`),
    up: () => said.push('up'),
    lost: (cause) => said.push(`lost: ${cause}`),
    failed: (cause) => said.push(`failed: ${cause}`),
    gap: (gapMs, cause) => said.push(`gap ${gapMs}: ${cause}`),
    fault: (error) => faults.push(error),
  });
  feed.start();
  await clock.advance(0);
  return { clock, source, said, faults, feed };
}

const STREAM = gdpStream(accessUnits(45));

/** What the pictures of a fragment say of their time, in microseconds. */
async function timesIn({ init, moof, mdat }: Fragment): Promise<(number | undefined)[]> {
  const reader = await SegmentReader.open(bytesSource(Buffer.concat([init, moof, mdat])));
  const times: (number | undefined)[] = [];
  for await (const fragment of reader.fragments()) {
    const units = await reader.payload(fragment);
    times.push(...units.map((unit) => readFrameTime(unit)?.utcMicros));
  }
  return times;
}

test('every picture carries its time into its fragment, and across a new run it goes on', async (t) => {
  const clock = new SimClock();
  const source = new HandSource();
  const fragments: Fragment[] = [];
  const frameClock = {
    wallAt: (at: number) => {
      return { ms: wallTimeMs(5_000_000 + at), source: 'gnss' as const, uncertaintyMs: 1 };
    },
  };
  const ignore = (): void => undefined;
  const feed = new VideoFeed(
    { clock, video: source, frameClock },
    { launch: 'launch' },
    {
      fragment: (fragment) => fragments.push(fragment),
      ...{ up: ignore, lost: ignore, failed: ignore, gap: ignore, fault: ignore },
    },
  );
  feed.start();
  await clock.advance(2000);
  source.newest.bytes(STREAM);
  source.newest.ended({ reason: 'failed', detail: 'crash' });
  await clock.advance(3000);
  source.newest.bytes(STREAM);
  await feed.stop(1000);
  const times = (await Promise.all(fragments.map(timesIn))).flat();
  t.is(times.length, 90);
  t.is(times[0], 5_002_000_000);
  t.true(times.every((time, index) => index === 0 || (time ?? 0) > (times[index - 1] ?? 0)));
  t.is(times[45], 5_005_000_000, 'the new run has a media clock of its own');
});

test('a stream that cannot be read: told, killed, ignored from there on, started anew', async (t) => {
  const { clock, source, said, faults } = await begin();
  source.newest.bytes(STREAM);
  source.newest.bytes(Buffer.alloc(100, 0xee));
  source.newest.bytes(STREAM);
  t.deepEqual(
    faults.map((fault) => fault.code),
    ['capture/malformed-stream'],
  );
  t.is(source.kills, 1);
  await clock.advance(100);
  source.newest.ended({ reason: 'failed', detail: 'killed by SIGKILL' });
  await clock.advance(0);
  t.is(source.runs.length, 2);
  source.newest.bytes(STREAM);
  await clock.advance(0);
  t.deepEqual(said, [
    'up',
    'gop 1 of run 1: 30',
    'gop 2 of run 1: 15',
    // All of the new GOP came at once, so its pictures were taken while it seemed that there were none.
    'gap 0: capture/malformed-stream: not a GDP 1.0 stream',
    'gop 3 of run 2: 30',
  ]);
});

test('what a run says after its end, or after the next has begun, does not count', async (t) => {
  const { clock, source, said, feed } = await begin();
  const first = source.newest;
  first.bytes(STREAM);
  first.ended({ reason: 'failed', detail: 'crash' });
  first.bytes(STREAM);
  first.ended({ reason: 'failed', detail: 'again' });
  await clock.advance(0);
  t.is(source.runs.length, 2);
  t.is(feed.frames, 45);
  t.deepEqual(said, ['up', 'gop 1 of run 1: 30', 'gop 2 of run 1: 15']);
});

test('a source that cannot start is tried again later, and the cause is told', async (t) => {
  const { clock, source, said } = await begin();
  source.newest.ended({ reason: 'failed', detail: 'hal/no-binding: missing' });
  source.refusal = new Error('no processes left');
  await clock.advance(3000);
  t.is(source.runs.length, 1);
  source.refusal = undefined;
  await clock.advance(4000);
  t.is(source.runs.length, 2);
  t.deepEqual(said, ['lost: hal/no-binding: missing']);
});

test('a position counts silence only when there is no open GOP or video is lost', async (t) => {
  const { clock, source, feed } = await begin();
  t.deepEqual(feed.position(), { at: clock.monotonicMs(), open: undefined, silentMs: 0 });
  source.newest.bytes(STREAM);
  await clock.advance(500);
  t.is(feed.position().silentMs, 0);
  t.is(Number(feed.position().open?.newest90k), 44 * 3000);
  await clock.advance(2000);
  t.is(feed.position().silentMs, 2500, 'lost');
  source.newest.ended({ reason: 'failed', detail: 'crash' });
  t.is(feed.position().silentMs, 2500);
  t.is(feed.position().open, undefined);
});

test('stop ends the run and flushes its open GOP', async (t) => {
  const { clock, source, said, feed } = await begin();
  source.newest.bytes(STREAM);
  const stopped = feed.stop(1000);
  await clock.advance(10);
  await stopped;
  await clock.advance(100_000);
  t.deepEqual(said, ['up', 'gop 1 of run 1: 30', 'gop 2 of run 1: 15']);
  t.is(source.runs.length, 1);
  t.is(clock.timers, 0);
});

test('an error that is no fault of the stream is told as a bug, and survived', async (t) => {
  const { source, faults } = await begin();
  source.newest.bytes(undefined as unknown as Buffer);
  t.deepEqual(
    faults.map((fault) => fault.code),
    ['internal/bug'],
  );
  t.is(source.kills, 1);
});

test('a run with a GOP without end is ended and started anew, three times; the fourth goes on', async (t) => {
  const { clock, source, faults, feed } = await begin();
  for (let run = 1; run <= 4; run++) {
    source.newest.bytes(gdpStream(accessUnits(61, { gopFrames: 300 })));
    t.is(source.kills, Math.min(run, 3));
    t.is(faults.filter(({ code }) => code === 'capture/gop-too-long').length, run);
    if (run < 4) {
      source.newest.ended({ reason: 'failed', detail: 'killed' });
      await clock.advance(5000);
    }
  }
  t.is(source.runs.length, 4);
  t.is(feed.openGop?.run, 4);
});

test('a bit rate far from what was asked is told with both figures, once', async (t) => {
  const { clock, source, faults } = await begin({ launch: 'launch', bitrateKbps: 100 });
  const second = async (from: number, bytes: number): Promise<void> => {
    const units = accessUnits(30, { start90k: from * 90_000, bytes });
    source.newest.bytes(gdpStream(units));
    await clock.advance(1000);
  };
  for (let at = 0; at < 20; at++) await second(at, 2000);
  t.deepEqual(
    faults.map(({ code, message }) => `${code}: ${message}`),
    ['capture/bitrate: 481 kbit/s for 5 s, 100 were asked for'],
  );
});

test('a camera that closes while it wakes starts no encoder any more', async (t) => {
  const { clock, source, feed } = await begin();
  const asleep = feed.sleep(100);
  feed.wake();
  await Promise.all([asleep, feed.stop(100)]);
  await clock.advance(30_000);
  t.is(source.runs.length, 1);
});

test('a camera that wakes while its encoder ends starts it again once', async (t) => {
  const { clock, source, feed } = await begin();
  const asleep = feed.sleep(100);
  feed.wake();
  await asleep;
  await clock.advance(1000);
  t.is(source.runs.length, 2);
  await feed.stop(100);
});

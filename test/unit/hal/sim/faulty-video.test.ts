import test from 'ava';
import { FaultyVideo } from '../../../../src/hal/sim/faulty-video.js';
import type { RunEnd, RunEvents, VideoRun, VideoSource } from '../../../../src/hal/ports/video.js';

/** A source whose runs the test drives. */
class HandVideo implements VideoSource {
  readonly launches: string[] = [];
  events: RunEvents[] = [];

  check(launch: string): Promise<void> {
    return launch === '' ? Promise.reject(new Error('empty')) : Promise.resolve();
  }

  startRun(launch: string, events: RunEvents): VideoRun {
    this.launches.push(launch);
    this.events.push(events);
    return {
      stop: () => {
        events.ended({ reason: 'stopped', detail: 'asked' });
        return Promise.resolve();
      },
      kill: () => {
        events.ended({ reason: 'failed', detail: 'killed' });
      },
    };
  }
}

function bench() {
  const source = new HandVideo();
  const video = new FaultyVideo(source);
  const start = () => {
    const seen: string[] = [];
    const ends: RunEnd[] = [];
    const run = video.startRun('src ! appsink name=video', {
      bytes: (chunk) => seen.push(chunk.toString()),
      ended: (end) => ends.push(end),
    });
    return { run, seen, ends };
  };
  return { source, video, start };
}

test('everything passes through while nobody breaks anything', async (t) => {
  const { source, start } = bench();
  const { run, seen, ends } = start();
  source.events[0]?.bytes(Buffer.from('a'));
  await run.stop(1_000);
  t.deepEqual(source.launches, ['src ! appsink name=video']);
  t.deepEqual(seen, ['a']);
  t.deepEqual(ends, [{ reason: 'stopped', detail: 'asked' }]);
});

test('a launch line is checked by the source behind', async (t) => {
  const { video } = bench();
  await video.check('src ! appsink name=video');
  await t.throwsAsync(video.check(''), { message: 'empty' });
});

test('a kill ends the present run as a failure', (t) => {
  const { video, start } = bench();
  const { ends } = start();
  t.true(video.kill());
  t.deepEqual(ends, [{ reason: 'failed', detail: 'killed' }]);
  t.false(video.kill());
});

test('a stalled run is silent until it is ended, and the next run is sound', (t) => {
  const { source, video, start } = bench();
  const first = start();
  source.events[0]?.bytes(Buffer.from('a'));
  t.true(video.stall());
  source.events[0]?.bytes(Buffer.from('b'));
  t.deepEqual(first.seen, ['a']);
  t.deepEqual(first.ends, []);
  first.run.kill();
  t.is(first.ends.length, 1);
  const second = start();
  source.events[1]?.bytes(Buffer.from('c'));
  t.deepEqual(second.seen, ['c']);
});

test('the end of an old run does not take the present one for ended', (t) => {
  const { source, video, start } = bench();
  start();
  const second = start();
  source.events[0]?.ended({ reason: 'failed', detail: 'late' });
  t.true(video.stall());
  source.events[1]?.bytes(Buffer.from('x'));
  t.deepEqual(second.seen, []);
});

test('without a run there is nothing to break', (t) => {
  const { video } = bench();
  t.false(video.kill());
  t.false(video.stall());
});

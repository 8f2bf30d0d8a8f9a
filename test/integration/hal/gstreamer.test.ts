import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import path from 'node:path';
import test from 'ava';
import { GdpReader, type AccessUnit } from '../../../src/capture/gdp-reader.js';
import { GStreamerSource } from '../../../src/hal/linux/gstreamer.js';
import type { RunEnd, VideoRun } from '../../../src/hal/ports/video.js';
import { eventually } from '../../contract/eventually.js';
import { testLaunch } from '../../support/test-launch.js';

// What the binding does wrong, enclosed in the child: hangs, silence, lost ends. Each case once hung or lost something.

interface Life {
  readonly run: VideoRun;
  readonly units: AccessUnit[];
  readonly ends: RunEnd[];
}

function live(launch: string): Life {
  const reader = new GdpReader();
  const units: AccessUnit[] = [];
  const ends: RunEnd[] = [];
  const run = new GStreamerSource().startRun(launch, {
    bytes: (chunk) => {
      for (const item of reader.push(chunk)) if (item.type === 'unit') units.push(item.unit);
    },
    ended: (end) => ends.push(end),
  });
  return { run, units, ends };
}

const isAlive = (pid: number | undefined): boolean => {
  try {
    return pid !== undefined && process.kill(pid, 0);
  } catch {
    return false;
  }
};

const STALLED = testLaunch({ source: 'videotestsrc is-live=true ! valve drop=true' });

test.serial('a stalled pipeline with its pull outstanding is gone by the deadline', async (t) => {
  const { run, ends, units } = live(STALLED);
  await wait(700);
  const started = performance.now();
  await run.stop(400);
  t.true(performance.now() - started < 3000);
  t.deepEqual(
    ends.map((end) => end.reason),
    ['stopped'],
  );
  t.is(units.length, 0);
  t.false(isAlive(run.pid));
});

test.serial(
  'a source that does not hear the end of the stream in time is killed at the deadline',
  async (t) => {
    const { run, ends, units } = live(testLaunch());
    await eventually(t, 'pictures', () => units.length > 5);
    const pid = run.pid ?? 0;
    process.kill(pid, 'SIGSTOP'); // deaf to SIGTERM from now on
    const started = performance.now();
    await run.stop(300);
    t.true(performance.now() - started < 3000);
    t.is(ends[0]?.reason, 'stopped');
    t.false(isAlive(pid));
  },
);

test.serial('a missing element is named, when checked and when run', async (t) => {
  const launch = testLaunch({ source: 'nosuchsrc' });
  const error = await t.throwsAsync(new GStreamerSource().check(launch), {
    code: 'hal/no-element',
  });
  t.regex(error.message, /nosuchsrc/);
  const { ends } = live(launch);
  await eventually(t, 'the end', () => ends.length > 0);
  t.is(ends[0]?.reason, 'failed');
  t.regex(ends[0]?.detail ?? '', /^hal\/no-element: .*nosuchsrc/);
});

test.serial('a line that cannot be parsed is a fault of the pipeline', async (t) => {
  const launch = testLaunch({ source: 'videotestsrc nosuchproperty=1' });
  await t.throwsAsync(new GStreamerSource().check(launch), { code: 'hal/pipeline' });
});

test.serial('an error while it runs ends the run with what the element said', async (t) => {
  const source =
    'multifilesrc location=/nowhere/%d.i420 ! rawvideoparse format=i420 width=320 height=240';
  const { ends } = live(testLaunch({ source }));
  await eventually(t, 'the end', () => ends.length > 0);
  t.is(ends[0]?.reason, 'failed');
  t.regex(ends[0]?.detail ?? '', /^hal\/pipeline: .*nowhere/);
});

test.serial('a runtime that is blocked for three seconds loses no picture', async (t) => {
  const { run, units } = live(testLaunch());
  await eventually(t, 'pictures', () => units.length > 5);
  const until = performance.now() + 3000;
  while (performance.now() < until); // the loop does not turn: nothing is read
  const before = units.length;
  await eventually(t, 'what waited', () => units.length > before + 85);
  await run.stop(2000);
  const steps = units.slice(1).map((unit, index) => unit.pts90k - (units[index]?.pts90k ?? 0));
  t.deepEqual([...new Set(steps)], [3000]);
});

test.serial('ten runs one after the other leave no process and no descriptor behind', async (t) => {
  const { readdirSync } = await import('node:fs');
  const open = (): number => readdirSync('/proc/self/fd').length;
  const before = open();
  for (let life = 0; life < 10; life += 1) {
    const { run, units, ends } = live(testLaunch());
    await eventually(t, 'a picture', () => units.length > 0);
    run.kill();
    await eventually(t, 'the end', () => ends.length > 0);
    t.false(isAlive(run.pid));
  }
  await wait(50);
  t.true(open() <= before + 2, `${open()} of ${before}`);
});

test.serial('a parent that is killed takes its child along', async (t) => {
  const module = pathToFileURL(path.resolve('build/src/hal/linux/gstreamer.js')).href;
  const script = `
    const { GStreamerSource } = await import(${JSON.stringify(module)});
    let count = 0;
    const run = new GStreamerSource().startRun(${JSON.stringify(testLaunch())}, {
      bytes: () => { if (count++ === 3) console.log(run.pid); },
      ended: () => {},
    });`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const [line] = (await once(parent.stdout, 'data')) as [Buffer];
  const pid = Number(line.toString());
  t.true(isAlive(pid));
  parent.kill('SIGKILL');
  await eventually(t, 'the end of the child', () => !isAlive(pid));
});

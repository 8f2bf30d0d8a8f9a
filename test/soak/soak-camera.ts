import { readdir } from 'node:fs/promises';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { CameraListener } from '../../src/camera.js';
import { parseConfig } from '../../src/config/config.js';
import { initCamera } from '../../src/cli/keys.js';
import { findNamedBoard, openCamera, type OpenedCamera } from '../../src/cli/open-camera.js';
import { openMachine } from '../../src/hal/machine.js';
import { createLogger } from '../../src/log.js';
import { childrenOf, rssBytesOf } from '../support/process-figures.js';
import type { SoakLine } from './soak-samples.js';

// The camera of a soak, as `lapel run` builds it, in a process of its own: soak-camera.js DIRECTORY MINUTES. It records all the
// time, marks, and now and then stops and starts. Prints one SoakLine a line.

const PRE_EVENT_MS = 10_000;
const SAMPLE_MS = 1000;
const MARK_EVERY_S = 20;
/** A recording lasts so long; the next begins with its pre-event from the one before. */
const RECORDING_S = 300;
/** Of the histogram's own timer, which it counts as delay. */
const RESOLUTION_MS = 5;

const say = (line: SoakLine): void => void process.stdout.write(`${JSON.stringify(line)}\n`);
const openFiles = async (): Promise<number> => (await readdir('/proc/self/fd')).length;

function openLoop(): { take: () => { p99: number; max: number } } {
  const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  histogram.enable();
  const ms = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return { take: () => ({ p99: ms(histogram.percentile(99)), max: ms(histogram.max) }) };
}

async function soak({ camera, board }: OpenedCamera, seconds: number): Promise<number> {
  const hands = board.control;
  if (hands === undefined) throw new Error('the soak board has no hands');
  camera.start();
  while (camera.recorder.status().bufferedMs < PRE_EVENT_MS) await sleep(100);
  await hands.run(['press', 'record']);
  const second = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  second.enable();
  let marks = 0;
  const startedAt = performance.now();
  for (let at = 1; at <= seconds; at++) {
    await sleep(Math.max(0, startedAt + at * SAMPLE_MS - performance.now()));
    const [child = 0] = await childrenOf(process.pid);
    say({
      type: 'sample',
      at,
      rssBytes: await rssBytesOf(process.pid),
      childRssBytes: await rssBytesOf(child).catch(() => 0),
      fds: await openFiles(),
      loopP99Ms: Math.max(0, second.percentile(99) / 1e6 - RESOLUTION_MS),
      loopMaxMs: Math.max(0, second.max / 1e6 - RESOLUTION_MS),
    });
    second.reset();
    if (at % RECORDING_S === 0 && at < seconds) {
      await hands.run(['hold', 'record', '3s']);
      await sleep(1000);
      await hands.run(['press', 'record']);
    } else if (at % MARK_EVERY_S === 0) {
      await hands.run(['press', 'record']);
      marks += 1;
    }
  }
  await hands.run(['hold', 'record', '3s']);
  await sleep(2000);
  return marks;
}

const [directory = '', minutes = '30'] = process.argv.slice(2);
const machine = openMachine();
const device = 'lapel-soak';
const { recipients } = await initCamera(machine.fs, { data: directory, device, recipients: [] });
const faults: string[] = [];
let recordings = 0;
const listener: CameraListener = {
  faulted: ({ code, detail }) => faults.push(`${code}: ${detail}`),
  recordingStopped: () => (recordings += 1),
};
const opened = await openCamera(
  machine,
  createLogger('error', process.stderr),
  {
    board: await findNamedBoard(machine, 'sim'),
    data: directory,
    config: parseConfig({
      ...{ deviceId: device, recipients, preEventMs: PRE_EVENT_MS },
      reserveBytes: 256 * 1024 * 1024,
      reservePercent: 0,
    }),
  },
  listener,
);
const whole = openLoop();
const marks = await soak(opened, Number(minutes) * 60);
const { p99, max } = whole.take();
const { runs } = opened.camera.recorder.status();
const isClean = await opened.close();
say({ type: 'end', runs, faults, recordings, marks, loopP99Ms: p99, loopMaxMs: max, isClean });

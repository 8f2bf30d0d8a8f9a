import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { RecorderListener } from '../../src/capture/recorder-api.js';
import { parseConfig } from '../../src/config/config.js';
import { initCamera } from '../../src/cli/keys.js';
import { findNamedBoard, openCamera } from '../../src/cli/open-camera.js';
import type { OpenedCamera } from '../../src/cli/open-camera.js';
import { openMachine } from '../../src/hal/machine.js';
import { createLogger } from '../../src/log.js';
import { childrenOf, cpuSecondsOf, rssBytesOf } from '../support/process-figures.js';
import type { CameraFigures } from './bench-figures.js';

// The camera as `lapel run` builds it, in a process of its own, with sound `on` or `off`. Prints one CameraFigures object.

const PRE_EVENT_MS = 30_000;
const WINDOW_MS = 10_000;
const PRESSES = 6;
/** Of the histogram's own timer, which it counts as delay. */
const RESOLUTION_MS = 5;

interface Latencies {
  readonly firstDurableMs: number[];
  readonly preEventDurableMs: number[];
  readonly preEventGotMs: number[];
}

const listenerFor = (latencies: Latencies): RecorderListener => ({
  recordingStarted: ({ preEvent }) => {
    latencies.preEventGotMs.push(preEvent.gotMs);
  },
  reached: (step, _rec, latencyMs) => {
    if (step === 'first-durable') latencies.firstDurableMs.push(latencyMs);
    if (step === 'pre-event-durable') latencies.preEventDurableMs.push(latencyMs);
  },
});

/** CPU of this process and of the capture child over a window, in percent of one core. */
async function cpuShare(): Promise<{ runtime: number; child: number }> {
  const [child = 0] = await childrenOf(process.pid);
  const before = [await cpuSecondsOf(process.pid), await cpuSecondsOf(child)] as const;
  const startedAt = performance.now();
  await sleep(WINDOW_MS);
  const seconds = (performance.now() - startedAt) / 1000;
  return {
    runtime: (((await cpuSecondsOf(process.pid)) - before[0]) / seconds) * 100,
    child: (((await cpuSecondsOf(child)) - before[1]) / seconds) * 100,
  };
}

async function measure(opened: OpenedCamera, latencies: Latencies): Promise<CameraFigures> {
  const { camera, board } = opened;
  const hands = board.control;
  if (hands === undefined) throw new Error('the bench board has no hands');
  camera.start();
  while (camera.recorder.status().bufferedMs < PRE_EVENT_MS) await sleep(100);
  const cpuBuffering = await cpuShare();
  const loop = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  loop.enable();
  await hands.run(['press', 'record']);
  const cpuRecording = await cpuShare();
  await hands.run(['hold', 'record', '3s']);
  for (let press = 1; press < PRESSES; press += 1) {
    await sleep(1500);
    await hands.run(['press', 'record']);
    await sleep(1500);
    await hands.run(['hold', 'record', '3s']);
  }
  await sleep(1500);
  loop.disable();
  const [child = 0] = await childrenOf(process.pid);
  const delay = (ns: number): number => Math.max(0, ns / 1e6 - RESOLUTION_MS);
  return {
    cpuBuffering,
    cpuRecording,
    ...latencies,
    loopMs: {
      p50: delay(loop.percentile(50)),
      p99: delay(loop.percentile(99)),
      max: delay(loop.max),
    },
    rss: { runtime: await rssBytesOf(process.pid), child: await rssBytesOf(child) },
    bufferBytes: camera.recorder.status().bufferedBytes,
  };
}

const directory = await mkdtemp(path.join(tmpdir(), 'lapel-bench-'));
const machine = openMachine();
const device = 'lapel-bench';
const { recipients } = await initCamera(machine.fs, { data: directory, device, recipients: [] });
const config = parseConfig({
  deviceId: device,
  recipients,
  preEventMs: PRE_EVENT_MS,
  reserveBytes: 256 * 1024 * 1024,
  reservePercent: 0,
  audio: process.argv[2] !== 'off',
});
const latencies: Latencies = { firstDurableMs: [], preEventDurableMs: [], preEventGotMs: [] };
const opened = await openCamera(
  machine,
  createLogger('error', process.stderr),
  { board: await findNamedBoard(machine, 'sim-1080p'), data: directory, config },
  listenerFor(latencies),
);
try {
  process.stdout.write(`${JSON.stringify(await measure(opened, latencies))}\n`);
} finally {
  await opened.close();
  await rm(directory, { recursive: true });
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as wait } from 'node:timers/promises';
import { muxGop } from '../../src/capture/mp4.js';
import { launchLine } from '../../src/capture/pipeline.js';
import { Recorder } from '../../src/capture/recorder.js';
import { queueBytesFor } from '../../src/capture/recorder-api.js';
import { generateIdentity, parseRecipient } from '../../src/evidence/age-recipients.js';
import { createSigner } from '../../src/evidence/signer.js';
import { GStreamerSource } from '../../src/hal/linux/gstreamer.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import { createLogger } from '../../src/log.js';
import { openCard } from '../../src/storage/card.js';
import { accessUnits, FORMAT } from '../support/synthetic-video.js';

// What capture costs, on this machine: node build/test/bench/capture-bench.js [WIDTH HEIGHT KBPS PRE_EVENT_S]

const MIB = 2 ** 20;
const [width = 1920, height = 1080, bitrateKbps = 4000, preEventS = 10] = process.argv
  .slice(2)
  .map(Number);

const say = (name: string, value: string): void => {
  process.stdout.write(`${name.padEnd(44)} ${value}\n`);
};
const ms = (value: number): string => `${value.toFixed(2)} ms`;

/** CPU time and longest stretch of making fragments of one second at the bit rate. */
async function benchMux(): Promise<void> {
  const rounds = 300;
  const bytes = (bitrateKbps * 1000) / 8 / 30;
  const units = accessUnits(30, { bytes: Math.round(bytes) });
  for (let round = 0; round < 30; round += 1) await muxGop(units, FORMAT, 90_000);
  const before = process.cpuUsage();
  const blocks: number[] = [];
  for (let round = 0; round < rounds; round += 1) {
    const started = performance.now();
    await muxGop(units, FORMAT, 90_000);
    blocks.push(performance.now() - started);
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { user, system } = process.cpuUsage(before);
  blocks.sort((a, b) => a - b);
  say('muxGop, CPU for a second of video', ms((user + system) / 1000 / rounds));
  say(
    'muxGop, block p50 / p99 / max',
    [0.5, 0.99, 1].map((p) => ms(blocks[Math.ceil(p * rounds) - 1] ?? 0)).join(' / '),
  );
}

const share = (usage: NodeJS.CpuUsage, seconds: number): string =>
  `${((usage.user + usage.system) / 1e4 / seconds).toFixed(1)} % of a core`;

/** A whole camera without a board: real encoder, real card, ten presses. */
async function benchRecorder(): Promise<void> {
  const directory = await mkdtemp(path.join(tmpdir(), 'lapel-bench-'));
  const clock = new SystemClock();
  const log = createLogger('error', process.stderr);
  const { recipient } = generateIdentity();
  const card = await openCard(
    { fs: new NodeFileSystem(), clock, log },
    {
      card: directory,
      device: 'bench',
      deviceKey: createSigner(Buffer.alloc(32, 7)),
      recipients: [parseRecipient(recipient)],
      configDigest: '0'.repeat(64),
      firmwareDigest: '0'.repeat(64),
      reserveBytes: 0,
      onSealed: () => undefined,
    },
  );
  const felt: number[] = [];
  let pressedAt = 0;
  const recorder = new Recorder(
    {
      clock,
      video: new GStreamerSource(),
      sink: card.recordings,
      journal: card.journal,
      indicator: {
        show: () => undefined,
        signal: () => felt.push(clock.monotonicMs() - pressedAt),
      },
      log,
    },
    {
      launch: launchLine({
        source: 'videotestsrc is-live=true pattern=smpte',
        width,
        height,
        framesPerSecond: 30,
        format: 'I420',
        encoder: 'x264enc',
        bitrateKbps,
        gopFrames: 30,
      }),
      preEventMs: preEventS * 1000,
      postEventMs: 0,
      segmentMs: 60_000,
      debounceIntervalMs: 30,
      bufferBytesMax: 128 * MIB,
      queueBytesMax: queueBytesFor(128 * MIB, bitrateKbps),
    },
  );
  const steps = new Map<string, number[]>();
  recorder.on({
    reached: (step, _rec, latencyMs) => steps.set(step, [...(steps.get(step) ?? []), latencyMs]),
  });
  const edge = (isPressed: boolean): void => {
    pressedAt = clock.monotonicMs();
    recorder.edge({ button: 'record', isPressed, at: clock.monotonicMs() });
  };
  recorder.start();
  await wait((preEventS + 3) * 1000);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  let before = process.cpuUsage();
  await wait(8000);
  say('runtime while buffering', share(process.cpuUsage(before), 8));
  for (let round = 0; round < 5; round += 1) {
    edge(true);
    await wait(120);
    edge(false);
    if (round === 0) {
      before = process.cpuUsage();
      await wait(8000);
      say('runtime while recording', share(process.cpuUsage(before), 8));
    } else await wait(1130);
    edge(true);
    await wait(3200);
    edge(false);
    await wait(1400);
  }
  const { bufferedBytes, bufferedMs, frames } = recorder.status();
  say('buffer', `${(bufferedBytes / MIB).toFixed(1)} MiB for ${(bufferedMs / 1000).toFixed(1)} s`);
  say(
    'press to feedback, 5 presses',
    felt
      .filter((_, index) => index % 2 === 0)
      .map(ms)
      .join(', '),
  );
  for (const [step, values] of steps) say(`press to ${step}`, values.map(ms).join(', '));
  say('event loop p99 / max', `${ms(delay.percentile(99) / 1e6)} / ${ms(delay.max / 1e6)}`);
  say('RSS', `${(process.memoryUsage.rss() / MIB).toFixed(0)} MiB, ${frames} frames`);
  await recorder.stopAndClose(8000);
  await card.close();
  await rm(directory, { recursive: true });
}

say('picture', `${width}x${height} at 30/s, ${bitrateKbps} kbit/s, pre-event ${preEventS} s`);
await benchMux();
await benchRecorder();

import { mkdtemp, readFile, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Mosquitto } from '../support/sync/mosquitto.js';
import { openRig } from './rig.js';
import type { Rig } from './rig.js';
import { Sensors, sentences } from './sensors.js';
import { STEP_MS_MAX, VirtualCamera } from './virtual-camera.js';

// What the drivers of motion sensor and satellite receiver cost a camera that buffers, over the real packages:
//   npm run bench:drivers
// The camera has the environment that its service gives it on a device, which tells malloc how much to keep.
// The same camera runs without them, with one, with both; processor time from /proc, memory at the end of each.

const SECONDS = Number(process.env['SECONDS'] ?? 60);
/** Until start-up and the first garbage collections are over. */
const SETTLE_MS = 20_000;
/** A receiver at 10 Hz, two sentences each time. */
const NMEA_EVERY_MS = 100;
const NS_PER_SECOND = 1e9;

interface Cost {
  readonly cpuPercent: number;
  readonly rssMiB: number;
  readonly bufferMiB: number;
  /** From the start of the process until it buffers. */
  readonly startMs: number;
}

/**
 * Nanoseconds that the threads of a process have run: field 1 of schedstat (kernel, scheduler/sched-stats). The hundredths of a
 * second in `stat` are samples of a tick; work that a timer begins a hundred times a second falls between them or all on them.
 */
async function cpuNs(pid: number): Promise<number> {
  let sum = 0;
  for (const thread of await readdir(`/proc/${pid}/task`)) {
    const text = await readFile(`/proc/${pid}/task/${thread}/schedstat`, 'utf8');
    sum += Number(text.split(' ')[0]);
  }
  return sum;
}

const rssMiB = async (pid: number): Promise<number> => {
  const status = await readFile(`/proc/${pid}/status`, 'utf8');
  return Number(/VmRSS:\s+(\d+)/.exec(status)?.[1] ?? NaN) / 1024;
};

async function measure(rig: Rig, parts: readonly ('imu' | 'gnss')[]): Promise<Cost> {
  const root = await mkdtemp(path.join(os.tmpdir(), 'lapel-drivers-'));
  const broker = await Mosquitto.start();
  const camera = await VirtualCamera.make(root, rig);
  await camera.writeBoard(rig, (board) => {
    for (const part of ['imu', 'gnss'] as const) {
      if (!parts.includes(part)) Object.assign(board[part], { status: 'disabled' });
    }
  });
  try {
    const startedAt = performance.now();
    const lapel = camera.start(broker.url);
    await lapel.event(({ event, mode }) => event === 'mode' && mode === 'buffering', STEP_MS_MAX);
    const startMs = performance.now() - startedAt;
    await sleep(SETTLE_MS);
    const pid = lapel.process.pid ?? NaN;
    const before = await cpuNs(pid);
    await sleep(SECONDS * 1000);
    const cpuPercent = ((await cpuNs(pid)) - before) / NS_PER_SECOND / (SECONDS / 100);
    const { recorder, parts: faults } = await camera.status();
    // Without a receiver nothing sets the clock, and that is told as it should be.
    const broken = faults.filter(({ part }) => part !== 'clock');
    if (broken.length > 0) throw new Error(JSON.stringify(broken));
    const bufferMiB = recorder.bufferedBytes / 2 ** 20;
    return { cpuPercent, rssMiB: await rssMiB(pid), bufferMiB, startMs };
  } finally {
    await camera.close();
    await broker.stop();
    await rm(root, { recursive: true });
  }
}

Object.assign(process.env, await serviceEnvironment());
const rig = await openRig();
const sensors = new Sensors(rig);
await sensors.start();
sensors.isSpeaking = false;
const speaking = setInterval(() => {
  void rig.gnss.write(sentences(new Date())).catch(() => undefined);
}, NMEA_EVERY_MS);
/** Settings of the service that a device runs, without those with a path that systemd fills in. */
async function serviceEnvironment(): Promise<Record<string, string>> {
  const unit = await readFile('board/systemd/lapel.service', 'utf8');
  const settings = [...unit.matchAll(/^Environment=(\w+)=([^%\n]*)$/gm)];
  return Object.fromEntries(settings.map(([, name = '', value = '']) => [name, value]));
}

const line = (name: string, { cpuPercent, rssMiB: rss, bufferMiB, startMs }: Cost): string =>
  `${name.padEnd(34)} ${cpuPercent.toFixed(2)} % of a core, RSS ${rss.toFixed(1)} MiB, ${bufferMiB.toFixed(2)} MiB of it pre-event buffer, buffering after ${(startMs / 1000).toFixed(1)} s\n`;
try {
  const none = await measure(rig, []);
  process.stdout.write(line('no sensor', none));
  for (const parts of [['imu'], ['gnss'], ['imu', 'gnss']] as const) {
    const cost = await measure(rig, parts);
    process.stdout.write(line(parts.join(' and '), cost));
    const more = cost.cpuPercent - none.cpuPercent;
    process.stdout.write(`${' '.repeat(34)} ${more.toFixed(2)} % more than without\n`);
  }
} finally {
  clearInterval(speaking);
  await sensors.stop();
  await rig.close();
}

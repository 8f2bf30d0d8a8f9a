import { spawn } from 'node:child_process';
import { loadavg } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { launchLine, launchLineWithAudio } from '../../src/capture/pipeline.js';
import { parseConfig } from '../../src/config/config.js';
import { generateIdentity, recipientOf } from '../../src/evidence/age-recipients.js';
import { boardDirectory } from '../../src/cli/paths.js';
import { findBoard } from '../../src/hal/board-file.js';
import { openMachine } from '../../src/hal/machine.js';
import { cpuSecondsOf } from '../support/process-figures.js';
import type { CameraFigures } from './bench-figures.js';

// `npm run bench`: what recording costs beside bare gst-launch-1.0 with the same sources and encoders, in one run: first
// without sound, then with it. gst-launch runs before and after the camera, so that a machine that drifts shows.

const WARM_MS = 3000;
const WINDOW_MS = 10_000;
const MIB = 2 ** 20;
const AUDIO_BITRATE_KBPS = parseConfig({
  deviceId: 'bench',
  recipients: [recipientOf(generateIdentity().identity)],
}).audioBitrateKbps;

const row = (name: string, value: string, aim = ''): void => {
  process.stdout.write(`${name.padEnd(48)} ${value.padEnd(36)} ${aim}\n`);
};
const percent = (value: number): string => `${value.toFixed(1)} %`;
const median = (values: readonly number[]): number =>
  [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? Number.NaN;

/** Every branch of a launch line up to its encoder, pictures and sound alike; a fakesink takes what comes. */
const bareLine = (launch: string): string =>
  launch.replaceAll(
    / ! (?:h264parse|aacparse)\b.*?appsink name=\w+(?: [a-z-]+=\S+)*/g,
    ' ! fakesink',
  );

/** CPU of gst-launch with the sources and encoders of the bench board and fakesinks, in percent of one core. */
async function benchGstLaunch(hasSound: boolean): Promise<number> {
  const { camera, microphone } = await findBoard('sim-1080p', openMachine().fs, boardDirectory());
  if (microphone === undefined) throw new Error('the bench board has no microphone');
  const { source } = microphone;
  const launch = hasSound
    ? launchLineWithAudio(camera, { source, bitrateKbps: AUDIO_BITRATE_KBPS })
    : launchLine(camera);
  const words = bareLine(launch).split(' ').filter(Boolean);
  const child = spawn('gst-launch-1.0', ['-q', ...words], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  await sleep(WARM_MS);
  const before = await cpuSecondsOf(child.pid ?? 0);
  const startedAt = performance.now();
  await sleep(WINDOW_MS);
  const used = (await cpuSecondsOf(child.pid ?? 0)) - before;
  const seconds = (performance.now() - startedAt) / 1000;
  child.kill('SIGKILL');
  return (used / seconds) * 100;
}

function benchCamera(hasSound: boolean): Promise<CameraFigures> {
  return new Promise((resolve, reject) => {
    const script = path.join(import.meta.dirname, 'bench-camera.js');
    const tuned = path.join(import.meta.dirname, '../support/tuned.js');
    const child = spawn(process.execPath, ['--import', tuned, script, hasSound ? 'on' : 'off'], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    let text = '';
    child.stdout.setEncoding('utf8').on('data', (piece: string) => (text += piece));
    child.once('error', reject);
    child.once('close', (code) => {
      if (code === 0) resolve(JSON.parse(text) as CameraFigures);
      else reject(new Error(`the camera ended with ${code ?? 'a signal'}`));
    });
  });
}

function printLatencies(name: string, values: readonly number[], aim: string): void {
  const [first = Number.NaN, ...later] = values;
  const rest = `median ${median(later).toFixed(0)}, max ${Math.max(...later).toFixed(0)} ms`;
  row(name, `${rest}; first ${first.toFixed(0)} ms`, aim);
}

function print(figures: CameraFigures, before: number, after: number): void {
  const base = (before + after) / 2;
  const { cpuBuffering, cpuRecording, loopMs, rss, bufferBytes } = figures;
  const total = ({ runtime, child }: { runtime: number; child: number }): string =>
    `${percent(runtime + child)} = ${percent(runtime)} + ${percent(child)} child`;
  const ratio = (cpu: { runtime: number; child: number }): string =>
    `${((cpu.runtime + cpu.child) / base).toFixed(2)} x`;
  row('CPU, gst-launch-1.0 to fakesink, before / after', `${percent(before)} / ${percent(after)}`);
  row('CPU, buffering', total(cpuBuffering), ratio(cpuBuffering));
  row('CPU, recording', total(cpuRecording), `${ratio(cpuRecording)} (aim 1.10 x)`);
  printLatencies('press to first durable byte', figures.firstDurableMs, '(aim 15 ms)');
  printLatencies('press to whole pre-event durable', figures.preEventDurableMs, '(aim 80 ms)');
  const got = figures.preEventGotMs.map((ms) => (ms / 1000).toFixed(1)).join(', ');
  row('pre-event asked / got', `30.0 s / ${got} s`);
  const loop = `${loopMs.p50.toFixed(1)} / ${loopMs.p99.toFixed(1)} / ${loopMs.max.toFixed(1)} ms`;
  row('event-loop delay p50 / p99 / max', loop, '(aim p99 15, max 30 ms)');
  row(
    'RSS, runtime / child',
    `${(rss.runtime / MIB).toFixed(0)} / ${(rss.child / MIB).toFixed(0)} MiB`,
    `(aim runtime 100 MiB + buffer of ${(bufferBytes / MIB).toFixed(0)} MiB)`,
  );
}

const load = loadavg().map((value) => value.toFixed(1));
row('1080p30 I420, x264 ultrafast, 4 Mbit/s', `load ${load.join(' ')}`);
for (const hasSound of [false, true]) {
  process.stdout.write(hasSound ? '\nwith sound, AAC\n' : '\nwithout sound\n');
  const before = await benchGstLaunch(hasSound);
  const figures = await benchCamera(hasSound);
  print(figures, before, await benchGstLaunch(hasSound));
}

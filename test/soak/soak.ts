import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, statfs, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { exportRecording } from '../../src/cli/export.js';
import { readIdentity } from '../../src/cli/identity-file.js';
import { boardDirectory, dataPaths } from '../../src/cli/paths.js';
import { findBoard } from '../../src/hal/board-file.js';
import { openMachine } from '../../src/hal/machine.js';
import { decodedFrames, packetTimes } from '../support/footage.js';
import { soakPicture } from './soak-picture.js';
import {
  growthOf,
  SETTLE_S,
  settleSeconds,
  type SoakEnd,
  type SoakLine,
  type SoakSample,
} from './soak-samples.js';

// `npm run soak -- --minutes 30`: a camera that records for so long, in real time; then every picture is looked for in what it
// stored. Ends with 1 when something is out of bounds. Curves and samples are in build/soak/.

const MIB = 2 ** 20;
const RSS_GROWTH_MIB_MAX = 16;
const LOOP_P99_MS_MAX = 15;
const LONG_HOURS = 12;

const { values } = parseArgs({ options: { minutes: { type: 'string', default: '30' } } });
const minutes = Number(values.minutes);
const say = (line: string): void => void process.stdout.write(`${line}\n`);

let bad = 0;
function row(name: string, value: string, aim: string, isGood: boolean): void {
  if (!isGood) bad += 1;
  say(
    `${name.padEnd(44)} ${value.padEnd(40)} ${aim.padEnd(24)} ${isGood ? 'ok' : 'OUT OF BOUNDS'}`,
  );
}

async function record(data: string): Promise<{ samples: SoakSample[]; end: SoakEnd }> {
  const script = path.join(import.meta.dirname, 'soak-camera.js');
  const tuned = path.join(import.meta.dirname, '../support/tuned.js');
  const child = spawn(process.execPath, ['--import', tuned, script, data, `${minutes}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const samples: SoakSample[] = [];
  let end: SoakEnd | undefined;
  for await (const text of createInterface({ input: child.stdout })) {
    const line = JSON.parse(text) as SoakLine;
    if (line.type === 'end') end = line;
    else samples.push(line);
    if (line.type === 'sample' && line.at % 60 === 0) {
      const rss = (line.rssBytes / MIB).toFixed(0);
      say(`${line.at / 60} of ${minutes} min: ${rss} MiB, ${line.fds} files`);
    }
  }
  if (end === undefined) throw new Error('the camera ended before its time');
  return { samples, end };
}

interface Pictures {
  readonly pictures: number;
  readonly dropped: number;
  readonly doubled: number;
  readonly messages: string;
  readonly seconds: number;
}

/** Every picture of a recording, by time stamps and by decoding. A step of half a picture more or less is none. */
async function lookAt(data: string, recording: string, frameRate: number): Promise<Pictures> {
  const { fs } = openMachine();
  const out = path.join(data, `${path.basename(recording)}.mp4`);
  await exportRecording(
    fs,
    recording,
    await readIdentity(fs, path.join(data, 'operator', 'identity.txt')),
    out,
  );
  const times = await packetTimes(out);
  const steps = times.slice(1).map((time, index) => (time - (times[index] ?? 0)) * frameRate);
  const { hashes, messages } = await decodedFrames(out);
  await rm(out);
  const dropped = steps.reduce((sum, step) => sum + Math.max(0, Math.round(step) - 1), 0);
  return {
    pictures: hashes.length,
    dropped: dropped + Math.max(0, times.length - hashes.length),
    doubled: steps.filter((step) => Math.round(step) < 1).length,
    messages,
    seconds: (times.at(-1) ?? 0) - (times[0] ?? 0),
  };
}

function judge({ samples, end }: { samples: readonly SoakSample[]; end: SoakEnd }): number {
  const settleS = settleSeconds(minutes);
  const judged = samples.filter(({ at }) => at > settleS);
  const growth = growthOf(judged.map(({ rssBytes }) => rssBytes)) / MIB;
  const childGrowth = growthOf(judged.map(({ childRssBytes }) => childRssBytes)) / MIB;
  const fds = judged.map((it) => it.fds);
  const fdGrowth = growthOf(fds);
  const from = `after ${(settleS / 60).toFixed(1)} min`;
  const isSteady = growth <= RSS_GROWTH_MIB_MAX;
  row(`RSS growth, ${from}`, `${growth.toFixed(1)} MiB`, `≤ ${RSS_GROWTH_MIB_MAX} MiB`, isSteady);
  row('RSS growth of the child', `${childGrowth.toFixed(1)} MiB`, 'told', true);
  const files = `${Math.min(...fds)} to ${Math.max(...fds)}, growth ${fdGrowth}`;
  row('open files', files, 'no growth', fdGrowth <= 0);
  const loop = `${end.loopP99Ms.toFixed(1)}, longest ${end.loopMaxMs.toFixed(1)} ms`;
  row('event-loop p99', loop, `≤ ${LOOP_P99_MS_MAX} ms`, end.loopP99Ms <= LOOP_P99_MS_MAX);
  row('lives of the encoder', `${end.runs}`, '1', end.runs === 1);
  row('faults', end.faults.join('; ') || 'none', 'none', end.faults.length === 0);
  row('clean end', `${end.isClean}`, 'true', end.isClean);
  return (growth / (minutes - settleS / 60)) * 60;
}

const data = await mkdtemp(path.join(tmpdir(), 'lapel-soak-'));
try {
  const { framesPerSecond, bitrateKbps } = (
    await findBoard('sim', openMachine().fs, boardDirectory())
  ).camera;
  const bytesPerHour = ((bitrateKbps * 1000) / 8) * 3600;
  const { bavail, bsize } = await statfs(data);
  if (bavail * bsize < 2 * bytesPerHour * (minutes / 60) + 512 * MIB) {
    throw new Error(`too little room in ${data} for ${minutes} minutes`);
  }
  const result = await record(data);
  const directory = path.resolve('build/soak');
  await mkdir(directory, { recursive: true });
  await writeFile(path.join(directory, 'samples.json'), JSON.stringify(result));
  await writeFile(
    path.join(directory, 'soak.svg'),
    soakPicture(result.samples, settleSeconds(minutes)),
  );
  const perHour = judge(result);
  const boot = path.join(dataPaths(data).card, 'ev', '1');
  const names = (await readdir(boot)).filter((name) => /^\d+$/.test(name));
  const all: Pictures[] = [];
  for (const name of names) all.push(await lookAt(data, path.join(boot, name), framesPerSecond));
  const sum = (of: (it: Pictures) => number): number =>
    all.reduce((total, it) => total + of(it), 0);
  const [pictures, dropped, doubled] = [
    sum((it) => it.pictures),
    sum((it) => it.dropped),
    sum((it) => it.doubled),
  ];
  const length = sum((it) => it.seconds);
  const text = `${pictures} in ${names.length} recordings, ${length.toFixed(1)} s, ${result.end.marks} marks`;
  row('pictures', text, `≥ ${minutes} min`, length >= minutes * 60);
  row('dropped / doubled', `${dropped} / ${doubled}`, '0 / 0', dropped + doubled === 0);
  const messages = all.map((it) => it.messages).join('');
  row('what the decoder says', messages.slice(0, 40) || 'nothing', 'nothing', messages === '');
  say(`curves: ${path.join(directory, 'soak.svg')}`);
  const gib = ((2 * bytesPerHour * LONG_HOURS) / 2 ** 30).toFixed(0);
  const slope =
    minutes < (2 * SETTLE_S) / 60
      ? 'this run was too short to tell a slope of the memory'
      : `at ${perHour.toFixed(1)} MiB an hour memory would grow by ${(perHour * LONG_HOURS).toFixed(0)} MiB`;
  say(
    `${LONG_HOURS} h (--minutes ${LONG_HOURS * 60}) need ${gib} GiB of room in ${tmpdir()}, a machine that is otherwise idle for ` +
      `the event loop, and about half an hour more to look at the pictures; ${slope}.`,
  );
} finally {
  await rm(data, { recursive: true });
}
process.exitCode = bad === 0 ? 0 : 1;

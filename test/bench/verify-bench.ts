import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { formatTrust } from '../../src/evidence/trust.js';
import { makeCamera } from '../support/sealed-recording.js';
import { writeStore } from './verify-store.js';

// `npm run bench:verify [-- ROUNDS]`: lapel verify against sha256sum of the same files, in one run and by turns, on a store
// of 1 GB; and the memory of lapel verify on that store and on one of 20 GB, whose chunks are holes.

const ROUNDS = 3;
const SEGMENT_BYTES = 60_000_000;
/** Of 60 MB each: 1.02 GB and 20 GB. */
const SEGMENTS = 17;
const SEGMENTS_LARGE = 334;
const LOOK_MS = 20;
/** Clock ticks of /proc/<pid>/stat: USER_HZ, 100 on every Linux of today. */
const TICK_MS = 10;
const CLI = path.resolve('build/src/main.js');

interface Figures {
  readonly wallMs: number;
  readonly cpuMs: number;
  readonly peakMiB: number;
}

const write = (line: string): void => void process.stdout.write(`${line}\n`);

/** Processor time and peak memory of a process while it lives; undefined when it does not. */
async function look(pid: number): Promise<{ cpuMs: number; peakMiB: number } | undefined> {
  try {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    const status = await readFile(`/proc/${pid}/status`, 'utf8');
    // Behind the name in brackets: state is field 3, utime and stime are 14 and 15 (proc(5)).
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const peak = /VmHWM:\s+(\d+) kB/.exec(status)?.[1];
    if (peak === undefined) return undefined;
    const cpuMs = (Number(fields[11]) + Number(fields[12])) * TICK_MS;
    return { cpuMs, peakMiB: Number(peak) / 1024 };
  } catch {
    return undefined;
  }
}

async function measure(
  command: string,
  args: readonly string[],
  expected: number,
): Promise<Figures> {
  const started = performance.now();
  const child = spawn(command, args, { stdio: 'ignore' });
  const ended = new Promise<number | null>((resolve) => child.once('exit', resolve));
  let last = { cpuMs: 0, peakMiB: 0 };
  const timer = setInterval(() => {
    void look(child.pid ?? 0).then((seen) => (last = seen ?? last));
  }, LOOK_MS);
  const code = await ended;
  clearInterval(timer);
  if (code !== expected) throw new Error(`${command} ended with ${String(code)}`);
  return { wallMs: performance.now() - started, ...last };
}

const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;

const rounds = Number(process.argv[2] ?? ROUNDS);
const root = await mkdtemp(path.join(process.env['BENCH_DIR'] ?? tmpdir(), 'lapel-bench-verify-'));
try {
  const camera = makeCamera('cam-1', [17]);
  const trust = path.join(root, 'trust.json');
  await writeFile(trust, formatTrust(camera.trust));
  const store = path.join(root, 'small', 'cam-1');
  const plan = { segments: SEGMENTS, bytes: SEGMENT_BYTES, isSparse: false };
  const files = await writeStore(store, camera, plan, randomBytes(1_000_000));
  const bytes = SEGMENTS * SEGMENT_BYTES;

  const verify = (jobs: number, where = store): Promise<Figures> =>
    measure('node', [CLI, 'verify', where, '--trust', trust, '--json', '--jobs', `${jobs}`], 0);
  const half = Math.ceil(files.length / 2);
  const runs: Readonly<Record<string, () => Promise<Figures>>> = {
    'sha256sum, one process': () => measure('sha256sum', files, 0),
    'lapel verify --jobs 1': () => verify(1),
    'sha256sum, two processes': async () => {
      const both = [files.slice(0, half), files.slice(half)];
      const [a, b] = await Promise.all(both.map((part) => measure('sha256sum', part, 0)));
      if (a === undefined || b === undefined) throw new Error('one was not measured');
      return {
        wallMs: Math.max(a.wallMs, b.wallMs),
        cpuMs: a.cpuMs + b.cpuMs,
        peakMiB: a.peakMiB + b.peakMiB,
      };
    },
    'lapel verify --jobs 2': () => verify(2),
  };
  const seen = new Map<string, Figures[]>();
  await measure('sha256sum', files, 0); // From here on everything is in the page cache.
  for (let round = 0; round < rounds; round += 1) {
    for (const [name, run] of Object.entries(runs)) {
      seen.set(name, [...(seen.get(name) ?? []), await run()]);
    }
  }
  write(
    `${(bytes / 1e9).toFixed(2)} GB in ${SEGMENTS} segments, medians of ${rounds} rounds by turns`,
  );
  write('| what | s | MB/s | CPU s | MB per CPU s | peak MiB |');
  write('| --- | --- | --- | --- | --- | --- |');
  const medians = new Map<string, Figures>();
  for (const [name, figures] of seen) {
    const of = (key: keyof Figures): number => median(figures.map((one) => one[key]));
    const [wallMs, cpuMs, peakMiB] = [of('wallMs'), of('cpuMs'), of('peakMiB')];
    medians.set(name, { wallMs, cpuMs, peakMiB });
    const cells = [
      (wallMs / 1000).toFixed(2),
      (bytes / 1000 / wallMs).toFixed(0),
      (cpuMs / 1000).toFixed(2),
      (bytes / 1000 / cpuMs).toFixed(0),
      peakMiB.toFixed(0),
    ];
    write(`| ${name} | ${cells.join(' | ')} |`);
  }
  const ratio = (a: string, b: string, key: keyof Figures): string =>
    ((medians.get(a)?.[key] ?? NaN) / (medians.get(b)?.[key] ?? NaN)).toFixed(2);
  const [sum1, lapel1, sum2, lapel2] = [...medians.keys()] as [string, string, string, string];
  write(
    `of the speed of sha256sum: ${ratio(sum1, lapel1, 'wallMs')} with one job, ${ratio(sum2, lapel2, 'wallMs')} with two`,
  );
  write(`the same by processor time: ${ratio(sum1, lapel1, 'cpuMs')} with one job`);
  write(`two jobs against one: ${ratio(lapel1, lapel2, 'wallMs')} times as fast`);

  const large = path.join(root, 'large', 'cam-1');
  const largePlan = { segments: SEGMENTS_LARGE, bytes: SEGMENT_BYTES, isSparse: true };
  await writeStore(large, camera, largePlan, Buffer.alloc(0));
  const small = await verify(2);
  const { wallMs, peakMiB } = await verify(2, large);
  write(
    `memory: ${small.peakMiB.toFixed(0)} MiB for ${(bytes / 1e9).toFixed(0)} GB, ${peakMiB.toFixed(0)} MiB for ${((SEGMENTS_LARGE * SEGMENT_BYTES) / 1e9).toFixed(0)} GB (${(wallMs / 1000).toFixed(0)} s)`,
  );
} finally {
  await rm(root, { recursive: true, force: true });
}

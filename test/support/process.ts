import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';

/** The program as a user runs it, from the project root. */
export const LAPEL = path.resolve('build/src/main.js');

/** Under coverage and with both cores taken, a run that takes 30 s alone must not fail for its time. */
const RUN_MS_MAX = 240_000;

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a tool to its end. Rejects when it cannot be started or takes longer than four minutes. */
export function runTool(tool: string, args: readonly string[]): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(tool, [...args], { stdio: ['ignore', 'pipe', 'pipe'] });
    const output = { stdout: '', stderr: '' };
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
    child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
    const timer = setTimeout(() => child.kill('SIGKILL'), RUN_MS_MAX);
    child.once('error', reject);
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      resolve({ status, signal, ...output });
    });
  });
}

/** `lapel …` to its end. */
export const runLapel = (...args: readonly string[]): Promise<Ended> =>
  runTool(process.execPath, [LAPEL, ...args]);

/** `lapel … --json` to its end: the exit code and the one object it printed, taken to be a `T`. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the shape
export async function runLapelJson<T>(
  ...args: readonly string[]
): Promise<{ status: number | null; result: T }> {
  const { status, stdout, stderr } = await runLapel(...args, '--json');
  try {
    return { status, result: JSON.parse(stdout) as T };
  } catch {
    throw new Error(`lapel ${args.join(' ')} printed no object: ${stdout} ${stderr}`);
  }
}

/** `lapel …` that goes on until it is killed, with the JSON events it prints. */
export class RunningLapel {
  readonly process: ChildProcess;
  readonly events: Record<string, unknown>[] = [];
  stderr = '';
  #rest = '';
  readonly #waiting = new Set<() => void>();

  constructor(...args: readonly string[]) {
    const child = spawn(process.execPath, [LAPEL, ...args, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#take(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.stderr = (this.stderr + text).slice(-10_000);
    });
    child.once('close', () => {
      this.#wake();
    });
    this.process = child;
  }

  /** The first event that fits, now or later. Rejects when the process ends first or after `limitMs`. */
  async event(
    fits: (event: Record<string, unknown>) => boolean,
    limitMs = 60_000,
  ): Promise<Record<string, unknown>> {
    const limit = performance.now() + limitMs;
    for (;;) {
      const found = this.events.find(fits);
      if (found !== undefined) return found;
      if (this.process.exitCode !== null || this.process.signalCode !== null) {
        throw new Error(`lapel ended: ${this.stderr}`);
      }
      const leftMs = limit - performance.now();
      if (leftMs <= 0) {
        throw new Error(`no such event; ${JSON.stringify(this.events)} ${this.stderr}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
  }

  /** Ends it with a signal and waits until it is gone. */
  async end(signal: NodeJS.Signals): Promise<void> {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const gone = new Promise((resolve) => this.process.once('close', resolve));
    this.process.kill(signal);
    await gone;
  }

  #take(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.events.push(JSON.parse(line) as Record<string, unknown>);
    this.#wake();
  }

  #wake(): void {
    for (const wake of this.#waiting) wake();
    this.#waiting.clear();
  }
}

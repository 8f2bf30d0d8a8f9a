import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';

const MODULE = path.resolve('build/src/cli/signals.js');

/** A process that says `ready`, then `got <signal>` and ends after `restMs` more. */
async function waiting(t: ExecutionContext, restMs: number) {
  const script = `
    const { untilSignal } = await import(${JSON.stringify(MODULE)});
    const signal = untilSignal();
    console.log('ready');
    console.log('got', await signal);
    setTimeout(() => undefined, ${restMs});`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  t.teardown(() => child.kill('SIGKILL'));
  const lines: string[] = [];
  const waiters = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    lines.push(...text.split('\n').filter(Boolean));
    for (const wake of waiters) wake();
  });
  const line = async (wanted: string): Promise<void> => {
    while (!lines.includes(wanted)) await new Promise<void>((resolve) => waiters.add(resolve));
  };
  const ended = once(child, 'exit') as Promise<[number | null, NodeJS.Signals | null]>;
  await line('ready');
  return { child, line, ended };
}

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  test(`${signal} is waited for, and leaves time for a clean end`, async (t) => {
    const { child, line, ended } = await waiting(t, 0);
    child.kill(signal);
    await line(`got ${signal}`);
    t.deepEqual(await ended, [0, null]);
  });
}

test('a second signal ends the process at once', async (t) => {
  const { child, line, ended } = await waiting(t, 60_000);
  child.kill('SIGINT');
  await line('got SIGINT');
  child.kill('SIGTERM');
  t.deepEqual(await ended, [1, null]);
});

import { spawn } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { Systemd, pingPeriodMs } from '../../../src/hal/linux/systemd.js';
import type { ServiceEnvironment } from '../../../src/hal/linux/systemd.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { createLogger } from '../../../src/log.js';
import { NotifySocket } from '../../support/notify-socket.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const LIMIT_MS = 30_000;
const PING_MS = LIMIT_MS / 3;

function open(environment: ServiceEnvironment) {
  const clock = new SimClock();
  const lines: string[] = [];
  const log = createLogger('info', { write: (line) => lines.push(line) });
  const { PATH } = process.env;
  return { clock, lines, service: new Systemd(clock, log, { PATH, ...environment }) };
}

/** A service whose manager listens and wants signs of life. */
async function managed(t: ExecutionContext) {
  const directory = await temporaryDirectory(t);
  const socket = await NotifySocket.listen(t, directory);
  const environment = {
    NOTIFY_SOCKET: socket.path,
    WATCHDOG_USEC: String(LIMIT_MS * 1000),
    WATCHDOG_PID: String(process.pid),
  };
  return { socket, ...open(environment) };
}

test('the manager hears that the camera is ready, what it does, and that it ends', async (t) => {
  const { socket, service } = await managed(t);
  service.ready('camera cam-1, boot 1');
  await socket.atLeast(1);
  service.status('two\nlines');
  await socket.atLeast(2);
  service.stopping();
  await service.close();
  t.deepEqual(await socket.atLeast(3), [
    'READY=1\nSTATUS=camera cam-1, boot 1',
    'STATUS=two lines',
    'STOPPING=1',
  ]);
});

test('a sign of life is given every third of the limit, from ready to close', async (t) => {
  const { socket, service, clock } = await managed(t);
  await clock.advance(LIMIT_MS);
  service.ready('on');
  await socket.atLeast(1);
  for (let count = 2; count <= 4; count++) {
    await clock.advance(PING_MS - 1);
    t.is(socket.messages.length, count - 1);
    await clock.advance(1);
    t.is((await socket.atLeast(count)).at(-1), 'WATCHDOG=1');
  }
  await service.close();
  await clock.advance(LIMIT_MS);
  service.stopping();
  t.is(socket.messages.length, 4);
});

/** Puts a systemd-notify into a directory that notes its beginning and end, and may fail. */
async function fakeTool(t: ExecutionContext, body: string) {
  const directory = await temporaryDirectory(t);
  const bin = path.join(directory, 'bin');
  const notes = path.join(directory, 'notes');
  await mkdir(bin);
  await writeFile(notes, '');
  const script = `#!/bin/sh\necho "begin $*" >>${notes}\n${body}\necho end >>${notes}\n`;
  await writeFile(path.join(bin, 'systemd-notify'), script, { mode: 0o755 });
  const read = async (): Promise<readonly string[]> =>
    (await readFile(notes, 'utf8')).split('\n').filter(Boolean);
  return { directory, read, PATH: `${bin}:${process.env['PATH'] ?? ''}` };
}

test('what comes up while the manager is told goes out together afterwards', async (t) => {
  const { read, PATH } = await fakeTool(t, 'sleep 0.3');
  const { service, clock } = open({ PATH, NOTIFY_SOCKET: '/nowhere', WATCHDOG_USEC: '3000000' });
  service.ready('on');
  service.status('one');
  await clock.advance(3000);
  service.status('two');
  service.stopping();
  await service.close();
  t.deepEqual(await read(), [
    'begin READY=1 STATUS=on',
    'end',
    'begin STATUS=two WATCHDOG=1 STOPPING=1',
    'end',
  ]);
});

test('a word that was not delivered is said again, and the log tells of it once', async (t) => {
  const { directory, read, PATH } = await fakeTool(t, 'test -e "$NOTIFY_SOCKET" || exit 1');
  const NOTIFY_SOCKET = path.join(directory, 'manager');
  const { service, clock, lines } = open({ PATH, NOTIFY_SOCKET });
  const told = async (count: number): Promise<void> => {
    while ((await read()).length < count) await new Promise((resolve) => setTimeout(resolve, 10));
  };
  service.ready('on');
  await told(1);
  // The end of a process is real, the wait for the next try is not: step until it begins.
  while ((await read()).length < 2) {
    await clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await writeFile(NOTIFY_SOCKET, '');
  while (!(await read()).includes('end')) {
    await clock.advance(1000);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  await service.close();
  t.true((await read()).filter((row) => row.startsWith('begin')).length > 2);
  t.true((await read()).every((row) => row === 'end' || row === 'begin READY=1 STATUS=on'));
  const messages = lines.map((line) => (JSON.parse(line) as { msg: string }).msg);
  t.deepEqual(messages, [
    'systemd does not hear of this program',
    'systemd hears of this program again',
  ]);
});

test('nothing is started where no manager listens', async (t) => {
  const { read, PATH } = await fakeTool(t, '');
  const { service, clock } = open({ PATH, WATCHDOG_USEC: '3000000' });
  service.ready('on');
  await clock.advance(10_000);
  service.stopping();
  await service.close();
  t.deepEqual(await read(), []);
});

test('a machine without systemd-notify runs on', async (t) => {
  const PATH = await temporaryDirectory(t);
  const { service, lines } = open({ PATH, NOTIFY_SOCKET: '/nowhere' });
  service.ready('on');
  await service.close();
  t.regex(lines.join(''), /systemd does not hear of this program/);
});

test('signs of life are given only by the process they are wanted from', (t) => {
  t.is(pingPeriodMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '7' }, 7), 10_000);
  t.is(pingPeriodMs({ WATCHDOG_USEC: '30000000' }, 7), 10_000);
  t.is(pingPeriodMs({ WATCHDOG_USEC: '30000000', WATCHDOG_PID: '8' }, 7), undefined);
  for (const limit of ['', '0', '-1', '1e6', '30 s']) {
    t.is(pingPeriodMs({ WATCHDOG_USEC: limit }, 7), undefined, limit);
  }
});

test('an event loop that hangs gives no sign of life', async (t) => {
  const directory = await temporaryDirectory(t);
  const socket = await NotifySocket.listen(t, directory);
  const script = `
    const { Systemd } = await import(${JSON.stringify(path.resolve('build/src/hal/linux/systemd.js'))});
    const { SystemClock } = await import(${JSON.stringify(path.resolve('build/src/hal/linux/system-clock.js'))});
    new Systemd(new SystemClock(), { info() {}, warn() {} }).ready('on');
    process.once('SIGUSR2', () => { process.stdout.write('hangs', () => { for (;;); }); });
    setInterval(() => undefined, 1000);`;
  const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { PATH: process.env['PATH'], NOTIFY_SOCKET: socket.path, WATCHDOG_USEC: '300000' },
  });
  t.teardown(() => child.kill('SIGKILL'));
  t.is((await socket.atLeast(4)).at(-1), 'WATCHDOG=1');
  const hangs = new Promise((resolve) => child.stdout.once('data', resolve));
  child.kill('SIGUSR2');
  await hangs;
  // A ping that was on its way may still arrive; after that there are none.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = socket.messages.length;
  await new Promise((resolve) => setTimeout(resolve, 1000));
  t.is(socket.messages.length, before);
});

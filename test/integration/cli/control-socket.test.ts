import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync, writeFileSync } from 'node:fs';
import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { sendControl } from '../../../src/cli/control-client.js';
import { LINE_BYTES_MAX } from '../../../src/cli/control-messages.js';
import { listenControl } from '../../../src/cli/control-socket.js';
import type { ControlHandler, ControlServer } from '../../../src/cli/control-socket.js';
import { CameraError } from '../../../src/errors.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';

const clock = new SystemClock();
const run = promisify(execFile);
const ping = { verb: 'ping', words: [] };

async function socketPath(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'lapel-control-'));
  t.teardown(() => rm(directory, { recursive: true }));
  return path.join(directory, 'control.sock');
}

const echo: ControlHandler = (request) => Promise.resolve(request);

/** Starts a server that is closed with the test. */
async function serve(t: ExecutionContext, at: string, handler: ControlHandler = echo) {
  const server = await listenControl(at, handler, clock);
  t.teardown(() => server.close());
}

/** Leaves a socket behind as a process does that is killed. */
async function leaveSocket(at: string): Promise<void> {
  const script =
    "require('node:net').createServer().listen(process.argv[1], () => process.kill(process.pid, 'SIGKILL'))";
  await once(spawn(process.execPath, ['-e', script, at]), 'exit');
}

/** Sends bytes, ends, and collects what comes back until the other side ends too. */
async function exchange(at: string, bytes: string): Promise<string> {
  const socket = connect(at);
  socket.end(bytes);
  let all = '';
  socket.setEncoding('utf8').on('data', (text: string) => (all += text));
  await once(socket, 'close');
  return all;
}

test('a request reaches the handler and its result comes back', async (t) => {
  const at = await socketPath(t);
  await serve(t, at);
  const request = { verb: 'sim', words: ['press', 'record'] };
  t.deepEqual(await sendControl(at, request, clock), request);
});

test('an error of the handler comes back with its code', async (t) => {
  const at = await socketPath(t);
  await serve(t, at, () => Promise.reject(new CameraError('hal/busy', 'held')));
  await t.throwsAsync(sendControl(at, ping, clock), { code: 'hal/busy', message: 'held' });
});

test('a handler that throws at once is answered too', async (t) => {
  const at = await socketPath(t);
  await serve(t, at, () => {
    throw new TypeError('broken');
  });
  await t.throwsAsync(sendControl(at, ping, clock), { code: 'internal/bug' });
});

test.serial('the socket is for its owner alone, from its first moment', async (t) => {
  const at = await socketPath(t);
  writeFileSync(`${at}.before`, '');
  const listening = listenControl(at, echo, clock);
  writeFileSync(`${at}.after`, '');
  t.is(statSync(at).mode & 0o777, 0o600);
  t.is(statSync(`${at}.after`).mode, statSync(`${at}.before`).mode, 'the umask stayed');
  const server = await listening;
  t.teardown(() => server.close());
  t.is((await stat(at)).mode & 0o777, 0o600);
});

test('stock tools can ask: a line in, a line out, even when they end their side at once', async (t) => {
  const at = await socketPath(t);
  await serve(t, at, async (request) => {
    await clock.sleep(50);
    return request.verb;
  });
  const command = `echo '{"verb":"status"}' | socat -t 5 - UNIX-CONNECT:${at}`;
  const { stdout } = await run('sh', ['-c', command]);
  t.is(stdout, '{"ok":true,"result":"status"}\n');
});

test('requests of one connection are answered in their order, one after the other', async (t) => {
  const at = await socketPath(t);
  let running = 0;
  await serve(t, at, async ({ verb }) => {
    running += 1;
    t.is(running, 1);
    await clock.sleep(verb === 'slow' ? 50 : 1);
    running -= 1;
    return verb;
  });
  const answers = await exchange(at, '{"verb":"slow"}\nnonsense\n{"verb":"quick"}\n');
  const usage = 'expected a line of JSON {"verb":"…","words":["…"]}';
  t.deepEqual(
    answers
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as unknown),
    [
      { ok: true, result: 'slow' },
      { ok: false, code: 'cli/usage', message: usage },
      { ok: true, result: 'quick' },
    ],
  );
});

test('a line that is too long is refused and ends the connection, others go on', async (t) => {
  const at = await socketPath(t);
  await serve(t, at);
  const answer = await exchange(at, 'x'.repeat(LINE_BYTES_MAX + 1));
  t.is(answer, '{"ok":false,"code":"cli/usage","message":"a line has at most 65536 bytes"}\n');
  t.deepEqual(await sendControl(at, ping, clock), ping);
});

test('a flood of requests on one connection is refused', async (t) => {
  const at = await socketPath(t);
  await serve(t, at);
  t.regex(await exchange(at, '{"verb":"a"}\n'.repeat(17)), /at most 16 requests at once/);
});

test('a camera that runs is not replaced', async (t) => {
  const at = await socketPath(t);
  await serve(t, at);
  await t.throwsAsync(listenControl(at, echo, clock), { code: 'cli/already-running' });
  t.deepEqual(await sendControl(at, ping, clock), ping);
});

test('a socket that a dead process left is replaced and leaves nothing behind', async (t) => {
  const at = await socketPath(t);
  await leaveSocket(at);
  t.true((await stat(at)).isSocket());
  await t.throwsAsync(sendControl(at, ping, clock), { code: 'cli/not-running' });
  await serve(t, at);
  t.deepEqual(await sendControl(at, ping, clock), ping);
  t.deepEqual(await readdir(path.dirname(at)), ['control.sock']);
});

test('of two that start at once over a dead socket, exactly one runs', async (t) => {
  const at = await socketPath(t);
  for (let round = 0; round < 10; round += 1) {
    await leaveSocket(at);
    const results = await Promise.allSettled(
      ['first', 'second'].map((name) => listenControl(at, () => Promise.resolve(name), clock)),
    );
    const servers: ControlServer[] = results.flatMap((result) =>
      result.status === 'fulfilled' ? [result.value] : [],
    );
    t.is(servers.length, 1);
    t.true(['first', 'second'].includes(String(await sendControl(at, ping, clock))));
    await Promise.all(servers.map((server) => server.close()));
  }
});

test('a file that is no socket is left alone', async (t) => {
  const at = await socketPath(t);
  await writeFile(at, 'precious');
  const expected = { code: 'storage/io', message: /no socket/ };
  await t.throwsAsync(listenControl(at, echo, clock), expected);
  t.is((await stat(at)).size, 'precious'.length);
});

test('a directory that is missing is told', async (t) => {
  const at = path.join(path.dirname(await socketPath(t)), 'nowhere', 'control.sock');
  await t.throwsAsync(listenControl(at, echo, clock), { code: 'storage/io' });
});

test('a path that the kernel would cut is refused on both sides', async (t) => {
  const at = `/tmp/${'x'.repeat(103)}`;
  t.is(Buffer.byteLength(at), 108);
  await t.throwsAsync(listenControl(at, echo, clock), { code: 'cli/usage' });
  await t.throwsAsync(sendControl(at, ping, clock), { code: 'cli/usage' });
});

test('closing removes the socket and ends connections that wait for an answer', async (t) => {
  const at = await socketPath(t);
  let isAsked = (): void => undefined;
  const asked = new Promise<void>((resolve) => (isAsked = resolve));
  const server = await listenControl(
    at,
    () => {
      isAsked();
      return new Promise(() => undefined);
    },
    clock,
  );
  const expectation = t.throwsAsync(sendControl(at, ping, clock), { code: 'cli/no-answer' });
  await asked;
  await server.close();
  await server.close();
  await expectation;
  await t.throwsAsync(sendControl(at, ping, clock), { code: 'cli/not-running' });
});

test('where nobody ever listened, nobody runs', async (t) => {
  const at = await socketPath(t);
  const expected = { code: 'cli/not-running', message: `no camera at ${at}` };
  await t.throwsAsync(sendControl(at, ping, clock), expected);
});

/** Starts a listener that is no camera. */
async function strange(t: ExecutionContext, at: string, greet: (socket: Socket) => void) {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    greet(socket);
  });
  await new Promise<void>((resolve) => server.listen(at, resolve));
  t.teardown(() => server.close());
}

test('an answer that never comes ends after the time given', async (t) => {
  const at = await socketPath(t);
  await strange(t, at, () => undefined);
  const stepped = new SimClock();
  const sending = sendControl(at, ping, stepped);
  const expected = { code: 'cli/no-answer', message: 'no answer within 5 s' };
  const expectation = t.throwsAsync(sending, expected);
  await stepped.advance(5_000);
  await expectation;
});

const strangers: readonly [title: string, greet: (socket: Socket) => void, message: RegExp][] = [
  ['hangs up', (socket) => socket.end(), /ended the connection/],
  ['talks without end', (socket) => socket.write('x'.repeat(LINE_BYTES_MAX + 1)), /too long/],
  ['talks nonsense', (socket) => socket.write('hello\n'), /not understood/],
];
for (const [title, greet, message] of strangers) {
  test(`a peer that ${title} is no camera`, async (t) => {
    const at = await socketPath(t);
    await strange(t, at, greet);
    await t.throwsAsync(sendControl(at, ping, clock), { code: 'cli/no-answer', message });
  });
}

test('a connection that asks nothing more is closed after half a minute', async (t) => {
  const at = await socketPath(t);
  const stepped = new SimClock();
  const server = await listenControl(at, echo, stepped);
  t.teardown(() => server.close());
  const socket = connect(at);
  socket.write('{"verb":"a"}\n');
  await once(socket, 'data');
  t.is(stepped.timers, 1);
  await stepped.advance(29_999);
  t.is(stepped.timers, 1);
  const closed = once(socket, 'close');
  await stepped.advance(1);
  await closed;
  t.is(stepped.timers, 0);
});

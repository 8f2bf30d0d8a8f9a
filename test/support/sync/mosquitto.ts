import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** Debian keeps it outside the PATH of ordinary users. */
const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin`;
const START_TIMEOUT_MS = 10_000;

/** A Mosquitto of its own on a free port of the loopback address. It can be killed and started again on the same port. */
export class Mosquitto {
  readonly url: string;
  readonly #directory: string;
  readonly #port: number;
  #child: ChildProcess | undefined;

  private constructor(directory: string, port: number) {
    this.#directory = directory;
    this.#port = port;
    this.url = `mqtt://127.0.0.1:${port}`;
  }

  /** `lines` are added to its configuration. Throws when mosquitto is not installed: it is a tool of the test suite. */
  static async start(lines: readonly string[] = []): Promise<Mosquitto> {
    const directory = await mkdtemp(path.join(os.tmpdir(), 'lapel-mosquitto-'));
    const port = await freePort();
    const configuration = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'persistence false',
      'max_inflight_messages 64',
      'max_queued_messages 1000',
      'set_tcp_nodelay true',
      'log_type error',
      `user ${os.userInfo().username}`,
      ...lines,
    ];
    await writeFile(path.join(directory, 'mosquitto.conf'), `${configuration.join('\n')}\n`);
    const broker = new Mosquitto(directory, port);
    await broker.restart();
    return broker;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async restart(): Promise<void> {
    await this.kill();
    const child = spawn('mosquitto', ['-c', path.join(this.#directory, 'mosquitto.conf')], {
      env: { ...process.env, PATH },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    await once(child, 'spawn');
    this.#child = child;
    let said = '';
    child.stderr.on('data', (bytes: Buffer) => {
      said += bytes.toString('utf8');
    });
    const deadline = Date.now() + START_TIMEOUT_MS;
    while (!(await answers(this.#port))) {
      if (child.exitCode !== null) throw new Error(`mosquitto ended: ${said}`);
      if (Date.now() > deadline) throw new Error('mosquitto does not listen');
      await sleep(10);
    }
  }

  /** SIGKILL: every connection breaks, every queue and retained message is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    this.#child = undefined;
    if (child?.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }

  async stop(): Promise<void> {
    await this.kill();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function freePort(): Promise<number> {
  const server = net.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (typeof address !== 'object' || address === null) throw new Error('no port');
  return address.port;
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => {
      resolve(false);
    });
  });

import { link, lstat, rename, unlink } from 'node:fs/promises';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import process from 'node:process';
import type { Cancel, Clock } from '../clock.js';
import { CameraError, isCameraError, messageOf, systemCode } from '../errors.js';
import { formatFailure, formatResult, LINE_BYTES_MAX, parseRequest } from './control-messages.js';
import type { ControlRequest } from './control-messages.js';
import { LineReader } from './line-reader.js';
import { checkSocketPath, isListening } from './socket-path.js';

/** A connection without a request is closed after this time. */
const IDLE_TIMEOUT_MS = 30_000;
/** Commands at one time; people and scripts on this machine need a few. */
const CONNECTIONS_MAX = 16;
/** Requests of one connection that may wait for their turn. */
const WAITING_MAX = 16;
/** Reader and writer for the owner, nothing for anybody else: whoever may connect may press the record button. */
const PRIVATE_UMASK = 0o177;
/** Each try that fails has found and removed a socket that nobody listens on. */
const LISTEN_TRIES = 3;

/** Answers a request. What it resolves to must fit JSON; what it rejects with reaches the asker as code and message. */
export type ControlHandler = (request: ControlRequest) => Promise<unknown>;

export interface ControlServer {
  /** Ends every connection and removes the socket. Idempotent. */
  close(): Promise<void>;
}

/**
 * Listens for commands on a unix socket of mode 0600 at `path`. Requests are lines of JSON; each gets a line back, in order.
 * Rejects with `cli/already-running` when a process answers at `path`; a socket that a dead process left is replaced.
 * Rejects with `cli/usage` when the path is too long for a socket, `storage/io` when it cannot be made.
 */
export async function listenControl(
  path: string,
  handler: ControlHandler,
  clock: Clock,
): Promise<ControlServer> {
  checkSocketPath(path);
  try {
    for (let tries = 1; ; tries += 1) {
      const server = await tryListen(path, handler, clock);
      if (server !== undefined) return server;
      if (tries === LISTEN_TRIES) throw alreadyRunning(path);
      await removeStale(path);
    }
  } catch (error) {
    if (isCameraError(error)) throw error;
    throw new CameraError('storage/io', `cannot listen on ${path}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

/** Undefined when something has that name already. */
async function tryListen(
  path: string,
  handler: ControlHandler,
  clock: Clock,
): Promise<ControlServer | undefined> {
  const connections = new Set<Socket>();
  // Half open, so that `echo … | socat - UNIX:…`, which ends its side at once, still gets its answer.
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    connections.add(socket);
    socket.on('close', () => connections.delete(socket));
    new ControlConnection(socket, handler, clock);
  });
  server.maxConnections = CONNECTIONS_MAX;
  try {
    await bind(server, path);
  } catch (error) {
    if (systemCode(error) === 'EADDRINUSE') return undefined;
    throw error;
  }
  // An error of a listening socket (no descriptors left) costs one connection, not the camera.
  server.on('error', () => undefined);
  const closed = new Promise<void>((resolve) => server.on('close', resolve));
  return {
    close: () => {
      server.close();
      for (const socket of connections) socket.destroy();
      return closed;
    },
  };
}

/** Binding happens within the call, so the umask of the process is foreign for this one call only. */
function bind(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    const umask = process.umask(PRIVATE_UMASK);
    try {
      server.listen(path, () => {
        server.off('error', reject);
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}

/**
 * Takes the socket that a dead process left out of the way; rejects with `cli/already-running` when its process lives.
 * It is moved aside first and judged there once more: two processes that start at once would otherwise both find it
 * dead, and the slower one would remove the new socket of the faster one.
 */
async function removeStale(path: string): Promise<void> {
  if (await isListening(path)) throw alreadyRunning(path);
  const aside = `${path}.${process.pid}`;
  try {
    if (!(await lstat(path)).isSocket()) throw new Error('there is a file that is no socket');
    await rename(path, aside);
  } catch (error) {
    // Somebody else has just removed it.
    if (systemCode(error) === 'ENOENT') return;
    throw error;
  }
  const isOther = await isListening(aside);
  if (isOther) await link(aside, path);
  await unlink(aside);
  if (isOther) throw alreadyRunning(path);
}

const alreadyRunning = (path: string): CameraError =>
  new CameraError('cli/already-running', `a camera runs at ${path}`);

/** Answers the requests of one connection, one after the other. */
class ControlConnection {
  readonly #socket: Socket;
  readonly #handler: ControlHandler;
  readonly #clock: Clock;
  readonly #lines = new LineReader(LINE_BYTES_MAX);
  #waiting = 0;
  #last: Promise<void> = Promise.resolve();
  #cancelIdle: Cancel;

  constructor(socket: Socket, handler: ControlHandler, clock: Clock) {
    this.#socket = socket;
    this.#handler = handler;
    this.#clock = clock;
    this.#cancelIdle = this.#startIdle();
    socket.on('data', (chunk: Buffer) => {
      this.#take(chunk);
    });
    socket.on('end', () => void this.#last.then(() => socket.end()));
    // A peer that is gone needs no answer; `close` follows every error.
    socket.on('error', () => undefined);
    socket.on('close', () => {
      this.#cancelIdle();
    });
  }

  #take(chunk: Buffer): void {
    if (this.#socket.writableEnded) return;
    const lines = this.#lines.push(chunk);
    if (lines === undefined) {
      this.#refuse(`a line has at most ${LINE_BYTES_MAX} bytes`);
      return;
    }
    if (this.#waiting + lines.length > WAITING_MAX) {
      this.#refuse(`at most ${WAITING_MAX} requests at once`);
      return;
    }
    this.#cancelIdle();
    this.#waiting += lines.length;
    for (const line of lines) this.#last = this.#last.then(() => this.#reply(line));
    if (this.#waiting === 0) this.#restartIdle();
  }

  async #reply(line: string): Promise<void> {
    let reply: string;
    try {
      reply = formatResult(await this.#handler(parseRequest(line)));
    } catch (error) {
      reply = formatFailure(error);
    }
    if (this.#socket.writable) this.#socket.write(reply);
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#restartIdle();
  }

  /** Says why and ends the connection; what follows on it is not read. */
  #refuse(why: string): void {
    this.#restartIdle();
    this.#socket.end(formatFailure(new CameraError('cli/usage', why)));
    this.#socket.resume();
  }

  #restartIdle(): void {
    this.#cancelIdle();
    this.#cancelIdle = this.#startIdle();
  }

  #startIdle(): Cancel {
    return this.#clock.after(IDLE_TIMEOUT_MS, () => this.#socket.destroy());
  }
}

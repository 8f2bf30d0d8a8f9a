import { spawn } from 'node:child_process';
import { access } from 'node:fs/promises';
import path from 'node:path';

/**
 * Prints each datagram as a line of JSON. Not socat: systemd-notify sends a file descriptor after its message and waits
 * until the receiver has closed it; recv(2) drops it at once, socat keeps it for ever.
 */
const RECEIVER = `
import json, socket, sys
listener = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
listener.bind(sys.argv[1])
while True:
    print(json.dumps(listener.recv(65536).decode()), flush=True)
`;
/** The text that goes with the file descriptor. */
const BARRIER = 'BARRIER=1';
const WAIT_MS_MAX = 20_000;

/** A datagram socket as systemd has one for its services, and what has been said to it, one entry a message. */
export class NotifySocket {
  readonly path: string;
  #text = '';
  readonly #waiting = new Set<() => void>();

  private constructor(socketPath: string) {
    this.path = socketPath;
  }

  /** Listens below `directory` until the test is over. */
  static async listen(
    t: { teardown(undo: () => void): void },
    directory: string,
  ): Promise<NotifySocket> {
    const socket = new NotifySocket(path.join(directory, 'notify'));
    const child = spawn('python3', ['-c', RECEIVER, socket.path], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    t.teardown(() => child.kill('SIGKILL'));
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      socket.#text += text;
      for (const wake of socket.#waiting) wake();
    });
    const deadline = performance.now() + WAIT_MS_MAX;
    while (!(await isThere(socket.path))) {
      if (performance.now() > deadline) throw new Error('the receiver does not listen');
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    return socket;
  }

  /** The messages so far, barriers left out. */
  get messages(): readonly string[] {
    const rows = this.#text.split('\n').slice(0, -1);
    return rows.map((row) => JSON.parse(row) as string).filter((text) => text !== BARRIER);
  }

  /** Resolves with the messages as soon as there are `count`. Rejects when that takes too long. */
  atLeast(count: number): Promise<readonly string[]> {
    return this.until((messages) => messages.length >= count);
  }

  /** Resolves with the messages as soon as they fit. Rejects when that takes too long. */
  async until(fit: (messages: readonly string[]) => boolean): Promise<readonly string[]> {
    const deadline = performance.now() + WAIT_MS_MAX;
    while (!fit(this.messages)) {
      const leftMs = deadline - performance.now();
      if (leftMs <= 0) throw new Error(`only ${JSON.stringify(this.messages)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#waiting.add(() => {
          clearTimeout(timer);
          resolve();
        });
      });
    }
    return this.messages;
  }
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

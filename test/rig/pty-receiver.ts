import { spawn } from 'node:child_process';
import type { ChildProcessByStdio } from 'node:child_process';
import { constants } from 'node:fs';
import { access, open } from 'node:fs/promises';
import type { FileHandle } from 'node:fs/promises';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';

const PLUG_MS_MAX = 5_000;
const PLUG_POLL_MS = 5;

/** A serial receiver that is really a pseudo terminal: socat holds the far end. */
export class PtyReceiver {
  readonly path: string;
  #socat: ChildProcessByStdio<Writable, Readable, null> | undefined;
  /** Keeps the near end open: else the far end would end when the last reader closes the device. */
  #keeper: FileHandle | undefined;
  #written: Buffer[] = [];

  constructor(path: string) {
    this.path = path;
  }

  /** Resolves when the device file is there. */
  async plug(): Promise<void> {
    await this.unplug();
    const end = `pty,raw,echo=0,link=${this.path}`;
    const socat = spawn('socat', ['-', end], { stdio: ['pipe', 'pipe', 'inherit'] });
    this.#socat = socat;
    this.#written = [];
    socat.stdout.on('data', (chunk: Buffer) => this.#written.push(chunk));
    // A receiver that was pulled takes no bytes; whoever sends them notices by what does not come back.
    socat.stdin.on('error', () => undefined);
    const deadline = performance.now() + PLUG_MS_MAX;
    while (!(await isThere(this.path))) {
      if (performance.now() > deadline) throw new Error('socat makes no pseudo terminal');
      await wait(PLUG_POLL_MS);
    }
    this.#keeper = await open(
      this.path,
      constants.O_RDWR | constants.O_NOCTTY | constants.O_NONBLOCK,
    );
  }

  async unplug(): Promise<void> {
    const socat = this.#socat;
    this.#socat = undefined;
    if (socat !== undefined) {
      const ended = new Promise((resolve) => socat.once('close', resolve));
      socat.kill();
      await ended;
    }
    await this.#keeper?.close();
    this.#keeper = undefined;
  }

  /** Resolves when the bytes are on their way; while nothing is plugged they are lost. */
  write(bytes: string | Buffer): Promise<void> {
    return new Promise((resolve) => {
      if (this.#socat === undefined) resolve();
      else {
        this.#socat.stdin.write(bytes, () => {
          resolve();
        });
      }
    });
  }

  written(): Buffer {
    return Buffer.concat(this.#written);
  }
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

import { chmod, copyFile, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './temporary-directory.js';

/** The shell of the stand-in has looked many times by then. */
const UNSEEN_MS = 200;
/** The chip of the stand-in, and its line 3 by name. */
export const STAND_IN_CHIP = 'test-chip';
export const STAND_IN_NAME = 'BUTTON';

/** How often it is looked whether the watcher has been told. */
const WATCHED_POLL_MS = 2;

/** A directory with gpiod tools that act on files, and the other end of their wires. */
export class GpiodStandIn {
  readonly directory: string;

  private constructor(directory: string) {
    this.directory = directory;
  }

  static async make(t: ExecutionContext, version: 1 | 2): Promise<GpiodStandIn> {
    const directory = await temporaryDirectory(t);
    const script = path.join(directory, 'stand-in');
    await copyFile('test/support/gpiod-stand-in.sh', script);
    await chmod(script, 0o755);
    for (const tool of ['gpiodetect', 'gpioinfo', 'gpioget', 'gpioset', 'gpiomon']) {
      await symlink('stand-in', path.join(directory, tool));
    }
    const standIn = new GpiodStandIn(directory);
    await standIn.#write('version', String(version));
    await standIn.plug();
    return standIn;
  }

  /** Resolves when whoever watches the line has been told, which the shell may take long for on a busy machine. */
  async drive(line: number, isHigh: boolean): Promise<void> {
    const level = isHigh ? '1' : '0';
    await this.#write(`level.${line}`, level);
    while ((await this.#isWatched(line)) && (await this.#read(`seen.${line}`)) !== level) {
      await wait(WATCHED_POLL_MS);
    }
  }

  /** A change of the level of which gpiomon never tells, as while it is started again. */
  async driveUnseen(line: number, isHigh: boolean): Promise<void> {
    const deaf = path.join(this.directory, `deaf.${line}`);
    await writeFile(deaf, '');
    await wait(UNSEEN_MS);
    await this.#write(`level.${line}`, isHigh ? '1' : '0');
    await wait(UNSEEN_MS);
    await rm(deaf);
  }

  /** The newest edge is told so often at a time: twice as after contacts too fast to look at, or as a burst. */
  async tellAgain(line: number, times: number): Promise<void> {
    await this.#write(`again.${line}`, String(times));
  }

  async isHigh(line: number): Promise<boolean> {
    return (await this.#read(`level.${line}`)) === '1';
  }

  /** Takes the chip away: tools that hold a line of it end. */
  unplug(): Promise<void> {
    return rm(path.join(this.directory, 'chip'));
  }

  plug(): Promise<void> {
    return this.#write('chip', '');
  }

  /** Process and tool that have a line, or had it last. */
  ownerOf(line: number): Promise<string> {
    return this.#read(`owner.${line}`);
  }

  /** Lets a process that is not ours have a line. */
  occupy(line: number, pid: number, name: string): Promise<void> {
    return this.#write(`owner.${line}`, `${pid} ${name}`);
  }

  async #isWatched(line: number): Promise<boolean> {
    const [pid, tool] = (await this.#read(`owner.${line}`)).split(' ');
    if (tool !== 'gpiomon') return false;
    try {
      return process.kill(Number(pid), 0);
    } catch {
      return false;
    }
  }

  /** Empty when there is no such file. */
  async #read(name: string): Promise<string> {
    const text = await readFile(path.join(this.directory, name), 'utf8').catch(() => '');
    return text.trim();
  }

  /** In one step, so that no tool ever reads half of it. */
  async #write(name: string, text: string): Promise<void> {
    const file = path.join(this.directory, name);
    await writeFile(`${file}.new`, `${text}\n`);
    await rename(`${file}.new`, file);
  }
}

import { chmod, copyFile, readFile, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { temporaryDirectory } from './temporary-directory.js';

/** The chip of the stand-in, and its line 3 by name. */
export const STAND_IN_CHIP = 'test-chip';
export const STAND_IN_NAME = 'BUTTON';

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

  drive(line: number, isHigh: boolean): Promise<void> {
    return this.#write(`level.${line}`, isHigh ? '1' : '0');
  }

  async isHigh(line: number): Promise<boolean> {
    return (await readFile(path.join(this.directory, `level.${line}`), 'utf8')).trim() === '1';
  }

  /** Takes the chip away: tools that hold a line of it end. */
  unplug(): Promise<void> {
    return rm(path.join(this.directory, 'chip'));
  }

  plug(): Promise<void> {
    return this.#write('chip', '');
  }

  /** Lets a process that is not ours have a line. */
  occupy(line: number, pid: number, name: string): Promise<void> {
    return this.#write(`owner.${line}`, `${pid} ${name}`);
  }

  /** In one step, so that no tool ever reads half of it. */
  async #write(name: string, text: string): Promise<void> {
    const file = path.join(this.directory, name);
    await writeFile(`${file}.new`, `${text}\n`);
    await rename(`${file}.new`, file);
  }
}

import path from 'node:path';
import { hasErrorCode } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import type { BootContext } from './boot.js';
import type { DeviceLog } from './device-log.js';
import { tellFault } from './fault.js';

/**
 * Where what is damaged, unknown or cut goes: `<card>/quarantine/`, under its own path, numbered when that is taken.
 *
 * INVARIANTS
 * 1. Nothing is deleted or overwritten, here or where it came from.
 * 2. Each case is an entry of the log before anything is moved; after a cut in between it is told twice, never not.
 */
export class Quarantine {
  readonly #ctx: Pick<BootContext, 'fs' | 'layout' | 'log'>;
  readonly #log: DeviceLog;
  readonly #paths: string[] = [];

  constructor(ctx: Pick<BootContext, 'fs' | 'layout' | 'log'>, log: DeviceLog) {
    this.#ctx = ctx;
    this.#log = log;
  }

  /** What this object has put there, in order. */
  get paths(): readonly string[] {
    return this.#paths;
  }

  /** Moves a file or directory. One whose name the file system cannot spell is told and stays. */
  async move(file: string, code: ErrorCode, reason: string): Promise<void> {
    await this.tell(code, `${this.#nameOf(file)} ${reason}`);
    const target = await this.#place(file, () => Promise.resolve(false));
    try {
      await this.#ctx.fs.rename(file, target);
    } catch (error) {
      // A name that is no UTF-8 comes out of the listing changed, and nothing answers to it.
      if (!hasErrorCode(error, 'storage/not-found')) throw error;
      await this.tell('storage/corrupt', `${this.#nameOf(file)} cannot be moved`, error);
      return;
    }
    this.#paths.push(target);
  }

  /** Keeps the present content of a file that is about to be replaced. The same content is kept only once. */
  async keep(file: string, content: Buffer, code: ErrorCode, reason: string): Promise<void> {
    await this.tell(code, `${this.#nameOf(file)} ${reason}`);
    const { fs } = this.#ctx;
    const target = await this.#place(file, async (candidate) => {
      if ((await fs.size(candidate)) !== content.length) return false;
      return (await fs.readFile(candidate, content.length)).equals(content);
    });
    await fs.writeAtomic(target, content);
    this.#paths.push(target);
  }

  /** A `fault` entry, and a line for the technician. Rejects with the errors of the log. */
  async tell(code: ErrorCode, what: string, error?: unknown): Promise<void> {
    await tellFault(this.#ctx.log, this.#log, code, what, error);
  }

  /** The first path for `file` that is free, or that `isSame` accepts. Its directory is there afterwards. */
  async #place(file: string, isSame: (candidate: string) => Promise<boolean>): Promise<string> {
    const { fs, layout } = this.#ctx;
    const wanted = path.join(layout.quarantine, this.#nameOf(file));
    await fs.makeDirectory(path.dirname(wanted));
    let target = wanted;
    for (let n = 1; (await fs.exists(target)) && !(await isSame(target)); n += 1) {
      target = `${wanted}.${n}`;
    }
    return target;
  }

  #nameOf(file: string): string {
    return path.relative(this.#ctx.layout.root, file);
  }
}

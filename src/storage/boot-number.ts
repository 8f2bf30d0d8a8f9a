import path from 'node:path';
import { hasErrorCode } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { CardLayout } from './layout.js';
import { parseCounter } from './layout.js';

/**
 * Directories with a higher number are not ours: a boot every minute reaches it in 1,900 years. Below it every number
 * that follows still has the 10 digits that a path may have.
 */
const BOOT_MAX = 999_999_999;
const FILE_BYTES_MAX = 64;

/** The highest boot that has a directory on the card; 0 when none has. */
export async function highestBootOn(fs: FileSystem, layout: CardLayout): Promise<number> {
  let highest = 0;
  for (const { name } of await fs.list(layout.evidence)) {
    const boot = parseCounter(name) ?? 0;
    if (boot <= BOOT_MAX) highest = Math.max(highest, boot);
  }
  return highest;
}

/**
 * The number of the newest boot, kept outside the card: a card can be changed, and two segments of one device must
 * never have one name.
 */
export class BootMemory {
  readonly #fs: FileSystem;
  readonly #file: string;

  constructor(fs: FileSystem, file: string) {
    this.#fs = fs;
    this.#file = file;
  }

  /** 0 when there was none; undefined when the file holds anything else. Rejects with the errors of the file system. */
  async recall(): Promise<number | undefined> {
    try {
      const text = (await this.#fs.readFile(this.#file, FILE_BYTES_MAX)).toString('latin1');
      const boot = text.endsWith('\n') ? parseCounter(text.slice(0, -1)) : undefined;
      return boot !== undefined && boot <= BOOT_MAX ? boot : undefined;
    } catch (error) {
      if (hasErrorCode(error, 'storage/not-found')) return 0;
      if (hasErrorCode(error, 'storage/limit')) return undefined;
      throw error;
    }
  }

  /** Durable when it resolves. */
  async remember(boot: number): Promise<void> {
    await this.#fs.makeDirectory(path.dirname(this.#file));
    await this.#fs.writeAtomic(this.#file, Buffer.from(`${boot}\n`));
  }
}

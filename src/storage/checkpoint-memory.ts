import { deviceOfOrigin, parseCheckpoint } from '../evidence/checkpoint.js';
import { rootAt } from '../evidence/tree-hashes.js';
import { hasErrorCode, isCameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { Database } from './database.js';
import { StoredHashes } from './log-tree.js';

const NOTE_BYTES_MAX = 64 * 1024;

/**
 * The newest checkpoint that this camera signed, kept outside the card: a card can be put back to an older state, and then
 * nothing on it says so.
 */
export class CheckpointMemory {
  readonly #fs: FileSystem;
  readonly #file: string;

  constructor(fs: FileSystem, file: string) {
    this.#fs = fs;
    this.#file = file;
  }

  /**
   * What speaks against the log in `db` being the one that this camera signed last, in one sentence that holds size and root
   * of what it signed; undefined when nothing does, and before the first checkpoint. Rejects with the errors of the file system.
   */
  async contradictionOf(db: Database, device: string): Promise<string | undefined> {
    const note = await this.#read();
    if (note === undefined) return undefined;
    try {
      const { origin, size, root } = parseCheckpoint(note);
      if (deviceOfOrigin(origin) !== device) return undefined;
      const source = new StoredHashes(db);
      const found = source.size;
      if (found >= size && rootAt(source, size).equals(root)) return undefined;
      const signed = `the camera signed ${size} entries with the root ${root.toString('hex')}`;
      return `${signed}, the card has ${found < size ? `only ${found}` : 'others'}: an older or another card`;
    } catch (error) {
      if (!isCameraError(error)) throw error;
      return `what the camera signed last cannot be compared with the card: ${error.message}`;
    }
  }

  /** Durable when it resolves. */
  remember(note: string): Promise<void> {
    return this.#fs.writeAtomic(this.#file, Buffer.from(note));
  }

  async #read(): Promise<string | undefined> {
    try {
      return (await this.#fs.readFile(this.#file, NOTE_BYTES_MAX)).toString('utf8');
    } catch (error) {
      if (hasErrorCode(error, 'storage/not-found')) return undefined;
      throw error;
    }
  }
}

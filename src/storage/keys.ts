import { randomBytes } from 'node:crypto';
import path from 'node:path';
import { toSpkiBase64 } from '../evidence/public-key.js';
import { SEED_BYTES, createSigner } from '../evidence/signer.js';
import type { Signer } from '../evidence/signer.js';
import { CameraError, hasErrorCode } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';

const SEED_FILE_BYTES_MAX = 4096;
const SEED_TEXT = new RegExp(`^[0-9a-f]{${SEED_BYTES * 2}}\n$`);

/**
 * A private key at rest: 32 seed bytes in hex, mode 0600, never on the evidence card. Whoever can read the file can
 * sign as its owner; a secure element would be better and is the board's matter.
 */
export class KeyFile {
  readonly #fs: FileSystem;
  readonly path: string;

  constructor(fs: FileSystem, file: string) {
    this.#fs = fs;
    this.path = file;
  }

  /**
   * Makes a new key; a power cut leaves a whole one or none. Throws `keys/exists` rather than replacing one. Two
   * processes that make the same key at the same moment are not kept apart: `keys init` is run by a person.
   */
  async make(): Promise<Signer> {
    await this.#fs.makeDirectory(path.dirname(this.path));
    if (await this.#fs.exists(this.path)) {
      throw new CameraError('keys/exists', `there is a key in ${this.path}`);
    }
    const seed = randomBytes(SEED_BYTES);
    await this.#fs.writeAtomic(this.path, Buffer.from(`${seed.toString('hex')}\n`));
    const signer = createSigner(seed);
    seed.fill(0);
    return signer;
  }

  /** Throws `keys/missing` when there is none and `keys/malformed` when the file holds anything else. */
  async load(): Promise<Signer> {
    const text = await this.#read();
    if (!SEED_TEXT.test(text)) {
      throw new CameraError('keys/malformed', `${this.path} is not a key file`);
    }
    const seed = Buffer.from(text.trim(), 'hex');
    const signer = createSigner(seed);
    seed.fill(0);
    return signer;
  }

  async #read(): Promise<string> {
    try {
      return (await this.#fs.readFile(this.path, SEED_FILE_BYTES_MAX)).toString('latin1');
    } catch (error) {
      if (hasErrorCode(error, 'storage/not-found')) {
        throw new CameraError('keys/missing', `no key in ${this.path}`, { cause: error });
      }
      if (hasErrorCode(error, 'storage/limit')) {
        throw new CameraError('keys/malformed', `${this.path} is not a key file`, { cause: error });
      }
      throw error;
    }
  }
}

/** A key that exists in memory only, for one boot. */
export function makeSessionSigner(): Signer {
  const seed = randomBytes(SEED_BYTES);
  const signer = createSigner(seed);
  seed.fill(0);
  return signer;
}

export const spkiOf = (signer: Signer): string => toSpkiBase64(signer.publicKey);

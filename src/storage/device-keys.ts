import path from 'node:path';
import { formatEnvelopeFile, parseEnvelope } from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { openRotation, readRotation, sealRotation } from '../evidence/key-rotation.js';
import type { Signer } from '../evidence/signer.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { KeyFile } from './keys.js';

/** A rotation every month for twenty years; 1,300 bytes each. */
export const ROTATIONS_MAX = 240;
const FILE_BYTES_MAX = ROTATIONS_MAX * 4096;

/** The rotations in a file of them, an envelope a line, unverified. Throws `evidence/malformed`. */
export function parseRotations(text: string): readonly Envelope[] {
  const lines = text.split('\n');
  if (lines.pop() !== '' || lines.length > ROTATIONS_MAX) {
    throw new CameraError('evidence/malformed', 'not a list of key rotations');
  }
  return lines.map((line) => parseEnvelope(line));
}

export const formatRotations = (rotations: readonly Envelope[]): string =>
  rotations.map(formatEnvelopeFile).join('');

/** Rotations in a file of that name; none when there is no such file. */
export async function readRotations(fs: FileSystem, file: string): Promise<readonly Envelope[]> {
  if (!(await fs.exists(file))) return [];
  return parseRotations((await fs.readFile(file, FILE_BYTES_MAX)).toString('utf8'));
}

/** The key of a device now, and how it came to it. */
export interface LoadedDeviceKeys {
  readonly signer: Signer;
  /** From the first key to the present one, oldest first. */
  readonly rotations: readonly Envelope[];
}

/**
 * The device key on internal storage, and its rotations beside it: `device.key`, `device.key.next` while one is under way, and
 * `rotations`. A rotation counts from the moment in which the next key takes the place of the old one; cut before that, it
 * has not happened, and the next try takes the same key.
 */
export class DeviceKeys {
  readonly #fs: FileSystem;
  readonly #key: KeyFile;
  readonly #next: KeyFile;
  readonly #file: string;

  constructor(fs: FileSystem, keyFile: string) {
    this.#fs = fs;
    this.#key = new KeyFile(fs, keyFile);
    this.#next = new KeyFile(fs, `${keyFile}.next`);
    this.#file = path.join(path.dirname(keyFile), 'rotations');
  }

  /** Rejects as `KeyFile.load`, and with `keys/malformed` when the rotations do not lead to the key. */
  async load(): Promise<LoadedDeviceKeys> {
    const signer = await this.#key.load();
    const all = await readRotations(this.#fs, this.#file);
    const names = all.map((envelope) => readRotation(envelope));
    if (names.length === 0) return { signer, rotations: [] };
    const last = names.findLastIndex((rotation) => rotation.new === signer.keyId);
    // One that was written and did not come to pass leads away from the present key.
    if (last >= 0 || names[0]?.old === signer.keyId) {
      const rotations = all.slice(0, last + 1);
      for (const rotation of rotations) openRotation(rotation);
      return { signer, rotations };
    }
    signer.destroy();
    throw new CameraError('keys/malformed', `${this.#file} does not lead to the device key`);
  }

  /**
   * Makes a new key for `device` that certifies its boots from `fromBoot` on. `whileBoth` runs when both can sign, before the
   * new one is in force; then the old one is overwritten in memory and its file replaced.
   */
  async rotate(
    device: string,
    fromBoot: number,
    whileBoth: (old: Signer, fresh: Signer) => Promise<void> | void,
  ): Promise<LoadedDeviceKeys & { readonly oldKeyId: string }> {
    const { signer: old, rotations } = await this.load();
    const fresh = (await this.#fs.exists(this.#next.path))
      ? await this.#next.load()
      : await this.#next.make();
    try {
      const all = [...rotations, sealRotation(device, fromBoot, old, fresh)];
      if (all.length > ROTATIONS_MAX) {
        throw new CameraError('keys/exists', `the key was rotated ${ROTATIONS_MAX} times`);
      }
      await this.#fs.writeAtomic(this.#file, Buffer.from(formatRotations(all)));
      await whileBoth(old, fresh);
      await this.#fs.rename(this.#next.path, this.#key.path);
      return { signer: fresh, rotations: all, oldKeyId: old.keyId };
    } finally {
      old.destroy();
    }
  }
}

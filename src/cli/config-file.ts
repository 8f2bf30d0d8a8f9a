import { parseConfig } from '../config/config.js';
import type { Config } from '../config/config.js';
import { DOCUMENT_LENGTH_MAX } from '../config/json-document.js';
import { toCanonicalBytes } from '../evidence/jcs.js';
import { sha256 } from '../evidence/merkle-tree.js';
import { CameraError, messageOf } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { dataPaths } from './paths.js';

/** UTF-8 takes at most four bytes a character. */
const CONFIG_BYTES_MAX = DOCUMENT_LENGTH_MAX * 4;

/** Reads a configuration. Throws `config/unreadable` or `config/invalid` with every fault. */
export async function readConfigFile(fs: FileSystem, file: string): Promise<Config> {
  return parseConfig(await readText(fs, file));
}

/** Throws `keys/missing` when no camera was set up in the data directory: the first thing a newcomer meets. */
export async function requireCamera(fs: FileSystem, data: string): Promise<void> {
  const { root, deviceKey } = dataPaths(data);
  if (await fs.exists(deviceKey)) return;
  throw new CameraError('keys/missing', `no camera is set up in ${root}`);
}

async function readText(fs: FileSystem, file: string): Promise<string> {
  try {
    return (await fs.readFile(file, CONFIG_BYTES_MAX)).toString('utf8');
  } catch (cause) {
    throw new CameraError('config/unreadable', messageOf(cause), { cause });
  }
}

/** Indented, because people read it. Durable when it resolves. */
export const writeConfigFile = (fs: FileSystem, file: string, config: unknown): Promise<void> =>
  fs.writeAtomic(file, Buffer.from(`${JSON.stringify(config, undefined, 2)}\n`));

/** Hex SHA-256 over the canonical form: what a manifest calls `cfg`. */
export const configDigest = (config: Config): string =>
  sha256(toCanonicalBytes(config)).toString('hex');

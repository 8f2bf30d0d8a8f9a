import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';

/** An identity file holds one key and perhaps comments. */
const IDENTITY_BYTES_MAX = 64 * 1024;

/** The identity in a file as age-keygen writes it. Throws `evidence/wrong-key` when there is none. */
export async function readIdentity(fs: FileSystem, file: string): Promise<string> {
  const text = (await fs.readFile(file, IDENTITY_BYTES_MAX)).toString('utf8');
  const line = text.split(/\r?\n/).find((candidate) => candidate.startsWith('AGE-SECRET-KEY-'));
  if (line === undefined) throw new CameraError('evidence/wrong-key', `no age identity in ${file}`);
  return line.trim();
}

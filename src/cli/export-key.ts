import { userInfo } from 'node:os';
import path from 'node:path';
import { PRINCIPAL_PATTERN } from '../evidence/ssh-signature.js';
import type { Signer } from '../evidence/signer.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { KeyFile } from '../storage/keys.js';

export interface ExportKey {
  readonly signer: Signer;
  readonly file: string;
  /** True when it was made just now. */
  readonly isNew: boolean;
}

/** Where the key of exports lies that nobody named: with the identity, which has to be kept as well. */
export const defaultExportKey = (identityFile: string): string =>
  path.join(path.dirname(path.resolve(identityFile)), 'export.key');

/**
 * The key that signs exports: that of `given`, which must be there, or the default one, made when it is missing.
 * Throws `keys/missing` and `keys/malformed`.
 */
export async function openExportKey(
  fs: FileSystem,
  identityFile: string,
  given: string | undefined,
): Promise<ExportKey> {
  const file = given ?? defaultExportKey(identityFile);
  const key = new KeyFile(fs, file);
  if (given !== undefined || (await fs.exists(file))) {
    return { signer: await key.load(), file, isNew: false };
  }
  return { signer: await key.make(), file, isNew: true };
}

/** Who exports: the name given, else that of the user. Throws `cli/usage` for a name that cannot stand in allowed signers. */
export function exporterName(given: string | undefined): string {
  if (given !== undefined) {
    if (PRINCIPAL_PATTERN.test(given)) return given;
    const rule = 'is not one word of letters, digits and ._@-, at most 64';
    throw new CameraError('cli/usage', `--exporter ${JSON.stringify(given)} ${rule}`);
  }
  const user = userName();
  return PRINCIPAL_PATTERN.test(user) ? user : 'exporter';
}

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    return ''; // In a container, a user without a name.
  }
}

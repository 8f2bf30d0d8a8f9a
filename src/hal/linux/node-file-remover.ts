import { constants } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import path from 'node:path';
import { CameraError, messageOf, systemCode } from '../../errors.js';
import type { FileRemover } from '../ports/file-remover.js';

/** FileRemover on node:fs. Stateless; one is enough for a process. */
export class NodeFileRemover implements FileRemover {
  async removeFiles(files: readonly string[]): Promise<void> {
    const [first] = files;
    if (first === undefined) return;
    const directory = path.dirname(first);
    if (files.some((file) => path.dirname(file) !== directory)) {
      throw new CameraError('internal/bug', 'files of two directories are not removed together');
    }
    try {
      for (const file of files) await unlinkIfThere(file);
      await syncDirectory(directory);
    } catch (error) {
      const code = systemCode(error) === 'EROFS' ? 'storage/read-only' : 'storage/io';
      throw new CameraError(code, `cannot remove from ${directory}: ${messageOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** Linux refuses to unlink a directory (EISDIR, unlink(2)). */
async function unlinkIfThere(file: string): Promise<void> {
  try {
    await unlink(file);
  } catch (error) {
    if (systemCode(error) !== 'ENOENT') throw error;
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

import { CameraError } from '../../../src/errors.js';
import type { FileSystem } from '../../../src/hal/ports/file-system.js';

/**
 * A file system that stops working: the first `stepsLeft` changes go through, every one after them fails, as if the
 * process had been cut there. Reading goes on.
 */
export function failingAfter(files: FileSystem, stepsLeft: number): FileSystem {
  let left = stepsLeft;
  const step = async <T>(change: () => Promise<T>): Promise<T> => {
    if (left <= 0) throw new CameraError('storage/io', 'cut here');
    left -= 1;
    return change();
  };
  return {
    makeDirectory: (path) => step(() => files.makeDirectory(path)),
    create: (path, mode) => step(() => files.create(path, mode)),
    createTogether: (paths) => step(() => files.createTogether(paths)),
    openWritable: async (path) => {
      const file = await step(() => files.openWritable(path));
      return {
        append: (parts) => step(() => file.append(parts)),
        writeAt: (bytes, offset) => step(() => file.writeAt(bytes, offset)),
        sync: () => step(() => file.sync()),
        close: () => file.close(),
      };
    },
    openReadable: (path) => files.openReadable(path),
    readFile: (path, bytesMax) => files.readFile(path, bytesMax),
    writeAtomic: (path, bytes, mode) => step(() => files.writeAtomic(path, bytes, mode)),
    rename: (from, to) => step(() => files.rename(from, to)),
    list: (path) => files.list(path),
    exists: (path) => files.exists(path),
    size: (path) => files.size(path),
    freeBytes: (path) => files.freeBytes(path),
    totalBytes: (path) => files.totalBytes(path),
  };
}

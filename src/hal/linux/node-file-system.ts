import { constants } from 'node:fs';
import * as fs from 'node:fs/promises';
import path from 'node:path';
import { CameraError, messageOf, systemCode } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import type {
  DirectoryEntry,
  FileSystem,
  ReadableFile,
  WritableFile,
} from '../ports/file-system.js';

const PRIVATE_FILE = 0o600;
const PRIVATE_DIRECTORY = 0o700;
/** writev takes at most IOV_MAX buffers (1024 on Linux, limits.h). */
const BUFFERS_PER_WRITE_MAX = 1024;

const codes: Readonly<Record<string, ErrorCode>> = {
  ENOENT: 'storage/not-found',
  ENOTDIR: 'storage/not-found',
  ENOSPC: 'storage/disk-full',
  EDQUOT: 'storage/disk-full',
  EROFS: 'storage/read-only',
};

/** Runs an operation and turns what it throws into the CameraError that the port promises. */
async function translated<T>(verb: string, file: string, operation: () => Promise<T>): Promise<T> {
  try {
    return await operation();
  } catch (error) {
    if (error instanceof CameraError) throw error;
    const code = codes[systemCode(error) ?? ''] ?? 'storage/io';
    throw new CameraError(code, `cannot ${verb} ${file}: ${messageOf(error)}`, { cause: error });
  }
}

async function syncDirectory(directory: string): Promise<void> {
  const handle = await fs.open(directory, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

class NodeWritableFile implements WritableFile {
  readonly #handle: fs.FileHandle;
  readonly #path: string;
  /** Where the next append goes: O_APPEND would move `writeAt` there too (Linux, pwrite(2) BUGS). */
  #end: number;
  #last: Promise<unknown> = Promise.resolve();

  constructor(handle: fs.FileHandle, file: string, size: number) {
    this.#handle = handle;
    this.#path = file;
    this.#end = size;
  }

  append(parts: readonly Uint8Array[]): Promise<void> {
    return this.#queue('write', async () => {
      for (let at = 0; at < parts.length; at += BUFFERS_PER_WRITE_MAX) {
        await this.#writeAll(parts.slice(at, at + BUFFERS_PER_WRITE_MAX));
      }
    });
  }

  writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#queue('write', async () => {
      for (let done = 0; done < bytes.length;) {
        const { bytesWritten } = await this.#handle.write(
          bytes,
          done,
          bytes.length - done,
          offset + done,
        );
        done += bytesWritten;
        this.#end = Math.max(this.#end, offset + done);
      }
    });
  }

  sync(): Promise<void> {
    return this.#queue('sync', () => this.#handle.datasync());
  }

  close(): Promise<void> {
    return this.#queue('close', () => this.#handle.close());
  }

  /** A writev may stop short (a signal, a full card); the rest follows until the system says why not. */
  async #writeAll(parts: readonly Uint8Array[]): Promise<void> {
    let rest = parts.filter((part) => part.length > 0);
    while (rest.length > 0) {
      let { bytesWritten } = await this.#handle.writev(rest, this.#end);
      this.#end += bytesWritten;
      let whole = 0;
      while (whole < rest.length && bytesWritten >= (rest[whole]?.length ?? 0)) {
        bytesWritten -= rest[whole]?.length ?? 0;
        whole += 1;
      }
      rest = rest.slice(whole);
      const [first] = rest;
      if (first !== undefined && bytesWritten > 0) rest[0] = first.subarray(bytesWritten);
    }
  }

  #queue<T>(verb: string, operation: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => translated(verb, this.#path, operation));
    // A failure reaches its caller through `result`; the operations behind it still get their turn.
    this.#last = result.catch(() => undefined);
    return result;
  }
}

class NodeReadableFile implements ReadableFile {
  readonly size: number;
  readonly #handle: fs.FileHandle;
  readonly #path: string;

  constructor(handle: fs.FileHandle, file: string, size: number) {
    this.#handle = handle;
    this.#path = file;
    this.size = size;
  }

  readInto(target: Buffer, targetOffset: number, length: number, offset: number): Promise<number> {
    return translated('read', this.#path, async () => {
      let done = 0;
      while (done < length) {
        const at = targetOffset + done;
        const { bytesRead } = await this.#handle.read(target, at, length - done, offset + done);
        if (bytesRead === 0) break;
        done += bytesRead;
      }
      return done;
    });
  }

  close(): Promise<void> {
    return translated('close', this.#path, () => this.#handle.close());
  }
}

/** Makes the names of files just opened durable, or closes them: a caller that gets no file cannot close it. */
async function makeDurable(handles: readonly fs.FileHandle[], directory: string): Promise<void> {
  try {
    await syncDirectory(directory);
  } catch (error) {
    await closeAll(handles);
    throw error;
  }
}

async function closeAll(handles: readonly fs.FileHandle[]): Promise<void> {
  await Promise.allSettled(handles.map((handle) => handle.close()));
}

/** FileSystem on node:fs. Stateless; one is enough for a process. */
export class NodeFileSystem implements FileSystem {
  makeDirectory(directory: string): Promise<void> {
    return translated('make', directory, async () => {
      const target = path.resolve(directory);
      const first = await fs.mkdir(target, { recursive: true, mode: PRIVATE_DIRECTORY });
      // Every new name lives in its parent: sync from the deepest parent up to the one that existed before. A directory
      // that was there may be one whose maker died before its sync, so its own name is synced all the same.
      const last = path.dirname(first ?? target);
      for (let at = path.dirname(target); ; at = path.dirname(at)) {
        await syncDirectory(at);
        if (at === last || at === path.dirname(at)) break;
      }
    });
  }

  async create(file: string, mode = PRIVATE_FILE): Promise<WritableFile> {
    return translated('create', file, async () => {
      const handle = await fs.open(file, 'wx', mode);
      await makeDurable([handle], path.dirname(file));
      return new NodeWritableFile(handle, file, 0);
    });
  }

  async createTogether(files: readonly string[]): Promise<readonly WritableFile[]> {
    const handles: fs.FileHandle[] = [];
    for (const file of files) {
      try {
        handles.push(await translated('create', file, () => fs.open(file, 'wx', PRIVATE_FILE)));
      } catch (error) {
        await closeAll(handles);
        throw error;
      }
    }
    const [first] = files;
    if (first !== undefined) {
      const directory = path.dirname(first);
      await translated('sync', directory, () => makeDurable(handles, directory));
    }
    return handles.map((handle, n) => new NodeWritableFile(handle, files[n] ?? '', 0));
  }

  openWritable(file: string): Promise<WritableFile> {
    return translated('open', file, async () => {
      const flags = constants.O_WRONLY | constants.O_CREAT;
      const handle = await fs.open(file, flags, PRIVATE_FILE);
      await makeDurable([handle], path.dirname(file));
      return new NodeWritableFile(handle, file, (await handle.stat()).size);
    });
  }

  openReadable(file: string): Promise<ReadableFile> {
    return translated('open', file, async () => {
      const handle = await fs.open(file, 'r');
      const { size } = await handle.stat();
      return new NodeReadableFile(handle, file, size);
    });
  }

  async readFile(file: string, bytesMax: number): Promise<Buffer> {
    const readable = await this.openReadable(file);
    try {
      if (readable.size > bytesMax) {
        throw new CameraError('storage/limit', `${file} has more than ${bytesMax} bytes`);
      }
      const bytes = Buffer.allocUnsafeSlow(readable.size);
      const length = await readable.readInto(bytes, 0, bytes.length, 0);
      return bytes.subarray(0, length);
    } finally {
      await readable.close();
    }
  }

  writeAtomic(file: string, bytes: Uint8Array, mode = PRIVATE_FILE): Promise<void> {
    return translated('write', file, async () => {
      // A leftover of a cut write is overwritten: it was never renamed, so nobody has read it.
      const temporary = `${file}.tmp`;
      const handle = await fs.open(temporary, 'w', mode);
      try {
        await handle.writeFile(bytes);
        await handle.datasync();
      } finally {
        await handle.close();
      }
      await fs.rename(temporary, file);
      await syncDirectory(path.dirname(file));
    });
  }

  rename(from: string, to: string): Promise<void> {
    return translated('rename', from, async () => {
      await fs.rename(from, to);
      await syncDirectory(path.dirname(to));
      if (path.dirname(from) !== path.dirname(to)) await syncDirectory(path.dirname(from));
    });
  }

  async list(directory: string): Promise<readonly DirectoryEntry[]> {
    return translated('list', directory, async () => {
      try {
        const entries = await fs.readdir(directory, { withFileTypes: true });
        return entries
          .map((entry) => ({ name: entry.name, isDirectory: entry.isDirectory() }))
          .sort((a, b) => (a.name < b.name ? -1 : 1));
      } catch (error) {
        if (systemCode(error) === 'ENOENT') return [];
        throw error;
      }
    });
  }

  exists(file: string): Promise<boolean> {
    return translated('look at', file, async () => {
      try {
        await fs.stat(file);
        return true;
      } catch (error) {
        // ENOTDIR: a file stands where the path needs a directory.
        if (['ENOENT', 'ENOTDIR'].includes(systemCode(error) ?? '')) return false;
        throw error;
      }
    });
  }

  size(file: string): Promise<number> {
    return translated('look at', file, async () => (await fs.stat(file)).size);
  }

  freeBytes(directory: string): Promise<number> {
    return translated('look at', directory, async () => {
      const { bavail, bsize } = await fs.statfs(directory);
      return bavail * bsize;
    });
  }

  totalBytes(directory: string): Promise<number> {
    return translated('look at', directory, async () => {
      const { blocks, bsize } = await fs.statfs(directory);
      return blocks * bsize;
    });
  }
}

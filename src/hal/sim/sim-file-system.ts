import path from 'node:path';
import { CameraError } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import type {
  DirectoryEntry,
  FileSystem,
  ReadableFile,
  WritableFile,
} from '../ports/file-system.js';
import type { FileRemover } from '../ports/file-remover.js';
import { SimDisk } from './sim-disk.js';
import type { CutMode, DiskStep, SimDirectory, SimFile, SimNode } from './sim-disk.js';

const PRIVATE_FILE = 0o600;
/** A small card. */
const CAPACITY_BYTES_DEFAULT = 8 * 2 ** 30;

/** What can go wrong; each may be set and cleared while the file system is in use. */
export interface SimFaults {
  /** The power goes when this many steps are done: every operation after them rejects. */
  powerOffAfter?: number;
  /** Mounted read-only (EROFS): nothing changes any more, reading goes on. */
  isReadOnly?: boolean;
  /** Room for all files together (ENOSPC); a write that does not fit is done up to the last byte that does. */
  capacityBytes?: number;
  /** Changes of which files and directories fail (EIO): nothing of them is done. Syncs go on. */
  failsWrite?: (location: string) => boolean;
  /** Syncs of which files and directories fail (EIO). What they should have covered never becomes durable. */
  failsSync?: (location: string) => boolean;
  /** Reads of which files fail (EIO): a bad block. */
  failsRead?: (location: string) => boolean;
  /** Called before each step and awaited: a slow card, or a moment to look at what has become durable so far. */
  beforeStep?: (step: DiskStep) => Promise<void> | void;
}

/** Cause of every rejection after the power has gone. */
class PowerOff extends Error {
  override readonly name = 'PowerOff';
}

/** True for what an operation of a SimFileSystem rejects with because its power is off. */
export const isPowerOff = (error: unknown): boolean =>
  error instanceof CameraError && error.cause instanceof PowerOff;

const fault = (code: ErrorCode, verb: string, location: string, why: string): CameraError =>
  new CameraError(code, `cannot ${verb} ${location}: ${why}`);

/** A read-only mount takes a sync: there is nothing to write back. */
const changesContent: ReadonlySet<DiskStep['kind']> = new Set([
  'make-directory',
  'create',
  'write',
  'rename',
  'unlink',
]);

const resolve = (location: string): string => path.posix.resolve('/', location);

/**
 * The FileSystem port in memory, on a disk that forgets what was not synced. An operation consists of steps (create,
 * write, sync, rename, sync of a directory); each can be the last one before a power cut. Reading is no step: it
 * leaves nothing behind that a cut could show.
 *
 * INVARIANTS
 * 1. A step is in `journal` if and only if the disk has taken it; `SimDisk.replay` of any prefix of the journal is the
 *    disk at that moment.
 * 2. Every rejection is a CameraError with a code of the port, as on a real disk.
 */
export class SimFileSystem implements FileSystem {
  readonly faults: SimFaults;
  /** Every step so far. */
  readonly journal: DiskStep[] = [];
  readonly #disk: SimDisk;
  readonly #open = new Set<SimWritableFile>();
  #isCut = false;
  #filesMade: number;

  /** An empty disk unless one is given, which then belongs to this file system. */
  constructor(faults: SimFaults = {}, disk: SimDisk = new SimDisk()) {
    this.faults = faults;
    this.#disk = disk;
    this.#filesMade = disk.newestFile;
  }

  /** Files open for writing: 0 when everybody has tidied up. */
  get openFiles(): number {
    return this.#open.size;
  }

  /** Takes the power away from this file system for good and returns what the next start finds, without faults. */
  cut(mode: CutMode): SimFileSystem {
    this.#isCut = true;
    return new SimFileSystem({}, this.#disk.cut(mode));
  }

  async makeDirectory(location: string): Promise<void> {
    const directory = resolve(location);
    if (this.#find(directory)?.kind === 'file') {
      throw fault('storage/io', 'make', directory, 'a file has its name');
    }
    const missing: string[] = [];
    for (let at = directory; this.#find(at) === undefined; at = path.posix.dirname(at)) {
      missing.unshift(at);
    }
    if (missing[0] !== undefined) this.#requireDirectory('make', parentOf(missing[0]));
    for (const at of missing) await this.#step('make', { kind: 'make-directory', path: at });
    const parents = missing.length === 0 ? [directory] : missing;
    for (const at of parents.toReversed()) await this.#syncDirectory(parentOf(at));
  }

  async create(location: string, mode = PRIVATE_FILE): Promise<WritableFile> {
    const file = await this.#create(resolve(location), mode);
    await this.#withDurableName([file]);
    return file;
  }

  async createTogether(locations: readonly string[]): Promise<readonly WritableFile[]> {
    const files: SimWritableFile[] = [];
    try {
      for (const location of locations) files.push(await this.#create(resolve(location)));
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
    await this.#withDurableName(files);
    return files;
  }

  async openWritable(location: string): Promise<WritableFile> {
    const file = resolve(location);
    const node = this.#find(file);
    if (node === undefined) return this.create(file);
    if (node.kind !== 'file') throw fault('storage/io', 'open', file, 'is a directory');
    const writable = this.#writable(file, node);
    await this.#withDurableName([writable]);
    return writable;
  }

  openReadable(location: string): Promise<ReadableFile> {
    return this.#reading(() => {
      const file = resolve(location);
      const node = this.#requireFile('open', file);
      const readInto = (
        target: Buffer,
        targetOffset: number,
        length: number,
        offset: number,
      ): Promise<number> =>
        this.#reading(() => {
          if (this.faults.failsRead?.(file) === true) {
            throw fault('storage/io', 'read', file, 'EIO');
          }
          const bytes = node.cached.view().subarray(offset, offset + length);
          return bytes.copy(target, targetOffset);
        });
      return { size: node.cached.view().length, readInto, close: () => Promise.resolve() };
    });
  }

  async readFile(location: string, bytesMax: number): Promise<Buffer> {
    const file = await this.openReadable(location);
    if (file.size > bytesMax) {
      throw new CameraError('storage/limit', `${location} has more than ${bytesMax} bytes`);
    }
    const bytes = Buffer.alloc(file.size);
    await file.readInto(bytes, 0, bytes.length, 0);
    return bytes;
  }

  async writeAtomic(location: string, bytes: Uint8Array, mode = PRIVATE_FILE): Promise<void> {
    const target = resolve(location);
    const temporary = `${target}.tmp`;
    this.#requireDirectory('write', parentOf(target));
    const file = await this.#make(temporary, mode);
    try {
      await file.append([bytes]);
      await file.sync();
    } finally {
      await file.close();
    }
    await this.#step('rename', { kind: 'rename', path: temporary, to: target });
    await this.#syncDirectory(parentOf(target));
  }

  async rename(from: string, to: string): Promise<void> {
    const [source, target] = [resolve(from), resolve(to)];
    if (this.#find(source) === undefined) {
      throw fault('storage/not-found', 'rename', source, 'is missing');
    }
    this.#requireDirectory('rename', parentOf(target));
    if (source !== target) {
      await this.#step('rename', { kind: 'rename', path: source, to: target });
    }
    await this.#syncDirectory(parentOf(target));
    if (parentOf(source) !== parentOf(target)) await this.#syncDirectory(parentOf(source));
  }

  list(location: string): Promise<readonly DirectoryEntry[]> {
    return this.#reading(() => {
      const directory = resolve(location);
      if (this.#find(directory) === undefined) return [];
      return [...this.#requireDirectory('list', directory).cached]
        .map(([name, node]) => ({ name, isDirectory: node.kind === 'directory' }))
        .sort((a, b) => (a.name < b.name ? -1 : 1));
    });
  }

  exists(location: string): Promise<boolean> {
    return this.#reading(() => this.#find(resolve(location)) !== undefined);
  }

  size(location: string): Promise<number> {
    return this.#reading(
      () => this.#requireFile('look at', resolve(location)).cached.view().length,
    );
  }

  freeBytes(location: string): Promise<number> {
    return this.#reading(() => {
      const directory = resolve(location);
      if (this.#find(directory) === undefined) {
        throw fault('storage/not-found', 'look at', directory, 'is missing');
      }
      return this.#freeBytes();
    });
  }

  totalBytes(): Promise<number> {
    return this.#reading(() => this.faults.capacityBytes ?? CAPACITY_BYTES_DEFAULT);
  }

  /** The right to delete on this file system, see `FileRemover`. */
  remover(): FileRemover {
    return { removeFiles: (locations) => this.#removeFiles(locations.map(resolve)) };
  }

  async #removeFiles(files: readonly string[]): Promise<void> {
    const [first] = files;
    if (first === undefined) return;
    if (files.some((file) => parentOf(file) !== parentOf(first))) {
      throw new CameraError('internal/bug', 'files of two directories are not removed together');
    }
    for (const file of files) {
      const node = this.#find(file);
      if (node === undefined) continue;
      if (node.kind !== 'file') throw fault('storage/io', 'remove', file, 'is a directory');
      await this.#step('remove', { kind: 'unlink', path: file });
    }
    await this.#syncDirectory(parentOf(first));
  }

  #freeBytes(): number {
    const capacity = this.faults.capacityBytes ?? CAPACITY_BYTES_DEFAULT;
    return Math.max(0, capacity - this.#disk.usedBytes);
  }

  async #create(file: string, mode = PRIVATE_FILE): Promise<SimWritableFile> {
    this.#requireDirectory('create', parentOf(file));
    if (this.#find(file) !== undefined) throw fault('storage/io', 'create', file, 'it exists');
    return this.#make(file, mode);
  }

  async #make(file: string, mode: number): Promise<SimWritableFile> {
    this.#filesMade += 1;
    const step = { kind: 'create', path: file, file: this.#filesMade, mode } as const;
    await this.#step('create', step);
    const node = this.#requireFile('create', file);
    return this.#writable(file, node);
  }

  #writable(file: string, node: SimFile): SimWritableFile {
    const writable = new SimWritableFile(file, node, {
      step: (verb, step) => this.#step(verb, step),
      freeBytes: () => this.#freeBytes(),
      failsSync: () => this.faults.failsSync?.(file) === true,
      closed: () => this.#open.delete(writable),
    });
    this.#open.add(writable);
    return writable;
  }

  /** A caller that gets no file cannot close it. */
  async #withDurableName(files: readonly SimWritableFile[]): Promise<void> {
    const [first] = files;
    try {
      if (first !== undefined) await this.#syncDirectory(parentOf(first.path));
    } catch (error) {
      await Promise.all(files.map((file) => file.close()));
      throw error;
    }
  }

  async #syncDirectory(directory: string): Promise<void> {
    if (this.faults.failsSync?.(directory) === true) {
      throw fault('storage/io', 'sync', directory, 'EIO');
    }
    await this.#step('sync', { kind: 'sync-directory', path: directory });
  }

  /** One step, unless a fault is in the way. */
  async #step(verb: string, step: DiskStep): Promise<void> {
    await this.faults.beforeStep?.(step);
    this.#requirePower();
    if (this.journal.length >= (this.faults.powerOffAfter ?? Infinity)) this.#isCut = true;
    this.#requirePower();
    if (this.faults.isReadOnly === true && changesContent.has(step.kind)) {
      throw fault('storage/read-only', verb, step.path, 'EROFS');
    }
    if (changesContent.has(step.kind) && this.faults.failsWrite?.(step.path) === true) {
      throw fault('storage/io', verb, step.path, 'EIO');
    }
    this.#disk.apply(step);
    this.journal.push(step);
  }

  async #reading<T>(look: () => T): Promise<T> {
    await Promise.resolve();
    this.#requirePower();
    return look();
  }

  #requirePower(): void {
    if (!this.#isCut) return;
    throw new CameraError('storage/io', 'the power is off', { cause: new PowerOff() });
  }

  #find(location: string): SimNode | undefined {
    this.#requirePower();
    return this.#disk.find(location);
  }

  #requireFile(verb: string, location: string): SimFile {
    const node = this.#find(location);
    if (node === undefined) throw fault('storage/not-found', verb, location, 'is missing');
    if (node.kind !== 'file') throw fault('storage/io', verb, location, 'is a directory');
    return node;
  }

  #requireDirectory(verb: string, location: string): SimDirectory {
    const node = this.#find(location);
    if (node?.kind === 'directory') return node;
    throw fault('storage/not-found', verb, location, 'no such directory');
  }
}

const parentOf = (location: string): string => path.posix.dirname(location);

/** What a file needs of its file system. */
interface FileHost {
  step(verb: string, step: DiskStep): Promise<void>;
  freeBytes(): number;
  failsSync(): boolean;
  closed(): void;
}

class SimWritableFile implements WritableFile {
  readonly path: string;
  readonly #node: SimFile;
  readonly #host: FileHost;
  #isClosed = false;
  #last: Promise<unknown> = Promise.resolve();

  constructor(file: string, node: SimFile, host: FileHost) {
    this.path = file;
    this.#node = node;
    this.#host = host;
  }

  append(parts: readonly Uint8Array[]): Promise<void> {
    return this.#queue(() => this.#write(Buffer.concat(parts), this.#node.cached.view().length));
  }

  writeAt(bytes: Uint8Array, offset: number): Promise<void> {
    return this.#queue(() => this.#write(Buffer.from(bytes), offset));
  }

  sync(): Promise<void> {
    return this.#queue(async () => {
      const kind = this.#host.failsSync() ? 'fail-sync' : 'sync';
      await this.#host.step('sync', { kind, path: this.path, file: this.#node.id });
      if (kind === 'fail-sync') throw fault('storage/io', 'sync', this.path, 'EIO');
    });
  }

  close(): Promise<void> {
    return this.#queue(() => {
      this.#isClosed = true;
      this.#host.closed();
      return Promise.resolve();
    });
  }

  async #write(bytes: Buffer, offset: number): Promise<void> {
    const growth = Math.max(0, offset + bytes.length - this.#node.cached.view().length);
    const missing = Math.max(0, growth - this.#host.freeBytes());
    const fitting = bytes.subarray(0, Math.max(0, bytes.length - missing));
    if (fitting.length > 0) {
      const where = { path: this.path, file: this.#node.id, offset };
      await this.#host.step('write', { kind: 'write', ...where, bytes: fitting });
    }
    if (missing > 0) throw fault('storage/disk-full', 'write', this.path, 'ENOSPC');
  }

  #queue<T>(operation: () => Promise<T>): Promise<T> {
    const result = this.#last.then(() => {
      if (this.#isClosed) throw fault('storage/io', 'use', this.path, 'it is closed');
      return operation();
    });
    // A failure reaches its caller through `result`; the operations behind it still get their turn.
    this.#last = result.catch(() => undefined);
    return result;
  }
}

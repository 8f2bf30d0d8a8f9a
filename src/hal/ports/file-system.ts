/** A file that is being written. Writes of one file never overlap: each call waits for the one before. */
export interface WritableFile {
  /** Appends all parts in order, or rejects; a rejected append may have written a prefix. */
  append(parts: readonly Uint8Array[]): Promise<void>;
  /** Writes at an offset; the file grows as needed. */
  writeAt(bytes: Uint8Array, offset: number): Promise<void>;
  /** Resolves when everything written is durable (fdatasync returned). */
  sync(): Promise<void>;
  close(): Promise<void>;
}

export interface ReadableFile {
  readonly size: number;
  /**
   * Fills `target` from `targetOffset` with `length` bytes from `offset` of the file.
   * Returns how many bytes there were: fewer than `length` only at the end of the file.
   */
  readInto(target: Buffer, targetOffset: number, length: number, offset: number): Promise<number>;
  close(): Promise<void>;
}

export interface DirectoryEntry {
  readonly name: string;
  readonly isDirectory: boolean;
}

/**
 * The file operations that evidence needs, and no others: there is no delete here on purpose (`file-remover.ts`).
 * Every rejection is a CameraError: `storage/not-found` (ENOENT), `storage/disk-full` (ENOSPC, EDQUOT),
 * `storage/read-only` (EROFS), `storage/limit` (file over the limit given), else `storage/io`; the system error is its cause.
 */
export interface FileSystem {
  /** Makes a directory and its parents durable; no error when it is there. */
  makeDirectory(path: string): Promise<void>;
  /** Creates a file that must not exist (O_EXCL) and makes its name durable. `mode` defaults to 0o600. */
  create(path: string, mode?: number): Promise<WritableFile>;
  /** `create` for several names of one directory, made durable by a single fsync of it. In the order given. */
  createTogether(paths: readonly string[]): Promise<readonly WritableFile[]>;
  /** Opens a file for writing, made when missing, content kept. */
  openWritable(path: string): Promise<WritableFile>;
  openReadable(path: string): Promise<ReadableFile>;
  /** The whole file; rejects with `storage/limit` when it is longer than `bytesMax`. */
  readFile(path: string, bytesMax: number): Promise<Buffer>;
  /** Whole-file replacement: temporary name, fdatasync, rename, fsync of the directory. */
  writeAtomic(path: string, bytes: Uint8Array, mode?: number): Promise<void>;
  /** Renames within one file system and makes both directories durable. */
  rename(from: string, to: string): Promise<void>;
  /** Entries in name order; empty when the directory is missing. */
  list(path: string): Promise<readonly DirectoryEntry[]>;
  exists(path: string): Promise<boolean>;
  size(path: string): Promise<number>;
  /** Bytes that this user may still write. */
  freeBytes(path: string): Promise<number>;
  /** Size of the whole file system that holds the path, used or free. */
  totalBytes(path: string): Promise<number>;
}

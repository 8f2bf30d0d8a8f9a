/**
 * The one verb of this program that makes a file go away. It is no part of `FileSystem`, so that whoever can write
 * cannot delete: only `src/storage/deletion.ts` holds it, for files that a receipt covers. Lint enforces that.
 */
export interface FileRemover {
  /**
   * Removes these files of one directory, in this order, then makes that durable (fsync of the directory). A file that
   * is missing is gone already: no error. Never a directory, never what is below one. After a rejection some are gone
   * and some not, and which of them a power cut brings back is unknown; the call can be repeated.
   * Rejects with `storage/read-only` (EROFS), else `storage/io`.
   */
  removeFiles(paths: readonly string[]): Promise<void>;
}

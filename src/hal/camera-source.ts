import { CameraError } from '../errors.js';
import type { FileSystem } from './ports/file-system.js';

/** A path of the footage directory, up to the next blank or pipeline separator. */
const FOOTAGE_PATH = /\$\{footage\}([^\s!]*)/g;

/**
 * The camera source of a board with every `${footage}…` replaced by a quoted path below `footageDirectory`.
 * Rejects with `hal/no-footage` when one of the files is missing.
 */
export async function resolveSource(
  source: string,
  footageDirectory: string,
  files: Pick<FileSystem, 'exists'>,
): Promise<string> {
  for (const [, file = ''] of source.matchAll(FOOTAGE_PATH)) {
    const path = `${footageDirectory}${file}`;
    if (!(await files.exists(path))) throw new CameraError('hal/no-footage', `${path} is missing`);
  }
  return source.replace(FOOTAGE_PATH, (_, file: string) => quote(`${footageDirectory}${file}`));
}

/** A value in a launch line (gst_parse_launch): double quotes, with backslash before quote and backslash. */
const quote = (value: string): string => `"${value.replace(/["\\]/g, '\\$&')}"`;

import { readFile } from 'node:fs/promises';

/** The text of an attribute of sysfs, trimmed; undefined when it is not there or its driver refuses to read it now. */
export const readAttribute = (file: string): Promise<string | undefined> =>
  readFile(file, 'utf8').then(
    (text) => text.trim(),
    () => undefined,
  );

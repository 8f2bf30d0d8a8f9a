/** Writes every generated file of the repository: `npm run build && node build/test/support/write-generated-files.js`. */
import { readFile, writeFile } from 'node:fs/promises';
import { generatedFiles } from './generated-files.js';

for (const { path, content } of generatedFiles) {
  const present = await readFile(path, 'utf8').catch(() => '');
  await writeFile(path, await content(present));
}

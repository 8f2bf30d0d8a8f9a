import { readFile } from 'node:fs/promises';
import test from 'ava';
import { generatedFiles } from '../support/generated-files.js';

for (const { path, content } of generatedFiles) {
  test(`${path} is what the source generates`, async (t) => {
    const present = await readFile(path, 'utf8');
    t.is(
      present,
      await content(present),
      'run: npm run build && node build/test/support/write-generated-files.js',
    );
  });
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A fresh directory of this test below `root`, removed with everything in it when the test is over. */
export async function temporaryDirectory(
  t: { teardown(undo: () => Promise<void>): void },
  root = tmpdir(),
): Promise<string> {
  const directory = await mkdtemp(path.join(root, 'lapel-test-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** A fresh directory of this test, removed with everything in it when the test is over. */
export async function temporaryDirectory(t: {
  teardown(undo: () => Promise<void>): void;
}): Promise<string> {
  const directory = await mkdtemp(path.join(tmpdir(), 'lapel-test-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

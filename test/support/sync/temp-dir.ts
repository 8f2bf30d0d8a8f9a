import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import type { ExecutionContext } from 'ava';

/** A directory of this test alone, gone when it ends. */
export async function tempDir(t: ExecutionContext): Promise<string> {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'lapel-sync-'));
  t.teardown(() => rm(directory, { recursive: true, force: true }));
  return directory;
}

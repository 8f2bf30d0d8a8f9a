import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { NodeFileRemover } from '../../src/hal/linux/node-file-remover.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import type { FileRemover } from '../../src/hal/ports/file-remover.js';
import type { FileSystem } from '../../src/hal/ports/file-system.js';
import { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import { rejectsWith } from '../support/reject-code.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

interface Subject {
  readonly fs: FileSystem;
  readonly remover: FileRemover;
  readonly root: string;
}

const subjects: Readonly<Record<string, (t: ExecutionContext) => Promise<Subject>>> = {
  NodeFileRemover: async (t) => ({
    fs: new NodeFileSystem(),
    remover: new NodeFileRemover(),
    root: await temporaryDirectory(t),
  }),
  SimFileSystem: async () => {
    const fs = new SimFileSystem();
    await fs.makeDirectory('/card');
    return { fs, remover: fs.remover(), root: '/card' };
  },
};

const namesIn = async (fs: FileSystem, directory: string): Promise<readonly string[]> =>
  (await fs.list(directory)).map(({ name }) => name);

for (const [name, open] of Object.entries(subjects)) {
  test(`${name}: the files named are gone, those that are missing are no error, others stay`, async (t) => {
    const { fs, remover, root } = await open(t);
    const at = (file: string): string => path.join(root, file);
    for (const file of ['a', 'b', 'c']) await fs.writeAtomic(at(file), Buffer.from(file));
    await remover.removeFiles([at('a'), at('never'), at('c')]);
    t.deepEqual(await namesIn(fs, root), ['b']);
    await remover.removeFiles([at('a'), at('c')]);
    await remover.removeFiles([]);
    t.deepEqual(await namesIn(fs, root), ['b']);
  });

  test(`${name}: a directory is never removed, nor what is in it`, async (t) => {
    const { fs, remover, root } = await open(t);
    await fs.makeDirectory(path.join(root, 'd'));
    await fs.writeAtomic(path.join(root, 'd', 'x'), Buffer.from('x'));
    await rejectsWith(t, 'storage/io', () => remover.removeFiles([path.join(root, 'd')]));
    t.deepEqual(await namesIn(fs, path.join(root, 'd')), ['x']);
  });

  test(`${name}: files of two directories are not removed together`, async (t) => {
    const { fs, remover, root } = await open(t);
    await fs.writeAtomic(path.join(root, 'x'), Buffer.from('x'));
    const files = [path.join(root, 'x'), path.join(root, 'd', 'y')];
    await rejectsWith(t, 'internal/bug', () => remover.removeFiles(files));
    t.deepEqual(await namesIn(fs, root), ['x']);
  });
}

test('SimFileSystem: a name that was taken away is gone after a cut only when its directory was synced', async (t) => {
  const fs = new SimFileSystem();
  await fs.makeDirectory('/card');
  for (const file of ['/card/a', '/card/b']) await fs.writeAtomic(file, Buffer.from(file));
  await fs.remover().removeFiles(['/card/a']);
  fs.faults.failsSync = () => true;
  await rejectsWith(t, 'storage/io', () => fs.remover().removeFiles(['/card/b']));
  t.deepEqual(await namesIn(fs, '/card'), []);
  t.deepEqual(await namesIn(fs.cut({ keeps: 'none' }), '/card'), ['b']);
});

test('SimFileSystem: what is removed gives its space back, and a read-only mount takes nothing away', async (t) => {
  const fs = new SimFileSystem({ capacityBytes: 1000 });
  await fs.makeDirectory('/card');
  await fs.writeAtomic('/card/a', Buffer.alloc(400));
  t.is(await fs.freeBytes('/card'), 600);
  t.is(await fs.totalBytes(), 1000);
  fs.faults.isReadOnly = true;
  await rejectsWith(t, 'storage/read-only', () => fs.remover().removeFiles(['/card/a']));
  fs.faults.isReadOnly = false;
  await fs.remover().removeFiles(['/card/a']);
  t.is(await fs.freeBytes('/card'), 1000);
});

import { readdir, stat } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { rejectsWith } from '../support/reject-code.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

// What only the real file system has: modes, descriptors, error numbers of the kernel. Serial, because descriptors
// are counted in the whole process.
const fs = new NodeFileSystem();
const PERMISSIONS = 0o777;

const modeOf = async (file: string): Promise<number> => (await stat(file)).mode & PERMISSIONS;
const openDescriptors = async (): Promise<number> => (await readdir('/proc/self/fd')).length;

test.serial('files and directories are private to their user', async (t) => {
  const root = await temporaryDirectory(t);
  await fs.makeDirectory(path.join(root, 'a/b'));
  await (await fs.create(path.join(root, 'created'))).close();
  await (await fs.openWritable(path.join(root, 'opened'))).close();
  await fs.writeAtomic(path.join(root, 'atomic'), Buffer.from('x'));
  const [together] = await fs.createTogether([path.join(root, 'together')]);
  await together?.close();
  t.is(await modeOf(path.join(root, 'a')), 0o700);
  t.is(await modeOf(path.join(root, 'a/b')), 0o700);
  for (const name of ['created', 'opened', 'atomic', 'together']) {
    t.is(await modeOf(path.join(root, name)), 0o600, name);
  }
});

test.serial('a mode that is asked for is given', async (t) => {
  const root = await temporaryDirectory(t);
  await (await fs.create(path.join(root, 'created'), 0o400)).close();
  await fs.writeAtomic(path.join(root, 'atomic'), Buffer.from('x'), 0o640);
  t.is(await modeOf(path.join(root, 'created')), 0o400);
  t.is(await modeOf(path.join(root, 'atomic')), 0o640);
});

test.serial('no descriptor stays open, whether an operation succeeds or fails', async (t) => {
  const root = await temporaryDirectory(t);
  const at = (name: string): string => path.join(root, name);
  await (await fs.create(at('taken'))).close();
  const before = await openDescriptors();
  await rejectsWith(t, 'storage/io', () => fs.createTogether([at('a'), at('b'), at('taken')]));
  await rejectsWith(t, 'storage/io', () => fs.create(at('taken')));
  await rejectsWith(t, 'storage/limit', async () => {
    await fs.writeAtomic(at('long'), Buffer.alloc(10));
    await fs.readFile(at('long'), 9);
  });
  await fs.makeDirectory(at('c/d'));
  await rejectsWith(t, 'storage/io', () => fs.writeAtomic(at('c'), Buffer.alloc(1)));
  await fs.readFile(at('long'), 10);
  await fs.rename(at('long'), at('c/d/long'));
  t.is(await openDescriptors(), before);
});

test.serial('a full device is storage/disk-full, with the system error as its cause', async (t) => {
  const file = await fs.openWritable('/dev/full');
  const error = await rejectsWith(t, 'storage/disk-full', () => file.append([Buffer.alloc(1)]));
  await rejectsWith(t, 'storage/disk-full', () => file.writeAt(Buffer.alloc(1), 0));
  t.is((error.cause as NodeJS.ErrnoException).code, 'ENOSPC');
  t.is(error.kind, 'resource-exhausted');
  await file.close();
});

test.serial('reading a directory as a file is storage/io', async (t) => {
  const root = await temporaryDirectory(t);
  const file = await fs.openReadable(root);
  await rejectsWith(t, 'storage/io', () => file.readInto(Buffer.alloc(1), 0, 1, 0));
  await file.close();
});

import { randomBytes } from 'node:crypto';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import type { FileSystem } from '../../src/hal/ports/file-system.js';
import { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import { rejectsWith } from '../support/reject-code.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** A file system and a directory on it that exists and is empty. */
type Subject = (t: ExecutionContext) => Promise<{ fs: FileSystem; root: string }>;

const subjects: Readonly<Record<string, Subject>> = {
  NodeFileSystem: async (t) => ({ fs: new NodeFileSystem(), root: await temporaryDirectory(t) }),
  SimFileSystem: async () => {
    const fs = new SimFileSystem();
    await fs.makeDirectory('/card');
    return { fs, root: '/card' };
  },
};

const SMALL_MAX = 1_000_000;

async function write(fs: FileSystem, file: string, text: string): Promise<void> {
  const writable = await fs.create(file);
  await writable.append([Buffer.from(text)]);
  await writable.sync();
  await writable.close();
}

const read = async (fs: FileSystem, file: string): Promise<string> =>
  (await fs.readFile(file, SMALL_MAX)).toString();

for (const [name, open] of Object.entries(subjects)) {
  const behaviour = (
    title: string,
    body: (t: ExecutionContext, fs: FileSystem, at: (name: string) => string) => Promise<void>,
  ): void => {
    test(`${name}: ${title}`, async (t) => {
      const { fs, root } = await open(t);
      await body(t, fs, (relative) => path.join(root, relative));
    });
  };

  behaviour(
    'a file holds all parts of all appends in the order of the calls',
    async (t, fs, at) => {
      const file = await fs.create(at('a'));
      const parts = Array.from({ length: 3000 }, (_, n) => randomBytes(n % 7));
      // Nobody waits in between: the calls overlap, and 2,000 parts are more than one writev takes.
      await Promise.all([
        file.append(parts.slice(0, 2000)),
        file.append([]),
        file.append(parts.slice(2000)),
        file.sync(),
        file.close(),
      ]);
      t.deepEqual(await fs.readFile(at('a'), SMALL_MAX), Buffer.concat(parts));
    },
  );

  behaviour('an append may reuse its parts once it has resolved', async (t, fs, at) => {
    const file = await fs.create(at('a'));
    const part = Buffer.from('first ');
    await file.append([part]);
    part.write('second');
    await file.append([part]);
    await file.close();
    t.is(await read(fs, at('a')), 'first second');
  });

  behaviour(
    'a write at an offset grows the file and fills the gap with zeros',
    async (t, fs, at) => {
      const file = await fs.create(at('a'));
      await file.writeAt(Buffer.from('end'), 5);
      await file.writeAt(Buffer.from('st'), 0);
      await file.close();
      t.is(await read(fs, at('a')), 'st\0\0\0end');
    },
  );

  behaviour('an append goes to the end, also after a write at an offset', async (t, fs, at) => {
    const file = await fs.create(at('a'));
    await file.append([Buffer.from('abc')]);
    await file.writeAt(Buffer.from('X'), 0);
    await file.writeAt(Buffer.from('YZ'), 4);
    await file.append([Buffer.from('!')]);
    await file.close();
    t.is(await read(fs, at('a')), 'Xbc\0YZ!');
  });

  behaviour('openWritable keeps the content and appends behind it', async (t, fs, at) => {
    await write(fs, at('a'), 'old ');
    const file = await fs.openWritable(at('a'));
    await file.append([Buffer.from('new')]);
    await file.close();
    t.is(await read(fs, at('a')), 'old new');
  });

  behaviour('openWritable makes a file that is missing', async (t, fs, at) => {
    const file = await fs.openWritable(at('a'));
    await file.append([Buffer.from('new')]);
    await file.close();
    t.is(await read(fs, at('a')), 'new');
    await rejectsWith(t, 'storage/not-found', () => fs.openWritable(at('missing/a')));
    await fs.makeDirectory(at('b'));
    await rejectsWith(t, 'storage/io', () => fs.openWritable(at('b')));
  });

  behaviour('a file that is closed takes no more', async (t, fs, at) => {
    const file = await fs.create(at('a'));
    await file.close();
    await rejectsWith(t, 'storage/io', () => file.append([Buffer.from('late')]));
    await rejectsWith(t, 'storage/io', () => file.sync());
    t.is(await fs.size(at('a')), 0);
  });

  behaviour('create never touches a file that exists', async (t, fs, at) => {
    await write(fs, at('a'), 'evidence');
    await rejectsWith(t, 'storage/io', () => fs.create(at('a')));
    t.is(await read(fs, at('a')), 'evidence');
    await rejectsWith(t, 'storage/not-found', () => fs.create(at('missing/a')));
  });

  behaviour('createTogether gives the files in the order asked', async (t, fs, at) => {
    const files = await fs.createTogether([at('b'), at('a')]);
    await Promise.all(files.map((file, n) => file.append([Buffer.from(`file ${n}`)])));
    await Promise.all(files.map((file) => file.close()));
    t.is(await read(fs, at('b')), 'file 0');
    t.is(await read(fs, at('a')), 'file 1');
    t.deepEqual(await fs.createTogether([]), []);
  });

  behaviour('createTogether rejects when one of the names is taken', async (t, fs, at) => {
    await write(fs, at('b'), 'evidence');
    await rejectsWith(t, 'storage/io', () => fs.createTogether([at('a'), at('b')]));
    t.is(await read(fs, at('b')), 'evidence');
    await rejectsWith(t, 'storage/not-found', () => fs.createTogether([at('missing/a')]));
  });

  behaviour(
    'readInto fills the target at its offset and says how much there was',
    async (t, fs, at) => {
      await write(fs, at('a'), '0123456789');
      const file = await fs.openReadable(at('a'));
      t.is(file.size, 10);
      const target = Buffer.alloc(8, '-');
      t.is(await file.readInto(target, 2, 4, 3), 4);
      t.is(target.toString(), '--3456--');
      t.is(await file.readInto(target, 0, 8, 7), 3);
      t.is(target.subarray(0, 3).toString(), '789');
      t.is(await file.readInto(target, 0, 8, 10), 0);
      t.is(await file.readInto(target, 0, 8, 99), 0);
      await file.close();
    },
  );

  behaviour('a missing file is storage/not-found for every way of reading', async (t, fs, at) => {
    await rejectsWith(t, 'storage/not-found', () => fs.openReadable(at('a')));
    await rejectsWith(t, 'storage/not-found', () => fs.readFile(at('a'), SMALL_MAX));
    await rejectsWith(t, 'storage/not-found', () => fs.size(at('a')));
    await rejectsWith(t, 'storage/not-found', () => fs.freeBytes(at('a')));
    await rejectsWith(t, 'storage/not-found', () => fs.rename(at('a'), at('b')));
    await write(fs, at('file'), 'x');
    await rejectsWith(t, 'storage/not-found', () => fs.openReadable(at('file/below')));
    t.false(await fs.exists(at('a')));
    t.false(await fs.exists(at('file/below')), 'nothing exists below a file');
  });

  behaviour('readFile takes exactly its limit and refuses one byte more', async (t, fs, at) => {
    await write(fs, at('a'), '12345');
    t.is((await fs.readFile(at('a'), 5)).toString(), '12345');
    const error = await rejectsWith(t, 'storage/limit', () => fs.readFile(at('a'), 4));
    t.regex(error.message, /more than 4 bytes/);
  });

  behaviour('writeAtomic makes a file and replaces it as a whole', async (t, fs, at) => {
    await fs.writeAtomic(at('a'), Buffer.from('a longer first text'));
    await fs.writeAtomic(at('a'), Buffer.from('second'));
    t.is(await read(fs, at('a')), 'second');
    t.deepEqual(
      (await fs.list(at(''))).map((entry) => entry.name),
      ['a'],
      'no temporary file is left',
    );
    await rejectsWith(t, 'storage/not-found', () =>
      fs.writeAtomic(at('missing/a'), Buffer.alloc(1)),
    );
  });

  behaviour('writeAtomic gets over what a cut one has left', async (t, fs, at) => {
    await write(fs, at('a.tmp'), 'half of something longer');
    await fs.writeAtomic(at('a'), Buffer.from('whole'));
    t.is(await read(fs, at('a')), 'whole');
    t.false(await fs.exists(at('a.tmp')));
  });

  behaviour(
    'rename moves a file to another directory and replaces what is there',
    async (t, fs, at) => {
      await fs.makeDirectory(at('d'));
      await write(fs, at('a'), 'moved');
      await write(fs, at('d/b'), 'replaced');
      await fs.rename(at('a'), at('d/b'));
      t.is(await read(fs, at('d/b')), 'moved');
      t.false(await fs.exists(at('a')));
      await rejectsWith(t, 'storage/not-found', () => fs.rename(at('d/b'), at('missing/b')));
      t.is(await read(fs, at('d/b')), 'moved');
    },
  );

  behaviour('rename moves a directory with everything in it', async (t, fs, at) => {
    await fs.makeDirectory(at('d/e'));
    await write(fs, at('d/e/a'), 'inside');
    await fs.rename(at('d'), at('f'));
    t.is(await read(fs, at('f/e/a')), 'inside');
    t.deepEqual(await fs.list(at('')), [{ name: 'f', isDirectory: true }]);
  });

  behaviour('rename to its own name changes nothing', async (t, fs, at) => {
    await write(fs, at('a'), 'here');
    await fs.rename(at('a'), at('a'));
    t.is(await read(fs, at('a')), 'here');
  });

  behaviour(
    'makeDirectory makes all parents and does not mind what is there',
    async (t, fs, at) => {
      await fs.makeDirectory(at('a/b/c'));
      await fs.makeDirectory(at('a/b'));
      t.deepEqual(await fs.list(at('a/b')), [{ name: 'c', isDirectory: true }]);
      await write(fs, at('file'), 'x');
      await rejectsWith(t, 'storage/io', () => fs.makeDirectory(at('file')));
      await rejectsWith(t, 'storage/not-found', () => fs.makeDirectory(at('file/below')));
    },
  );

  behaviour(
    'list gives files and directories in name order, nothing for a missing one',
    async (t, fs, at) => {
      await write(fs, at('b'), '');
      await write(fs, at('10'), '');
      await write(fs, at('9'), '');
      await fs.makeDirectory(at('a'));
      t.deepEqual(await fs.list(at('')), [
        { name: '10', isDirectory: false },
        { name: '9', isDirectory: false },
        { name: 'a', isDirectory: true },
        { name: 'b', isDirectory: false },
      ]);
      t.deepEqual(await fs.list(at('missing')), []);
      await rejectsWith(t, 'storage/not-found', () => fs.list(at('b')));
    },
  );

  behaviour('exists and size tell of files and directories', async (t, fs, at) => {
    await fs.makeDirectory(at('d'));
    await write(fs, at('a'), 'four');
    t.true(await fs.exists(at('a')));
    t.true(await fs.exists(at('d')));
    t.is(await fs.size(at('a')), 4);
  });

  behaviour('there is free space', async (t, fs, at) => {
    t.true((await fs.freeBytes(at(''))) > 0);
  });
}

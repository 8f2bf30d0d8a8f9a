import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';

/**
 * What may delete, and why nothing else can: lint forbids the port that deletes to every file but these, and this test
 * reads the sources as text, so that neither a switched-off rule nor a call of the system behind the port goes unseen.
 */

/** May name the port: the one that uses it, its adapters, and who hands it out. */
const NAME_THE_PORT = [
  'src/hal/linux/node-file-remover.ts',
  'src/hal/machine.ts',
  'src/hal/ports/file-remover.ts',
  'src/hal/sim/sim-file-system.ts',
  'src/storage/deletion.ts',
];

/** May call what removes, empties or cuts a file, and of what. */
const CALL_THE_SYSTEM: Readonly<Record<string, string>> = {
  'src/hal/linux/node-file-remover.ts': 'the adapter of the port',
  'src/cli/card-snapshot.ts': 'its copy of the database of a card, in a directory of its own',
  'src/cli/control-socket.ts': 'a socket that nobody answers at',
  'src/cli/doctor-recording.ts': 'the scratch directory of a trial recording',
  'src/cli/export-package.ts': 'the directory in which an export is put together, when it fails',
  'src/cli/verify-card.ts': 'its copy of the database of a card, in a directory of its own',
};

/** Not a method of that name: those are on disks that exist in memory only. */
const REMOVES = /(?<![#.\w])(?:unlink|unlinkSync|rm|rmSync|rmdir|rmdirSync|truncate|ftruncate)\(/;

async function sources(): Promise<readonly (readonly [string, string])[]> {
  const names = await readdir('src', { recursive: true });
  const files = names.filter((name) => name.endsWith('.ts')).map((name) => path.join('src', name));
  return Promise.all(files.map(async (file) => [file, await readFile(file, 'utf8')] as const));
}

test('only the file that checks receipts uses the port that deletes', async (t) => {
  const all = await sources();
  const named = all.filter(([, text]) => /file-remover\.js|FileRemover/.test(text));
  t.deepEqual(named.map(([file]) => file).sort(), NAME_THE_PORT);
  const used = all.filter(([, text]) => text.includes('.removeFiles('));
  t.deepEqual(
    used.map(([file]) => file),
    ['src/storage/deletion.ts'],
  );
});

test('no other source calls what removes, empties or cuts a file', async (t) => {
  const callers = (await sources()).filter(([, text]) => REMOVES.test(text));
  t.deepEqual(callers.map(([file]) => file).sort(), Object.keys(CALL_THE_SYSTEM).sort());
});

test('no source opens evidence in a way that empties it, but to write it anew under a temporary name', async (t) => {
  const opened = (await sources()).filter(([, text]) => /open\([^)]*'w'/.test(text));
  t.deepEqual(
    opened.map(([file]) => file),
    ['src/hal/linux/node-file-system.ts'],
  );
});

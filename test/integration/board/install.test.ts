import { spawn } from 'node:child_process';
import {
  chmod,
  cp,
  lstat,
  mkdir,
  readFile,
  readdir,
  readlink,
  rm,
  symlink,
  writeFile,
} from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { sha256 } from '../../../src/evidence/merkle-tree.js';
import { runTool } from '../../support/process.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** The scale of systemd-analyze goes from 0 to 10, 5 is called medium; the unit has 2.4 with systemd 252. */
const EXPOSURE_MAX = 3;
const SHIPPED = ['package.json', 'LICENSE', 'board'];
const PROGRAM = 'build/src/main.js';

/** A checkout that is quick to copy: one package of each kind, and a program of one line. */
async function smallCheckout(directory: string): Promise<string> {
  const checkout = path.join(directory, 'checkout');
  for (const name of SHIPPED) {
    await cp(name, path.join(checkout, name), { recursive: true });
  }
  const lock = {
    packages: { '': {}, 'node_modules/used': {}, 'node_modules/tool': { dev: true } },
  };
  await writeFile(path.join(checkout, 'package-lock.json'), JSON.stringify(lock));
  for (const name of ['used', 'tool']) {
    await mkdir(path.join(checkout, 'node_modules', name), { recursive: true });
    await writeFile(path.join(checkout, 'node_modules', name, 'index.js'), '');
  }
  const board = await readFile('board/sim.json', 'utf8');
  const source = board.replaceAll('${footage}', '');
  await writeFile(path.join(checkout, 'board/trial.json'), source);
  await mkdir(path.join(checkout, 'build/src'), { recursive: true });
  await writeFile(path.join(checkout, PROGRAM), '// first\n');
  return checkout;
}

/** A machine with a user database and nothing else, and a checkout to install there. */
async function machine(t: ExecutionContext) {
  const directory = await temporaryDirectory(t);
  const root = path.join(directory, 'root');
  await mkdir(path.join(root, 'etc'), { recursive: true });
  await writeFile(path.join(root, 'etc/group'), 'video:x:44:\ngpio:x:997:\nusers:x:100:\n');
  const checkout = await smallCheckout(directory);
  const install = async (...args: readonly string[]): Promise<string> => {
    const tool = path.join(checkout, 'board/install.sh');
    const { status, stdout, stderr } = await runTool(tool, [...args, '--root', root]);
    t.is(status, 0, stderr);
    t.is(stdout, '');
    return stderr;
  };
  const inRoot = (name: string): string => path.join(root, name);
  return { directory, root, checkout, install, inRoot };
}

/** Every file below a directory with kind, mode, time of change and bytes. */
async function inventory(directory: string): Promise<readonly string[]> {
  const rows: string[] = [];
  for (const name of (await readdir(directory, { recursive: true })).sort()) {
    const file = path.join(directory, name);
    const stat = await lstat(file);
    let content = '';
    if (stat.isSymbolicLink()) content = await readlink(file);
    else if (stat.isFile()) content = sha256(await readFile(file)).toString('hex');
    rows.push([name, stat.mode.toString(8), stat.mtimeMs, stat.ino, content].join(' '));
  }
  return rows;
}

/** Evidence and a key as a camera leaves them. */
async function leaveEvidence(data: string): Promise<void> {
  await mkdir(path.join(data, 'card/recordings/1'), { recursive: true });
  await mkdir(path.join(data, 'internal'), { mode: 0o700 });
  await writeFile(path.join(data, 'card/recordings/1/0.age'), Buffer.from([0, 255, 1]));
  await chmod(path.join(data, 'card/recordings/1/0.age'), 0o440);
  await writeFile(path.join(data, 'internal/device.key'), 'key', { mode: 0o600 });
}

test('installing, upgrading, rolling back and uninstalling leave evidence as it is', async (t) => {
  const { checkout, install, inRoot } = await machine(t);
  const data = inRoot('var/lib/lapel');
  const home = inRoot('opt/lapel');
  t.regex(await install('--board', 'trial'), /next, the keys: .*keys init/);
  t.is((await lstat(data)).mode & 0o777, 0o700);
  await leaveEvidence(data);
  const evidence = await inventory(data);
  const first = await readlink(path.join(home, 'current'));

  await writeFile(path.join(checkout, PROGRAM), '// second\n');
  const told = await install('--board', 'trial');
  const second = await readlink(path.join(home, 'current'));
  t.not(second, first);
  t.is(await readFile(path.join(home, 'current', PROGRAM), 'utf8'), '// second\n');
  t.is(await readlink(path.join(home, 'previous')), first);
  t.deepEqual(await inventory(data), evidence);

  const [, command = ''] = /to roll back: (ln \S+ \S+ \S+) &&/.exec(told) ?? [];
  const [tool = '', flag = '', target = '', link = ''] = command.split(' ');
  await runTool(tool, [flag, target, inRoot(link)]);
  t.is(await readFile(path.join(home, 'current', PROGRAM), 'utf8'), '// first\n');

  t.regex(await install('--uninstall'), /evidence and keys stay in \S+\/var\/lib\/lapel,/);
  t.deepEqual(await inventory(data), evidence);
  await t.throwsAsync(lstat(home), { code: 'ENOENT' });
  for (const name of ['systemd/system', 'udev/rules.d', 'modules-load.d']) {
    t.deepEqual(await readdir(inRoot(`etc/${name}`)), []);
  }
});

test('a second run of install or uninstall changes nothing', async (t) => {
  const { root, install } = await machine(t);
  await install('--board', 'trial');
  const before = await inventory(root);
  await install('--board', 'trial');
  t.deepEqual(await inventory(root), before);
  await install('--uninstall');
  const without = await inventory(root);
  await install('--uninstall');
  t.deepEqual(await inventory(root), without);
});

test('the version before the previous one goes, unless it is in use', async (t) => {
  const { checkout, install, inRoot } = await machine(t);
  const versions = async (): Promise<number> =>
    (await readdir(inRoot('opt/lapel'))).filter((name) => /^\d/.test(name)).length;
  for (const [index, count] of [1, 2, 2, 2].entries()) {
    await writeFile(path.join(checkout, PROGRAM), `// ${index}\n`);
    await install('--board', 'trial');
    t.is(await versions(), count);
  }
  const running = spawn('sleep', ['1000'], { cwd: inRoot('opt/lapel/previous'), stdio: 'ignore' });
  t.teardown(() => running.kill());
  await writeFile(path.join(checkout, PROGRAM), '// newest\n');
  t.regex(await install('--board', 'trial'), /is in use and stays/);
  t.is(await versions(), 3);
});

test('what is copied has no development packages and nobody else can change it', async (t) => {
  const { install, inRoot } = await machine(t);
  await install('--board', 'trial');
  const current = inRoot('opt/lapel/current/');
  t.deepEqual(await readdir(path.join(current, 'node_modules')), ['used']);
  for (const name of await readdir(current, { recursive: true })) {
    t.is((await lstat(path.join(current, name))).mode & 0o022, 0, name);
  }
});

test('a copy that a power cut has left is replaced by a whole one', async (t) => {
  const { install, inRoot } = await machine(t);
  await mkdir(inRoot('opt/lapel/.incoming/build/src'), { recursive: true });
  await writeFile(inRoot('opt/lapel/.incoming/build/src/stale.js'), '');
  await install('--board', 'trial');
  t.deepEqual(await readdir(inRoot('opt/lapel/current/build/src')), ['main.js']);
  t.false((await readdir(inRoot('opt/lapel'))).includes('.incoming'));
});

test('a checkout without one of its packages is not installed', async (t) => {
  const { root, checkout, inRoot } = await machine(t);
  await rm(path.join(checkout, 'node_modules/used'), { recursive: true });
  const tool = path.join(checkout, 'board/install.sh');
  const { status, stderr } = await runTool(tool, ['--root', root, '--board', 'trial']);
  t.is(status, 1);
  t.regex(stderr, /run board\/setup\.sh first\n$/);
  await t.throwsAsync(lstat(inRoot('opt/lapel/current')), { code: 'ENOENT' });
});

test('files of others in the directory of the program survive an uninstall', async (t) => {
  const { install, inRoot } = await machine(t);
  await install('--board', 'trial');
  await writeFile(inRoot('opt/lapel/notes'), 'mine');
  t.regex(await install('--uninstall'), /holds other things and stays/);
  t.deepEqual(await readdir(inRoot('opt/lapel')), ['notes']);
});

test('directories that make no sense or do harm are refused before anything is made', async (t) => {
  const { root, checkout } = await machine(t);
  const before = await inventory(root);
  for (const words of [
    [],
    ['--board', 'none'],
    ['--board', '../board/trial'],
    ['--board', 'trial', '--data', '/opt/lapel/data'],
    ['--board', 'trial', '--prefix', '/var/lib/lapel/program'],
    ['--board', 'trial', '--data', '/home/lapel'],
    ['--board', 'trial', '--data', 'lapel'],
    ['--board', 'trial', '--data', '/var/lib/../lapel'],
    ['--board', 'trial', '--prefix', '/opt/a b'],
    ['--board', 'trial', '--user', 'root;'],
    ['--board', 'trial', '--data'],
    ['--bord', 'trial'],
  ]) {
    const tool = path.join(checkout, 'board/install.sh');
    const { status, stderr } = await runTool(tool, ['--root', root, ...words]);
    t.is(status, 1, words.join(' '));
    t.regex(stderr, /^install: [^\n]+\n$/, words.join(' '));
  }
  t.deepEqual(await inventory(root), before);
});

test('the unit is one that systemd takes without a word and finds well shut', async (t) => {
  const { install, inRoot } = await machine(t);
  const words = ['--prefix', '/srv/lapel', '--data', '/srv/evidence', '--user', 'camera'];
  await install('--board', 'trial', ...words);
  const unit = inRoot('etc/systemd/system/lapel.service');
  const text = await readFile(unit, 'utf8');
  t.notRegex(text.replaceAll(/^#.*$/gm, ''), /@[A-Z]+@/);
  t.regex(text, /^ExecStart=\/\S+ \/srv\/lapel\/current\/build\/src\/main\.js run --board trial/m);
  t.regex(text, /^ReadWritePaths=\/srv\/evidence$/m);
  t.regex(text, /^User=camera$/m);
  // Of the groups of the parts those that this machine has: systemd starts nothing with an unknown one.
  t.regex(text, /^SupplementaryGroups=video gpio$/m);

  const verdict = await runTool('systemd-analyze', ['verify', '--man=no', unit]);
  t.deepEqual(verdict, { status: 0, signal: null, stdout: '', stderr: '' });
  const judged = await runTool('systemd-analyze', [
    'security',
    '--offline=true',
    '--no-pager',
    unit,
  ]);
  const [, exposure] = /exposure level for lapel\.service: ([\d.]+)/.exec(judged.stdout) ?? [];
  t.log(`exposure ${exposure}`);
  t.true(Number(exposure) < EXPOSURE_MAX, judged.stdout);
});

test('the program runs from where it is installed, without its development packages', async (t) => {
  const { checkout, install, inRoot } = await machine(t);
  await cp('build/src', path.join(checkout, 'build/src'), { recursive: true });
  await cp('package-lock.json', path.join(checkout, 'package-lock.json'));
  await rm(path.join(checkout, 'node_modules'), { recursive: true });
  await symlink(path.resolve('node_modules'), path.join(checkout, 'node_modules'));
  await install('--board', 'trial');
  const main = inRoot(`opt/lapel/current/${PROGRAM}`);
  const help = await runTool(process.execPath, [main, 'help']);
  t.is(help.status, 0, help.stderr);
  const data = inRoot('var/lib/lapel');
  const run = await runTool(process.execPath, [main, 'doctor', '--board', 'none', '--data', data]);
  t.regex(run.stderr, /board\/not-found/);
});

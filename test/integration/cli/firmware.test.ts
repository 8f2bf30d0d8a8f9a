import { createHash } from 'node:crypto';
import { mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { firmwareDigest } from '../../../src/cli/firmware.js';
import { runTool } from '../../support/process.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

test('the firmware digest is what sha256sum says of the program, whatever lies beside it', async (t) => {
  const root = await temporaryDirectory(t);
  const at = (...names: readonly string[]): string => path.join(root, ...names);
  await mkdir(at('build', 'src', 'cli'), { recursive: true });
  await writeFile(at('build', 'src', 'main.js'), 'main');
  await writeFile(at('build', 'src', 'cli', 'run.js'), 'run');
  await writeFile(at('package-lock.json'), '{}');
  const before = await firmwareDigest(root);
  const names = '{ find build/src -name "*.js"; echo package-lock.json; } | LC_ALL=C sort';
  const { stdout } = await runTool('bash', ['-c', `cd ${root}; ${names} | xargs sha256sum`]);
  t.is(stdout.split('\n').length - 1, 3);
  t.is(before, createHash('sha256').update(stdout).digest('hex'));
  await writeFile(at('build', 'src', 'main.js.map'), 'map');
  t.is(await firmwareDigest(root), before);
  await writeFile(at('build', 'src', 'main.js'), 'changed');
  t.not(await firmwareDigest(root), before);
});

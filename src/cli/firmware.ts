import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { sha256 } from '../evidence/merkle-tree.js';
import { installRoot } from './paths.js';

/**
 * Hex SHA-256 that names the program that runs: over the name and digest of every compiled file and the lockfile,
 * `<sha256>  <path>` lines in path order, as `sha256sum` prints them.
 */
export async function firmwareDigest(root = installRoot()): Promise<string> {
  const source = path.join(root, 'build', 'src');
  const names = (await readdir(source, { recursive: true }))
    .filter((name) => name.endsWith('.js'))
    .map((name) => path.join('build', 'src', name));
  const lines: string[] = [];
  for (const name of [...names, 'package-lock.json'].sort()) {
    lines.push(`${sha256(await readFile(path.join(root, name))).toString('hex')}  ${name}\n`);
  }
  return sha256(Buffer.from(lines.join(''))).toString('hex');
}

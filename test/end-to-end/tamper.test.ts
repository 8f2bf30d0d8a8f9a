import { readFile, readdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { verifyPaths } from '../../src/cli/verify.js';
import { parseTrust } from '../../src/evidence/trust.js';
import type { Problem } from '../../src/evidence/verdict.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import type { DemoResult } from '../support/demo-result.js';
import { runLapel, runLapelJson } from '../support/process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const POSITIONS = 200;

/** Mulberry32: small, seeded, so that a failure can be repeated. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

test('a flip of any single bit of any stored file is found, with file, leaf and second', async (t) => {
  t.timeout(400_000);
  const dir = await temporaryDirectory(t);
  const { result } = await runLapelJson<DemoResult>('demo', '--dir', dir, '--seconds', '3');
  const trust = parseTrust(await readFile(result.trust, 'utf8'));
  const verify = (): ReturnType<typeof verifyPaths> =>
    verifyPaths(new NodeFileSystem(), [result.recording], trust);
  t.is((await verify()).state, 'ok');

  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 31);
  t.log(`SEED=${seed}`);
  const random = randomFrom(seed);
  // Every kind of file gets its share: by bytes alone nearly all positions would lie in the ciphertext.
  const names = (await readdir(result.recording)).filter((name) =>
    /^\d+\.(age|leaves|heads|dsse|meta\.age)$/.test(name),
  );
  for (let n = 0; n < POSITIONS; n += 1) {
    const name = names[n % names.length] ?? '';
    const file = path.join(result.recording, name);
    const bytes = await readFile(file);
    const at = Math.floor(random() * bytes.length);
    const flipped = Buffer.from(bytes);
    flipped[at] = (bytes[at] ?? 0) ^ (1 << Math.floor(random() * 8));
    await writeFile(file, flipped);
    const report = await verify();
    const where = `${name} byte ${at} (SEED=${seed})`;
    t.is(report.state, 'not-ok', where);
    const problems = report.segments.flatMap((segment) => segment.problems);
    const named = problems.find((problem) => problem.file.endsWith(`/${name}`));
    t.truthy(named, `${where} is named`);
    if (/\d\.(age|leaves)$/.test(name)) checkPlace(t, named, name, at, where);
    await writeFile(file, bytes);
  }
  t.is((await verify()).state, 'ok');
});

function checkPlace(
  t: { is(a: unknown, b: unknown, text?: string): boolean; regex(a: string, b: RegExp): boolean },
  problem: Problem | undefined,
  name: string,
  at: number,
  where: string,
): void {
  t.is(problem?.leaf, problem?.lastLeaf, where);
  if (name.endsWith('.leaves')) t.is(problem?.leaf, Math.floor(at / 32), where);
  t.is(typeof problem?.second, 'number', where);
  t.regex(problem?.message ?? '', /leaf \d+/);
}

test('lapel verify ends with 1 for a changed copy and says where, in one line a segment', async (t) => {
  t.timeout(400_000);
  const dir = await temporaryDirectory(t);
  const { result } = await runLapelJson<DemoResult>('demo', '--dir', dir, '--seconds', '3');
  const file = path.join(result.recording, '1.age');
  const bytes = await readFile(file);
  const at = Math.floor(bytes.length / 2);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  await writeFile(file, bytes);
  const { status, stdout } = await runLapel('verify', result.store, '--trust', result.trust);
  t.is(status, 1);
  t.regex(stdout, /1\/1\/1\.age was changed in leaf \d+, second \d+/);
  t.regex(stdout, /^ok +lapel-demo 1\/1\/0$/m);
});

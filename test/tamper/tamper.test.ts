import path from 'node:path';
import anyTest from 'ava';
import type { TestFn } from 'ava';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { makeGround } from './ground.js';
import type { Ground } from './ground.js';
import { problemsOf, tamperKinds, tryTamper, verifyGround } from './try.js';

// Every kind once with a seed of its own; `npm run tamper` tries each many times and prints the table.

const test = anyTest as TestFn<{ ground: Ground; seed: number }>;

test('each way to spoil evidence is found under its right name', async (t) => {
  t.timeout(400_000);
  const ground = await makeGround(await temporaryDirectory(t));
  for (const place of ['card', 'old-card', 'other-card', 'store/cam-1', 'other-store/cam-2']) {
    const report = await verifyGround(ground, path.join(ground.root, place));
    t.is(report.state, 'ok', `${place}: ${problemsOf(report)[0]?.message ?? ''}`);
  }
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  t.log(`SEED=${seed}`);
  t.true(tamperKinds.length >= 25);
  t.is(new Set(tamperKinds.map(({ name }) => name)).size, tamperKinds.length);
  for (const [index, kind] of tamperKinds.entries()) {
    const { fault } = await tryTamper(ground, kind, seed + index);
    t.is(fault, undefined, `${kind.name} (SEED=${seed})`);
  }
});

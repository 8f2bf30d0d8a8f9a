import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { makeGround } from './ground.js';
import { tamperKinds, tryTamper, verifyGround } from './try.js';

// `npm run tamper [-- TRIES [SEED]]`: spoils sealed evidence in every way there is, some random tries each on a fresh copy,
// and holds what `lapel verify` says against the name that the change has. Ends with 1 when one was missed or misnamed.

const TRIES = 10;
const tries = Number(process.argv[2] ?? TRIES);
const seed = Number(process.argv[3] ?? Date.now() % 1_000_000);
const write = (line: string): void => void process.stdout.write(`${line}\n`);

const root = await mkdtemp(path.join(tmpdir(), 'lapel-tamper-'));
let bad = 0;
try {
  const ground = await makeGround(root);
  for (const untouched of ['card', 'store/cam-1']) {
    const { state } = await verifyGround(ground, path.join(root, untouched));
    if (state !== 'ok') throw new Error(`${untouched} is ${state} before anything was done to it`);
  }
  write(`${tamperKinds.length} kinds, ${tries} tries each, seed ${seed}; untouched evidence is ok`);
  write('| what was done | where | answer | found by its name | for example |');
  write('| --- | --- | --- | --- | --- |');
  for (const [index, kind] of tamperKinds.entries()) {
    const faults: string[] = [];
    let said = '';
    for (let n = 0; n < tries; n += 1) {
      const tried = await tryTamper(ground, kind, seed + index * 1000 + n);
      said = tried.said;
      if (tried.fault !== undefined) faults.push(`seed ${seed + index * 1000 + n}: ${tried.fault}`);
    }
    bad += faults.length;
    const found = `${tries - faults.length} of ${tries}`;
    const example = faults.length > 0 ? faults.join('; ') : said.replaceAll('|', '/');
    write(`| ${kind.name} | ${kind.on} | ${kind.state} | ${found} | ${example} |`);
  }
  write(bad === 0 ? 'all were found' : `${bad} were missed or had another name`);
} finally {
  await rm(root, { recursive: true, force: true });
}
process.exitCode = bad === 0 ? 0 : 1;

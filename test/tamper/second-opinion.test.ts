import test from 'ava';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { makeGround } from './ground.js';
import { compare } from './second-opinion.js';

// test/vectors/verify.py was written from the description of the formats alone. STORES=200 asks it about two hundred.

const STORES = 15;

test('a verifier of another hand says of good and bad stores what lapel verify says, finding for finding', async (t) => {
  const count = Number(process.env['STORES'] ?? STORES);
  t.timeout(60_000 + count * 10_000);
  const seed = Number(process.env['SEED'] ?? Date.now() % 1_000_000);
  t.log(`SEED=${seed}, ${count} stores`);
  const ground = await makeGround(await temporaryDirectory(t));
  const comparisons = await compare(ground, seed, count);
  t.is(comparisons.length, count);
  for (const { name, ours, theirs } of comparisons) {
    t.deepEqual(theirs, ours, `${name} (SEED=${seed})`);
  }
  const states = comparisons.map(({ ours }) => ours.state);
  t.log(
    ['ok', 'ok-with-missing', 'not-feasible', 'not-ok']
      .map((state) => `${state} ${states.filter((one) => one === state).length}`)
      .join(', '),
  );
});

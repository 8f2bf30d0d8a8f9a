import { readFile } from 'node:fs/promises';
import test from 'ava';
import { verifyPaths } from '../../src/cli/verify.js';
import { parseTrust } from '../../src/evidence/trust.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { problemsOf } from './try.js';
import { secondOpinions } from './second-opinion.js';

// test/vectors/card-v1: a card of two recordings as the first version wrote it, with what fits it. It is never made anew:
// what this version and every later one say of it must stay.

const ROOT = 'test/vectors/card-v1';
const CARD = `${ROOT}/card`;
const LOG_ROOT = '9324e1e7de683bc8a43e8f3aa5a76752e6cef763d12d5c3be2c19b3dde1a2963';

test('a card of the first version is ok for lapel verify, under a checkpoint kept elsewhere', async (t) => {
  const trust = parseTrust(await readFile(`${ROOT}/trust.json`, 'utf8'));
  const note = await readFile(`${ROOT}/kept.note`, 'utf8');
  const checkpoints = [{ name: 'kept.note', note }];
  const report = await verifyPaths(new NodeFileSystem(), [CARD], trust, { checkpoints });
  t.deepEqual(problemsOf(report), []);
  t.is(report.state, 'ok');
  t.deepEqual(
    report.segments.map(({ ref: { boot, rec, seq } }) => `${boot}/${rec}/${seq}`),
    ['1/1/0', '1/1/1', '1/2/0'],
  );
  t.deepEqual(report.roots[0]?.log, { entries: 10, root: LOG_ROOT, vouched: 10 });
});

test('and for the verifier in Python, which also finds with age what the manifests commit to', async (t) => {
  const more = ['--identity', `${ROOT}/identity.txt`, '--checkpoint', `${ROOT}/kept.note`];
  const opinions = await secondOpinions(`${ROOT}/trust.json`, [CARD], more);
  t.deepEqual(opinions.get(CARD), {
    state: 'ok',
    segments: ['1/1/0 ok', '1/1/1 ok', '1/2/0 ok'],
    problems: [],
  });
});

import { mkdir, readFile, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { run as runVerify } from '../../../src/cli/verify.js';
import { formatTrust } from '../../../src/evidence/trust.js';
import type { Problem } from '../../../src/evidence/verdict.js';
import { memoryOutput } from '../../support/memory-output.js';
import { flip, makeCamera, makeSegment } from '../../support/sealed-recording.js';
import type { TestSegment } from '../../support/sealed-recording.js';
import { writeSegments } from '../../support/segment-files.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

interface Desk {
  readonly root: string;
  readonly recording: string;
  readonly trust: string;
  readonly first: TestSegment;
}

interface Json {
  readonly ok: boolean;
  readonly state: string;
  readonly bytes: number;
  readonly segments: readonly {
    readonly segment: string;
    readonly state: string;
    readonly problems: readonly Problem[];
  }[];
  readonly recordings: readonly { readonly state: string }[];
  readonly setAside: readonly string[];
}

/** A whole recording of two segments. */
async function desk(t: ExecutionContext, isWhole = true): Promise<Desk> {
  const dir = await temporaryDirectory(t);
  const camera = makeCamera('cam-1', [17]);
  const first = makeSegment(camera);
  const second = makeSegment(camera, {
    ref: { boot: 17, rec: 3, seq: 1 },
    previous: first,
    change: (manifest) => ({ ...manifest, last: isWhole }),
  });
  const root = path.join(dir, 'cam-1');
  const recording = await writeSegments(root, camera, [first, second]);
  const trust = path.join(dir, 'trust.json');
  await writeFile(trust, formatTrust(camera.trust));
  return { root, recording, trust, first };
}

async function verifyJson({ root, trust }: Desk): Promise<{ code: number; json: Json }> {
  const output = memoryOutput({ isJson: true });
  const code = await runVerify([root], { trust, json: true }, output);
  mustBeSilent(output.errors());
  return { code, json: JSON.parse(output.text()) as Json };
}

function mustBeSilent(errors: string): void {
  if (errors !== '') throw new Error(errors);
}

test('a whole recording is ok: exit 0, every segment and the bytes read in one object', async (t) => {
  const it = await desk(t);
  const { code, json } = await verifyJson(it);
  t.is(code, 0);
  const keys = ['ok', 'state', 'bytes', 'segments', 'recordings'];
  t.deepEqual(Object.keys(json), [...keys, 'roots', 'exports', 'setAside', 'uncheckedReceipts']);
  t.true(json.ok);
  t.is(json.state, 'ok');
  t.is(json.bytes, 2 * it.first.ciphertext.length);
  const whose = { device: 'cam-1', root: it.root };
  t.deepEqual(json.segments, [
    { segment: '17/3/0', ...whose, state: 'ok', problems: [] },
    { segment: '17/3/1', ...whose, state: 'ok', problems: [] },
  ]);
  t.deepEqual(json.setAside, []);
});

test('a changed byte is not-ok: exit 1, with file, leaf and second', async (t) => {
  const it = await desk(t);
  const at = it.first.head + 65_552 + 10;
  await writeFile(path.join(it.recording, '0.age'), flip(it.first.ciphertext, at));
  const { code, json } = await verifyJson(it);
  t.is(code, 1);
  t.false(json.ok);
  t.is(json.state, 'not-ok');
  const [problem] = json.segments[0]?.problems ?? [];
  t.is(problem?.file, '17/3/0.age');
  t.is(problem?.leaf, 2);
  t.is(typeof problem?.second, 'number');
  t.is(json.segments[1]?.state, 'ok');
});

test('a missing end is ok-with-missing: exit 3', async (t) => {
  const { code, json } = await verifyJson(await desk(t, false));
  t.is(code, 3);
  t.is(json.state, 'ok-with-missing');
  t.false(json.ok);
  t.is(json.recordings[0]?.state, 'ok-with-missing');
});

test('people get a line for each segment, what is set aside, and the answer in plain words', async (t) => {
  const it = await desk(t);
  await mkdir(path.join(it.root, 'quarantine'));
  await writeFile(path.join(it.root, 'quarantine', 'odd.bin'), '');
  const leaves = path.join(it.recording, '1.leaves');
  await writeFile(leaves, flip(await readFile(leaves), 40));
  const output = memoryOutput();
  t.is(await runVerify([it.root], { trust: it.trust }, output), 1);
  t.regex(
    output.text(),
    /\n\nok {14}cam-1 17\/3\/0\nnot-ok {10}cam-1 17\/3\/1\n {16}17\/3\/1\.leaves/,
  );
  t.regex(
    output.text(),
    /^not-ok: something was changed .*\n {2}recording 17\/3, part 1, .*: the list of checksums was changed\n/,
    'what it comes to stands first, in plain words',
  );
  t.regex(output.text(), /set aside or unknown, not judged: .*odd\.bin/);
  t.regex(output.text(), /cam-1 has no device log with it/);
  t.regex(
    output.text(),
    /not-ok: something was changed or does not fit together \(2 segments\)\n$/,
  );
  t.regex(output.errors(), /^verify .* 100 % /);
});

test('a segment that cannot be read is not-feasible, and the others are judged all the same', async (t) => {
  const it = await desk(t);
  // Larger than any file of a segment but the footage may be.
  await truncate(path.join(it.recording, '0.heads'), 17 * 2 ** 20);
  const { code, json } = await verifyJson(it);
  t.is(code, 4);
  t.deepEqual(
    json.segments.map(({ segment, state }) => `${segment} ${state}`),
    ['17/3/0 not-feasible', '17/3/1 ok'],
  );
});

test('on a terminal the state is coloured', async (t) => {
  const it = await desk(t);
  const output = memoryOutput({ isTTY: true });
  t.is(await runVerify([it.root], { trust: it.trust }, output), 0);
  const expected = process.env['NO_COLOR'] ? 'ok: every byte' : '\u001b[32mok\u001b[0m: every byte';
  t.true(output.text().includes(expected));
});

test('with the key: footage that is no MP4 does not play, and a stranger’s key opens nothing', async (t) => {
  const dir = await temporaryDirectory(t);
  const camera = makeCamera('cam-1', [17]);
  const segment = makeSegment(camera, { change: (manifest) => ({ ...manifest, last: true }) });
  const root = path.join(dir, 'cam-1');
  await writeSegments(root, camera, [segment]);
  const trust = path.join(dir, 'trust.json');
  await writeFile(trust, formatTrust(camera.trust));
  const ask = async (identity: string): Promise<Json> => {
    const file = path.join(dir, 'identity.txt');
    await writeFile(file, `${identity}\n`);
    const output = memoryOutput({ isJson: true });
    await runVerify([root], { trust, identity: file, json: true }, output);
    return JSON.parse(output.text()) as Json;
  };
  const own = await ask(camera.identity);
  t.is(own.state, 'not-ok');
  t.true(own.segments[0]?.problems.some(({ what }) => what === 'unplayable'));
  const stranger = await ask(makeCamera('cam-2', [1]).identity);
  t.is(stranger.state, 'not-feasible');
  t.is(stranger.segments[0]?.problems[0]?.what, 'unproven');
});

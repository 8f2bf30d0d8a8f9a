import { spawn } from 'node:child_process';
import { readFile, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { checkOutputs } from '../../../src/cli/export-package.js';
import { readStatement } from '../../../src/evidence/export-statement.js';
import type { ExportStatement } from '../../../src/evidence/export-statement.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { mp4Packets } from '../../support/mp4-packets.js';
import { LAPEL, runLapel, runLapelJson } from '../../support/process.js';
import { makeRealRecording } from '../../support/real-recording.js';
import type { RealRecording } from '../../support/real-recording.js';
import { rejectsWith } from '../../support/reject-code.js';
import { flip } from '../../support/sealed-recording.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** Shorter than anything that an export does. */
const LOOK_MS = 10;

interface Json {
  readonly ok: boolean;
  readonly verified: string | null;
  readonly frames: number;
  readonly segments: number;
  readonly cut: number;
  readonly missing: readonly string[];
  readonly leftOut: readonly string[];
  readonly error?: { readonly code: string };
}

interface Desk extends RealRecording {
  readonly root: string;
  readonly out: string;
  /** A file of a segment. */
  readonly sealed: (name: string) => string;
  export(...more: readonly string[]): Promise<{ status: number | null; result: Json }>;
  statement(): Promise<ExportStatement>;
  report(): Promise<string>;
}

async function desk(t: ExecutionContext): Promise<Desk> {
  const root = await temporaryDirectory(t);
  const made = await makeRealRecording(root, { count: 3, seconds: 1 });
  const out = path.join(root, 'out', 'ev.mp4');
  const common = ['--identity', made.identity, '--out', out];
  return {
    ...{ ...made, root, out },
    sealed: (name) => path.join(made.recording, name),
    export: (...more) => runLapelJson<Json>('export', made.recording, ...common, ...more),
    statement: async () =>
      readStatement(await readFile(path.join(root, 'out', 'ev.evidence', 'export.json'))),
    report: () => readFile(path.join(root, 'out', 'ev.html'), 'utf8'),
  };
}

const change = async (file: string, at = 0.5): Promise<void> => {
  const bytes = await readFile(file);
  await writeFile(file, flip(bytes, Math.floor(bytes.length * at)));
};

/** The access units of the pictures of an MP4, in order. */
const unitsOf = async (bytes: Buffer): Promise<readonly Buffer[]> =>
  (await mp4Packets(bytes)).map(({ data }) => data);

/** NAL units of an access unit: each has its length of four bytes before it (ISO/IEC 14496-15). */
function nalUnits(unit: Buffer): readonly string[] {
  const units: string[] = [];
  for (let at = 0; at < unit.length;) {
    const end = at + 4 + unit.readUInt32BE(at);
    units.push(unit.toString('hex', at + 4, end));
    at = end;
  }
  return units;
}

test.serial(
  'the NAL units of an export are those of the decrypted segments, byte for byte and in their order',
  async (t) => {
    const made = await desk(t);
    const { status, result } = await made.export('--trust', made.trust);
    t.is(status, 0);
    t.like(result, { ok: true, verified: 'ok', frames: made.frames, segments: 3, cut: 0 });
    const joined = await unitsOf(await readFile(made.out));
    const parts: Buffer[] = [];
    for (const { plain } of made.segments) parts.push(...(await unitsOf(plain)));
    t.is(joined.length, made.frames);
    t.is(parts.length, made.frames);
    for (const [index, unit] of joined.entries()) {
      t.deepEqual(nalUnits(unit), nalUnits(parts[index] ?? Buffer.alloc(0)), `picture ${index}`);
    }
  },
);

test.serial(
  'an export says of itself what it is, and its bundle verifies like the store it came from',
  async (t) => {
    const made = await desk(t);
    await made.export('--trust', made.trust, '--exporter', 'officer.7');
    const statement = await made.statement();
    t.like(statement, {
      exporter: 'officer.7',
      device: 'lapel-7',
      boot: 17,
      rec: 3,
      verified: 'ok',
    });
    t.deepEqual(
      statement.segments.map(({ seg, in_mp4, at_ms, frames }) => [seg, in_mp4, at_ms, frames]),
      [0, 1, 2].map((seq) => [`17/3/${seq}`, 'whole', seq * 1_000, 30]),
    );
    const bundle = path.join(made.root, 'out', 'ev.evidence');
    const { status, result } = await runLapelJson<{ state: string; bytes: number }>(
      ...['verify', bundle, '--trust', made.trust],
    );
    t.is(status, 0);
    t.is(result.state, 'ok');
    for (const name of await readdir(made.recording)) {
      const copy = path.join(bundle, 'lapel-7', '17', '3', name);
      t.deepEqual(await readFile(copy), await readFile(made.sealed(name)), name);
    }
  },
);

test.serial(
  'the report shows a picture at the start and at each mark, marks and mutes, and is one file without script',
  async (t) => {
    const made = await desk(t);
    await made.export('--trust', made.trust);
    const html = await made.report();
    t.is(
      html.match(/src="data:image\/jpeg;base64,\/9j\//g)?.length,
      5,
      'start, press and three marks',
    );
    t.is(html.match(/<polygon [^>]*class="mark"/g)?.length, 3);
    t.is(html.match(/<rect [^>]*class="mute"/g)?.length, 3);
    t.regex(html, /recording started by a press of the button/);
    t.regex(html, /Unchanged and complete/);
    t.true(html.includes('Agent &#60;7&#62; &#38; &#34;8&#34;'));
    const markup = html.replace(/base64,[^"]*/g, '');
    t.notRegex(markup, /<script|javascript:|https?:|<link|@import|\son\w+=|url\((?!#)/i);
  },
);

test.serial(
  'a recording that lacks a segment is exported, with its time kept, and said to be partial',
  async (t) => {
    const made = await desk(t);
    for (const name of await readdir(made.recording)) {
      if (name.startsWith('1.')) await rename(made.sealed(name), path.join(made.root, name));
    }
    const { status, result } = await made.export('--trust', made.trust);
    t.is(status, 3);
    t.like(result, { ok: false, verified: 'ok-with-missing', frames: 60, missing: ['17/3/1'] });
    const times = (await mp4Packets(await readFile(made.out))).map(({ at90k }) => at90k);
    t.is(times[30], 2 * 90_000, 'the third second stays the third second');
    const html = await made.report();
    t.regex(html, /This is a partial export/);
    t.regex(html, /segment 1 is not in this export/);
    const statement = await made.statement();
    t.deepEqual(statement.missing, ['17/3/1']);
  },
);

test.serial(
  'of a changed segment nothing is exported, unless what is left is asked for; then report and exit code say not-ok',
  async (t) => {
    const made = await desk(t);
    await change(made.sealed('1.age'), 0.8);
    const refused = await made.export('--trust', made.trust);
    t.is(refused.status, 1);
    t.is(refused.result.error?.code, 'evidence/bad-signature');
    t.false((await readdir(made.root)).includes('out'));
    const { status, result } = await made.export('--trust', made.trust, '--partial');
    t.is(status, 1);
    t.like(result, { ok: false, verified: 'not-ok', segments: 3, cut: 1, leftOut: [] });
    t.true(result.frames >= 60 && result.frames < 90);
    const statement = await made.statement();
    t.deepEqual(
      statement.segments.map(({ in_mp4, verified }) => [in_mp4, verified]),
      [
        ['whole', 'ok'],
        ['part', 'not-ok'],
        ['whole', 'ok'],
      ],
    );
    const units = await unitsOf(await readFile(made.out));
    const whole = await unitsOf(made.segments[2]?.plain ?? Buffer.alloc(0));
    t.deepEqual(units.slice(-30), whole, 'what comes after it is whole');
    t.regex(await made.report(), /<h2>Changed<\/h2>/);
  },
);

for (const [what, name] of [
  ['header', '1.age'],
  ['manifest', '1.dsse'],
] as const) {
  test.serial(`a changed ${what} costs a partial export that segment at most`, async (t) => {
    const made = await desk(t);
    await change(made.sealed(name), name === '1.age' ? 0.0005 : 0.3);
    const { status, result } = await made.export('--trust', made.trust, '--partial');
    t.is(status, 1);
    t.is(result.verified, 'not-ok');
    t.is(result.frames, what === 'header' ? 60 : 90);
    t.deepEqual(result.leftOut, what === 'header' ? ['17/3/1'] : []);
  });
}

test.serial('without a trust file nothing is called verified', async (t) => {
  const made = await desk(t);
  const { status, result } = await made.export();
  t.is(status, 0);
  t.is(result.verified, null);
  t.regex(await made.report(), /<h2>Not verified<\/h2>/);
  t.is((await made.statement()).verified, null);
});

test.serial('nothing is replaced, and an export that fails leaves nothing behind', async (t) => {
  const made = await desk(t);
  const wrong = path.join(made.root, 'wrong.txt');
  const other = await makeRealRecording(await temporaryDirectory(t), { count: 1, seconds: 1 });
  await writeFile(wrong, await readFile(other.identity));
  const words = ['export', made.recording, '--identity', wrong, '--out', made.out];
  const failed = await runLapelJson<Json>(...words);
  t.is(failed.status, 1);
  t.is(failed.result.error?.code, 'evidence/wrong-key');
  t.deepEqual(await readdir(path.join(made.root, 'out')), []);
  t.is((await made.export()).status, 0);
  const before = await readdir(path.join(made.root, 'out'));
  t.false(before.some((name) => name.startsWith('.')));
  const again = await made.export();
  t.is(again.status, 2);
  t.is(again.result.error?.code, 'cli/usage');
  t.deepEqual(await readdir(path.join(made.root, 'out')), before);
});

test('any one file that an export would consist of is in its way', async (t) => {
  const root = await temporaryDirectory(t);
  const fs = new NodeFileSystem();
  const out = path.join(root, 'ev.mp4');
  const ends = ['mp4', 'html', 'evidence', 'sha256', 'pub', 'allowed_signers', 'gpx', 'csv', 'vtt'];
  await t.notThrowsAsync(() => checkOutputs(fs, out));
  for (const end of [...ends, 'mp4.sig', 'mp4.minisig', 'sha256.sig', 'sha256.minisig']) {
    await writeFile(path.join(root, `ev.${end}`), 'mine');
    await rejectsWith(t, 'cli/usage', () => checkOutputs(fs, out));
    await rm(path.join(root, `ev.${end}`));
  }
  for (const name of ['ev.html', 'ev.sha256', '-ev.mp4', 'e\nv.mp4', 'e\\v.mp4']) {
    await rejectsWith(t, 'cli/usage', () => checkOutputs(fs, path.join(root, name)));
  }
});

test.serial('the key is made once, for its owner alone; a named one must be there', async (t) => {
  const made = await desk(t);
  const named = path.join(made.root, 'mine.key');
  const missing = await made.export('--signing-key', named);
  t.is(missing.status, 1);
  t.is(missing.result.error?.code, 'keys/missing');
  t.is((await made.export()).status, 0);
  const own = path.join(made.root, 'export.key');
  t.is((await stat(own)).mode & 0o777, 0o600);
  const key = await readFile(own);
  const pub = await readFile(path.join(made.root, 'out', 'ev.pub'), 'utf8');
  await rm(path.join(made.root, 'out'), { recursive: true });
  t.is((await made.export()).status, 0);
  t.deepEqual(await readFile(own), key);
  t.is(await readFile(path.join(made.root, 'out', 'ev.pub'), 'utf8'), pub);
  const init = await runLapel('keys', 'init', '--exporter', 'officer.7', '--key', named);
  t.is(init.status, 0, init.stderr);
  await rm(path.join(made.root, 'out'), { recursive: true });
  t.is((await made.export('--signing-key', named)).status, 0);
  t.not(await readFile(path.join(made.root, 'out', 'ev.pub'), 'utf8'), pub);
});

test.serial(
  'a name that cannot stand in allowed signers is refused before anything is made',
  async (t) => {
    const made = await desk(t);
    const { status, result } = await made.export('--exporter=a b');
    t.is(status, 2);
    t.is(result.error?.code, 'cli/usage');
    t.false((await readdir(made.root)).includes('export.key'));
  },
);

test.serial('an export that is interrupted leaves nothing decrypted behind', async (t) => {
  const made = await desk(t);
  const words = ['export', made.recording, '--identity', made.identity, '--out', made.out];
  const child = spawn(process.execPath, [LAPEL, ...words], { stdio: 'ignore' });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const out = path.join(made.root, 'out');
  let hasBegun = false;
  while (!hasBegun && child.exitCode === null) {
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
    hasBegun = (await readdir(out).catch(() => [])).length > 0;
  }
  t.true(hasBegun);
  child.kill('SIGTERM');
  t.is(await ended, 130);
  t.deepEqual(await readdir(out), []);
});

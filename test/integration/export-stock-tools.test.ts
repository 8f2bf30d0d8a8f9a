import { createHash, randomBytes } from 'node:crypto';
import { cp, readFile, readdir, rename, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readTrust } from '../../src/cli/keys.js';
import { VERDICT_EXIT, verifyPaths } from '../../src/cli/verify.js';
import type { VerifyReport } from '../../src/cli/verify.js';
import { writeSignatures } from '../../src/cli/export-signatures.js';
import { createSigner } from '../../src/evidence/signer.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { runLapel, runTool } from '../support/process.js';
import type { Ended } from '../support/process.js';
import { readmeScript } from '../support/readme-script.js';
import { makeRealRecording } from '../support/real-recording.js';
import type { RealRecording } from '../support/real-recording.js';
import { flip } from '../support/sealed-recording.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** An export on a disk, to be changed: `evidence.*` in `directory`. */
interface Exported {
  readonly made: RealRecording;
  readonly directory: string;
  readonly at: (name: string) => string;
  /** Below the recording in the bundle. */
  readonly sealed: (name: string) => string;
}

async function makeExport(t: ExecutionContext): Promise<Exported> {
  const root = await temporaryDirectory(t);
  const made = await makeRealRecording(root, { count: 2, seconds: 1 });
  const directory = path.join(root, 'out');
  const { status, stderr } = await runLapel(
    ...['export', made.recording, '--identity', made.identity, '--trust', made.trust],
    ...['--exporter', 'officer.7', '--out', path.join(directory, 'evidence.mp4')],
  );
  t.is(status, 0, stderr);
  return placesOf(made, directory);
}

const placesOf = (made: RealRecording, directory: string): Exported => ({
  ...{ made, directory },
  at: (name) => path.join(directory, name),
  sealed: (name) => path.join(directory, 'evidence.evidence/lapel-7/17/3', name),
});

/** A copy of an export that a test may change. */
async function twinOf(t: ExecutionContext, { made, directory }: Exported): Promise<Exported> {
  const copy = path.join(await temporaryDirectory(t), 'twin');
  await cp(directory, copy, { recursive: true });
  return placesOf(made, copy);
}

/** The lines of the README over an export, and which command ended them. */
async function check({ made, directory }: Exported): Promise<Ended & { readonly failed: string }> {
  const script = `cd "$1"; trap 'echo "failed: $BASH_COMMAND" >&2' ERR\n${await readmeScript('export')}`;
  const lines = `IDENTITY=$2 TRUST=$3\n${script}`;
  const words = ['-eEo', 'pipefail', '-c', lines, 'bash', directory, made.identity, made.trust];
  const ended = await runTool('bash', words);
  return { ...ended, failed: /^failed: (.*)$/m.exec(ended.stderr)?.[1] ?? '' };
}

const change = async (file: string, at = 0.5): Promise<void> => {
  const bytes = await readFile(file);
  await writeFile(file, flip(bytes, Math.floor(bytes.length * at)));
};

/** What somebody does who has changed an export and hopes that nobody compares the key: all signatures are good again. */
async function signAnew({ directory, at }: Exported): Promise<void> {
  const sums = await readFile(at('evidence.sha256'), 'utf8');
  const names = sums.split('\n').flatMap((line) => line.slice(66) || []);
  const lines: string[] = [];
  for (const name of names) {
    const bytes = await readFile(at(name));
    lines.push(`${createHash('sha256').update(bytes).digest('hex')}  ${name}\n`);
  }
  const list = Buffer.from(lines.join(''));
  await writeFile(at('evidence.sha256'), list);
  const mp4 = await readFile(at('evidence.mp4'));
  const hash = (algorithm: string): Buffer => createHash(algorithm).update(mp4).digest();
  const signed = {
    ...{ mp4: 'evidence.mp4', list: 'evidence.sha256' },
    ...{ publicKey: 'evidence.pub', allowedSigners: 'evidence.allowed_signers' },
  };
  await writeSignatures(
    new NodeFileSystem(),
    { names: signed, stage: directory },
    {
      ...{ signer: createSigner(randomBytes(32)), exporter: 'officer.7', createdMs: 0, list },
      mp4: { sha512: hash('sha512'), blake2b512: hash('blake2b512') },
    },
  );
}

const replaceIn = async (file: string, from: RegExp, to: string): Promise<void> => {
  const text = await readFile(file, 'utf8');
  const replaced = text.replace(from, to);
  if (replaced === text) throw new Error(`nothing to replace in ${file}`);
  await writeFile(file, replaced);
};

/** The payload of an envelope with one of its words exchanged for one of the same length. */
async function rewrite(file: string, from: string, to: string): Promise<void> {
  const text = await readFile(file, 'utf8');
  const { payload } = JSON.parse(text) as { payload: string };
  const body = Buffer.from(payload, 'base64').toString();
  if (!body.includes(from)) throw new Error(`no ${from} in ${body}`);
  const changed = Buffer.from(body.replace(from, to)).toString('base64');
  await writeFile(file, text.replace(payload, changed));
}

interface Twin {
  readonly what: string;
  /** The command of the README that must end it. */
  readonly foundBy: RegExp;
  readonly damage: (twin: Exported) => Promise<void>;
}

const twins: readonly Twin[] = [
  {
    what: 'one bit of the MP4',
    foundBy: /^minisign .*/,
    damage: ({ at }) => change(at('evidence.mp4')),
  },
  {
    what: 'one bit of the list of digests',
    foundBy: /^minisign/,
    damage: ({ at }) => change(at('evidence.sha256')),
  },
  {
    what: 'the name in a trusted comment',
    foundBy: /^minisign/,
    damage: ({ at }) => replaceIn(at('evidence.mp4.minisig'), /officer\.7/, 'officer.8'),
  },
  {
    what: 'the SSH signature of another file',
    foundBy: /^ssh-keygen/,
    damage: ({ at }) => cp(at('evidence.mp4.sig'), at('evidence.sha256.sig')),
  },
  ...['html', 'gpx', 'vtt', 'evidence/export.json', 'evidence/lapel-7/17/3/0.receipt'].map(
    (name) => ({
      what: `one bit of evidence.${name}`,
      foundBy: /^sha256sum/,
      damage: ({ at }: Exported) => change(at(`evidence.${name}`)),
    }),
  ),
  {
    what: 'a manifest, signed anew as an export',
    foundBy: /^openssl pkeyutl/,
    damage: async (twin) => {
      await rewrite(twin.sealed('1.dsse'), '"seq":1', '"seq":2');
      await signAnew(twin);
    },
  },
  {
    what: 'the certificate of the boot, signed anew as an export',
    foundBy: /^openssl pkeyutl/,
    damage: async (twin) => {
      await rewrite(twin.sealed('../session.dsse'), '"boot":17', '"boot":18');
      await signAnew(twin);
    },
  },
  {
    what: 'one bit of the ciphertext, signed anew as an export',
    foundBy: /^test "\$got" = "\$want"/,
    damage: async (twin) => {
      await change(twin.sealed('1.age'));
      await signAnew(twin);
    },
  },
  {
    what: 'the end of the ciphertext, signed anew as an export',
    foundBy: /^test "\$size"/,
    damage: async (twin) => {
      await truncate(twin.sealed('1.age'), 70_000);
      await signAnew(twin);
    },
  },
  {
    what: 'two segments exchanged, signed anew as an export',
    foundBy: /^grep .*prev/,
    damage: async (twin) => {
      for (const end of ['age', 'dsse']) {
        await cp(twin.sealed(`0.${end}`), twin.sealed(`x.${end}`));
        await cp(twin.sealed(`1.${end}`), twin.sealed(`0.${end}`));
        await cp(twin.sealed(`x.${end}`), twin.sealed(`1.${end}`));
      }
      await signAnew(twin);
    },
  },
  {
    what: 'one bit of a picture of the MP4, signed anew as an export',
    foundBy: /diff/,
    damage: async (twin) => {
      await change(twin.at('evidence.mp4'), 0.9);
      await signAnew(twin);
    },
  },
];

/** What `lapel verify` says of the bundle of an export, and how it ends. */
async function verified({
  made,
  at,
}: Exported): Promise<VerifyReport & { readonly status: number }> {
  const fs = new NodeFileSystem();
  const report = await verifyPaths(fs, [at('evidence.evidence')], await readTrust(fs, made.trust));
  return { ...report, status: VERDICT_EXIT[report.state] };
}

test('the lines of the README accept an export with age, openssl, minisign, ssh-keygen, sha256sum, ffprobe and ffmpeg', async (t) => {
  const exported = await makeExport(t);
  const good = await check(exported);
  t.is(good.status, 0, good.stderr);
  t.is(good.stdout.match(/Signature and comment signature verified/g)?.length, 2);
  t.is(good.stdout.match(/Good "file" signature for officer\.7/g)?.length, 2);
  t.is(good.stdout.match(/Signature Verified Successfully/g)?.length, 3);
  t.true(good.stdout.includes(`nb_read_packets=${exported.made.frames}`));
  t.regex(good.stdout, /all of it holds\n$/);
});

test('lapel verify holds an export against its statement, its list and its signatures, and says who signed', async (t) => {
  const exported = await makeExport(t);
  const { status, exports } = await verified(exported);
  t.is(status, 0);
  t.deepEqual(
    exports.map(({ state, problems }) => ({ state, problems })),
    [{ state: 'ok', problems: [] }],
  );
  t.is(exports[0]?.signer?.name, 'officer.7');
  const { at, made } = exported;
  const words = ['verify', at('evidence.evidence'), '--trust', made.trust];
  const plain = await runLapel(...words);
  t.regex(
    plain.stdout,
    /was exported by the holder of key [0-9a-f]{16}, who calls himself officer\.7/,
  );
  const { status: exit, stdout } = await runLapel(...words, '--json');
  t.is(exit, 0);
  const json = JSON.parse(stdout) as { readonly exports: readonly { readonly signer: unknown }[] };
  t.deepEqual(json.exports[0]?.signer, exports[0]?.signer);
});

test('lapel verify of an export names what was left out of it or swollen, and whose word is missing then', async (t) => {
  const exported = await makeExport(t);
  const parts = ['mp4', 'html', 'mp4.minisig', 'sha256.sig', 'sha256'];
  for (const part of parts) {
    const twin = await twinOf(t, exported);
    await rm(twin.at(`evidence.${part}`));
    const { status, exports } = await verified(twin);
    t.is(status, 3, part);
    const [said] = exports;
    t.true(
      said?.problems.some(({ file, what }) => file === `evidence.${part}` && what === 'missing'),
      part,
    );
    t.is(said?.signer === undefined, /sig|sha256/.test(part), part);
  }
  for (const part of ['sha256', 'mp4.sig', 'pub', 'evidence/export.json']) {
    const twin = await twinOf(t, exported);
    await truncate(twin.at(`evidence.${part}`), 64 * 1024 * 1024);
    const { status, exports } = await verified(twin);
    t.is(status, 1, `${part}, far too long`);
    t.is(exports[0]?.state, 'not-ok', `${part}, far too long`);
  }
  const renamed = await twinOf(t, exported);
  await rename(renamed.at('evidence.pub'), renamed.at('evidence.allowed_signers'));
  t.is((await verified(renamed)).status, 1);
});

test('the lines of the README refuse every changed twin of an export, each at the tool whose matter it is', async (t) => {
  t.timeout(300_000);
  const exported = await makeExport(t);
  for (const { what, foundBy, damage } of twins) {
    const twin = await twinOf(t, exported);
    await damage(twin);
    const { status, stdout, failed } = await check(twin);
    t.not(status, 0, what);
    t.regex(failed, foundBy, what);
    t.false(stdout.includes('all of it holds'), what);
    const { status: exit, exports } = await verified(twin);
    t.is(exit, 1, `lapel verify: ${what}`);
    t.is(exports[0]?.state, 'not-ok', `lapel verify: ${what}`);
  }
});

test('age, ffprobe and ffmpeg refuse by themselves what they can know: a changed or cut ciphertext, a stranger, a cut MP4', async (t) => {
  const exported = await makeExport(t);
  const { made, at, sealed } = await twinOf(t, exported);
  const age = (identity: string, name: string): Promise<Ended> =>
    runTool('age', ['-d', '-i', identity, '-o', at('plain'), sealed(name)]);
  t.is((await age(made.identity, '0.age')).status, 0);
  t.is((await runTool('age-keygen', ['-o', at('stranger.txt')])).status, 0);
  t.is((await age(at('stranger.txt'), '0.age')).status, 1);
  await change(sealed('0.age'));
  t.is((await age(made.identity, '0.age')).status, 1);
  await truncate(sealed('1.age'), 70_000);
  t.is((await age(made.identity, '1.age')).status, 1);
  const plays = async (): Promise<boolean> => {
    const probe = await runTool('ffprobe', ['-v', 'error', at('evidence.mp4')]);
    const words = ['-v', 'error', '-xerror', '-i', at('evidence.mp4'), '-f', 'null', '-'];
    return probe.status === 0 && (await runTool('ffmpeg', words)).status === 0;
  };
  t.true(await plays());
  await truncate(at('evidence.mp4'), 2_000);
  t.false(await plays());
});

test('nothing that an export consists of escapes its signatures', async (t) => {
  const { directory, at } = await makeExport(t);
  const list = await readFile(at('evidence.sha256'), 'utf8');
  const listed = new Set(list.split('\n').flatMap((line) => line.slice(66) || []));
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const files = entries
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(directory, path.join(entry.parentPath, entry.name)));
  const own = /^evidence\.(sha256|pub|allowed_signers|(mp4|sha256)\.(minisig|sig))$/;
  t.deepEqual(
    files.filter((name) => !listed.has(name) && !own.test(name)),
    [],
  );
  t.is(files.filter((name) => own.test(name)).length, 7);
  t.true([...listed].every((name) => files.includes(name)));
});

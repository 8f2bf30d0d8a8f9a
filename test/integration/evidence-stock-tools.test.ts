import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { LEAF_BYTES, decryptWhole, encryptWhole } from '../../src/evidence/age-container.js';
import { headLength } from '../../src/evidence/age-header.js';
import {
  generateIdentity,
  parseRecipient,
  recipientOf,
} from '../../src/evidence/age-recipients.js';
import { parseEnvelopeFile, signedBytes } from '../../src/evidence/dsse.js';
import { openSessionKey } from '../../src/evidence/session-key.js';
import { findDevice } from '../../src/evidence/trust.js';
import { flip, makeCamera, makeSegment } from '../support/sealed-recording.js';

/** A hung tool is a failed test, not a hung suite. */
const TOOL_TIMEOUT_MS = 20_000;

interface Outcome {
  readonly status: number | null;
  readonly stdout: Buffer;
  readonly stderr: string;
}

/** Runs a tool to its end in `directory`. */
function run(directory: string, tool: string, args: readonly string[], input?: Buffer): Outcome {
  const { status, stdout, stderr, error } = spawnSync(tool, args, {
    cwd: directory,
    input,
    timeout: TOOL_TIMEOUT_MS,
    maxBuffer: 1 << 24,
  });
  if (error) throw error;
  return { status, stdout, stderr: stderr.toString() };
}

function makeDirectory(t: ExecutionContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'lapel-evidence-'));
  t.teardown(() => {
    rmSync(directory, { recursive: true });
  });
  return directory;
}

test('age decrypts what the camera wrote, for each of two recipients, at every chunk boundary', (t) => {
  const directory = makeDirectory(t);
  const people = [generateIdentity(), generateIdentity()];
  const recipients = people.map(({ recipient }) => parseRecipient(recipient));
  for (const [index, { identity }] of people.entries()) {
    writeFileSync(join(directory, `${index}.key`), `# a comment\n${identity}\n`, { mode: 0o600 });
  }
  for (const size of [0, 1, 65_536, 65_537, 131_072, 300_001]) {
    const plain = randomBytes(size);
    writeFileSync(join(directory, 'file.age'), encryptWhole(plain, recipients));
    for (const index of people.keys()) {
      const { status, stdout } = run(directory, 'age', ['-d', '-i', `${index}.key`, 'file.age']);
      t.is(status, 0);
      t.true(stdout.equals(plain));
    }
  }
});

test('age refuses a changed leaf, and gives the whole chunks of a cut file with status 1', (t) => {
  const directory = makeDirectory(t);
  const { identity, recipient } = generateIdentity();
  writeFileSync(join(directory, 'key'), `${identity}\n`, { mode: 0o600 });
  const plain = randomBytes(300_000);
  const file = encryptWhole(plain, [parseRecipient(recipient)]);
  const changed = flip(file, headLength(file) + 70_000);
  const decrypt = (bytes: Buffer): Outcome => {
    writeFileSync(join(directory, 'file.age'), bytes);
    return run(directory, 'age', ['-d', '-i', 'key', 'file.age']);
  };
  t.is(decrypt(changed).status, 1);
  const cut = file.subarray(0, headLength(file) + 2 * LEAF_BYTES + 77);
  const { status, stdout } = decrypt(cut);
  t.is(status, 1);
  t.deepEqual(stdout, decryptWhole(cut, identity).plain);
});

test('we decrypt what age wrote, and keys of age-keygen are our keys', (t) => {
  const directory = makeDirectory(t);
  t.is(run(directory, 'age-keygen', ['-o', 'key']).status, 0);
  const text = readFileSync(join(directory, 'key'), 'utf8');
  const identity = /^AGE-SECRET-KEY-1\S+$/m.exec(text)?.[0] ?? '';
  const recipient = /age1\S+$/m.exec(text)?.[0] ?? '';
  t.is(recipientOf(identity), recipient);
  t.is(run(directory, 'age-keygen', ['-y', 'key']).stdout.toString(), `${recipient}\n`);
  const plain = randomBytes(200_000);
  const { stdout } = run(directory, 'age', ['-r', recipient], plain);
  t.deepEqual(decryptWhole(stdout, identity), { plain, isComplete: true, badLeaves: [] });
});

test('openssl accepts a manifest with the key of its certificate, and refuses a changed one', (t) => {
  const directory = makeDirectory(t);
  const camera = makeCamera();
  const segment = makeSegment(camera, { bytes: 1000 });
  const deviceKey = findDevice(camera.trust, camera.device);
  const certificate = camera.sessions.get(segment.ref.boot);
  if (deviceKey === undefined || certificate === undefined) return t.fail();
  const opened = openSessionKey(parseEnvelopeFile(certificate), deviceKey);
  const pem = `-----BEGIN PUBLIC KEY-----\n${opened.certificate.spki}\n-----END PUBLIC KEY-----\n`;
  const envelope = parseEnvelopeFile(segment.manifest);
  const signed = signedBytes(envelope);
  writeFileSync(join(directory, 'session.pem'), pem);
  writeFileSync(join(directory, 'manifest.pae'), signed);
  writeFileSync(join(directory, 'manifest.sig'), envelope.signatures[0]?.sig ?? '', 'base64');
  const check = (file: string): Outcome =>
    run(directory, 'openssl', [
      ...['pkeyutl', '-verify', '-pubin', '-inkey', 'session.pem', '-rawin'],
      ...['-in', file, '-sigfile', 'manifest.sig'],
    ]);
  const good = check('manifest.pae');
  t.is(good.status, 0);
  t.regex(good.stdout.toString(), /Signature Verified Successfully/);
  for (const at of [0, 30, signed.length - 1]) {
    writeFileSync(join(directory, 'changed.pae'), flip(signed, at));
    t.is(check('changed.pae').status, 1);
  }
});

test('sha256sum finds the leaf hashes of the leaf list', (t) => {
  const directory = makeDirectory(t);
  const segment = makeSegment(makeCamera(), { bytes: 150_000 });
  const { head, ciphertext, leaves } = segment;
  const cuts = [0, head, head + LEAF_BYTES, head + 2 * LEAF_BYTES, ciphertext.length];
  for (let leaf = 0; leaf < cuts.length - 1; leaf += 1) {
    const bytes = Buffer.concat([
      Buffer.from([0]),
      ciphertext.subarray(cuts[leaf], cuts[leaf + 1]),
    ]);
    const { stdout } = run(directory, 'sha256sum', [], bytes);
    const hash = leaves.subarray(leaf * 32, (leaf + 1) * 32).toString('hex');
    t.is(stdout.toString().split(' ')[0], hash);
  }
  t.is(leaves.length, 4 * 32);
});

import { createHash, randomBytes } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {
  minisign,
  minisignKey,
  minisignKeyFile,
  minisignKeyId,
  openMinisign,
} from '../../src/evidence/minisign.js';
import { createSigner } from '../../src/evidence/signer.js';
import {
  allowedSigner,
  sshFingerprint,
  sshSignature,
  verifySshSignature,
} from '../../src/evidence/ssh-signature.js';
import { runTool } from '../support/process.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Empty, within one block of the hashes, at their borders and past them. */
const SIZES = [0, 1, 127, 128, 129, 1_000_003];
const COMMENT = 'recording 1/2 of lapel-1, exported by officer.7, 2026-11-24T12:00:00.000Z';

const digest = (algorithm: string, bytes: Buffer): Buffer =>
  createHash(algorithm).update(bytes).digest();

/** A copy with one bit of its last byte turned, or with a byte when it was empty. */
function changed(bytes: Buffer): Buffer {
  if (bytes.length === 0) return Buffer.from('x');
  const copy = Buffer.from(bytes);
  copy[copy.length - 1] = (copy.at(-1) ?? 0) ^ 1;
  return copy;
}

test('minisign accepts our signature of a file of any length, shows the trusted comment, and refuses what was changed', async (t) => {
  const directory = await temporaryDirectory(t);
  const at = (name: string): string => path.join(directory, name);
  const signer = createSigner(randomBytes(32));
  await writeFile(at('key.pub'), minisignKeyFile(signer.publicKey));
  const verify = (): ReturnType<typeof runTool> =>
    runTool('minisign', ['-V', '-p', at('key.pub'), '-m', at('file')]);
  for (const size of SIZES) {
    const bytes = randomBytes(size);
    const text = minisign(digest('blake2b512', bytes), COMMENT, signer);
    await writeFile(at('file'), bytes);
    await writeFile(at('file.minisig'), text);
    const good = await verify();
    t.is(good.status, 0, good.stderr);
    t.true(good.stdout.includes(`Trusted comment: ${COMMENT}`));
    await writeFile(at('file'), changed(bytes));
    t.not((await verify()).status, 0);
    await writeFile(at('file'), bytes);
    await writeFile(at('file.minisig'), text.replace('officer.7', 'officer.8'));
    t.not((await verify()).status, 0, 'the comment is signed as well');
  }
  const line = ['-V', '-P', minisignKey(signer.publicKey), '-m', at('file')];
  await writeFile(at('file'), 'x');
  await writeFile(
    at('file.minisig'),
    minisign(digest('blake2b512', Buffer.from('x')), COMMENT, signer),
  );
  t.is((await runTool('minisign', line)).status, 0, 'the key in one line does as well');
  const stranger = createSigner(randomBytes(32)).publicKey;
  const other = await runTool('minisign', ['-V', '-P', minisignKey(stranger), '-m', at('file')]);
  t.not(other.status, 0);
  t.true(other.stderr.includes(minisignKeyId(signer.publicKey)), 'minisign names our key id');
});

test('a trusted comment of two lines is refused before anything is signed', (t) => {
  const signer = createSigner(randomBytes(32));
  for (const comment of ['a\nb', 'a\rb', 'x'.repeat(1_001)]) {
    t.throws(() => minisign(Buffer.alloc(64), comment, signer), { code: 'evidence/malformed' });
  }
});

test('ssh-keygen accepts our signature of a file of any length, and refuses another file, key, name or namespace', async (t) => {
  const directory = await temporaryDirectory(t);
  const at = (name: string): string => path.join(directory, name);
  const signer = createSigner(randomBytes(32));
  await writeFile(at('allowed'), allowedSigner('officer.7', signer.publicKey));
  const stranger = createSigner(randomBytes(32));
  await writeFile(at('others'), allowedSigner('officer.7', stranger.publicKey));
  const verify = (allowed = 'allowed', who = 'officer.7', namespace = 'file') =>
    runTool('bash', [
      '-c',
      'ssh-keygen -Y verify -f "$1" -I "$2" -n "$3" -s "$4.sig" <"$4"',
      ...['bash', at(allowed), who, namespace, at('data')],
    ]);
  for (const size of SIZES) {
    const bytes = randomBytes(size);
    await writeFile(at('data'), bytes);
    await writeFile(at('data.sig'), sshSignature(digest('sha512', bytes), signer));
    const good = await verify();
    t.is(good.status, 0, good.stderr + good.stdout);
    t.regex(good.stdout, /Good "file" signature for officer\.7/);
    t.true(good.stdout.includes(sshFingerprint(signer.publicKey)));
    t.not((await verify('others')).status, 0);
    t.not((await verify('allowed', 'officer.8')).status, 0);
    t.not((await verify('allowed', 'officer.7', 'git')).status, 0);
    await writeFile(at('data'), changed(bytes));
    t.not((await verify()).status, 0);
  }
});

test('we read our own signatures, and with any character of them changed they count no more', (t) => {
  const signer = createSigner(randomBytes(32));
  const bytes = randomBytes(1000);
  const [blake, sha] = [digest('blake2b512', bytes), digest('sha512', bytes)];
  const mini = minisign(blake, COMMENT, signer);
  const ssh = sshSignature(sha, signer);
  t.is(openMinisign(mini, blake, signer.publicKey), COMMENT);
  t.true(verifySshSignature(ssh, sha, signer.publicKey));
  t.is(openMinisign(mini, digest('blake2b512', changed(bytes)), signer.publicKey), undefined);
  t.false(verifySshSignature(ssh, digest('sha512', changed(bytes)), signer.publicKey));
  const stranger = createSigner(randomBytes(32)).publicKey;
  t.is(openMinisign(mini, blake, stranger), undefined);
  t.false(verifySshSignature(ssh, sha, stranger));
  const without = (text: string, at: number): string => text.slice(0, at) + text.slice(at + 1);
  const other = (text: string, at: number): string =>
    `${text.slice(0, at)}${text[at] === 'x' ? 'y' : 'x'}${text.slice(at + 1)}`;
  for (const damage of [without, other]) {
    for (let at = mini.indexOf('\n'); at < mini.length; at += 1) {
      t.is(openMinisign(damage(mini, at), blake, signer.publicKey), undefined, `minisign, ${at}`);
    }
    for (let at = 0; at < ssh.length; at += 1) {
      t.false(verifySshSignature(damage(ssh, at), sha, signer.publicKey), `ssh, ${at}`);
    }
  }
});

test('no text is too strange to be no signature', (t) => {
  const { publicKey } = createSigner(randomBytes(32));
  const none = Buffer.alloc(64);
  const text = fc.oneof(
    fc.string(),
    fc.base64String(),
    fc.array(fc.base64String()).map((lines) => lines.join('\n')),
  );
  fc.assert(
    fc.property(text, (any) => {
      t.is(openMinisign(any, none, publicKey), undefined);
      t.false(verifySshSignature(any, none, publicKey));
    }),
  );
});

test('a name that would be two words or a pattern in an allowed signers file is refused', (t) => {
  const { publicKey } = createSigner(randomBytes(32));
  for (const name of ['', 'a b', 'a,b', '*', '!a', 'a\nb', '"a"', '-a', 'x'.repeat(65)]) {
    t.throws(() => allowedSigner(name, publicKey), { code: 'evidence/malformed' }, name);
  }
});

import { stat } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { fromSpkiBase64, verifySignature } from '../../../src/evidence/public-key.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SimDisk } from '../../../src/hal/sim/sim-disk.js';
import type { CutMode } from '../../../src/hal/sim/sim-disk.js';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import { hasErrorCode } from '../../../src/errors.js';
import { KeyFile, makeSessionSigner, spkiOf } from '../../../src/storage/keys.js';
import { rejectsWith } from '../../support/reject-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const FILE = '/internal/device.key';
const MESSAGE = Buffer.from('message');

test('a key is made once and is the same when it is loaded', async (t) => {
  const fs = new SimFileSystem();
  const file = new KeyFile(fs, FILE);
  const made = await file.make();
  const loaded = await file.load();
  t.deepEqual(loaded.publicKey, made.publicKey);
  t.true(verifySignature(made.publicKey, MESSAGE, loaded.sign(MESSAGE)));
});

test('a key is never replaced', async (t) => {
  const fs = new SimFileSystem();
  const file = new KeyFile(fs, FILE);
  const first = await file.make();
  await rejectsWith(t, 'keys/exists', () => file.make());
  t.deepEqual((await file.load()).publicKey, first.publicKey);
});

test('two keys differ', async (t) => {
  const fs = new SimFileSystem();
  const one = await new KeyFile(fs, '/a.key').make();
  const other = await new KeyFile(fs, '/b.key').make();
  t.notDeepEqual(one.publicKey, other.publicKey);
});

test('a key file can be read by its user alone', async (t) => {
  const file = path.join(await temporaryDirectory(t), 'internal', 'device.key');
  await new KeyFile(new NodeFileSystem(), file).make();
  t.is((await stat(file)).mode & 0o777, 0o600);
  t.is((await stat(path.dirname(file))).mode & 0o777, 0o700);
});

test('a key that is missing is keys/missing', async (t) => {
  const error = await rejectsWith(t, 'keys/missing', () =>
    new KeyFile(new SimFileSystem(), FILE).load(),
  );
  t.true(hasErrorCode(error.cause, 'storage/not-found'));
});

test('a file that holds anything else than a key is keys/malformed, and its content is not told', async (t) => {
  const seed = 'ab'.repeat(32);
  const contents = [
    '',
    seed,
    `${seed}\n\n`,
    `${seed.toUpperCase()}\n`,
    `${seed}0\n`,
    `${seed.slice(2)}\n`,
    ` ${seed}\n`,
  ];
  for (const content of contents) {
    const fs = new SimFileSystem();
    await fs.writeAtomic('/device.key', Buffer.from(content));
    const error = await rejectsWith(t, 'keys/malformed', () =>
      new KeyFile(fs, '/device.key').load(),
    );
    t.false(error.line.includes('abab'));
  }
});

test('a key file that cannot be read is neither missing nor malformed', async (t) => {
  const fs = new SimFileSystem();
  await new KeyFile(fs, FILE).make();
  fs.faults.failsRead = () => true;
  await rejectsWith(t, 'storage/io', () => new KeyFile(fs, FILE).load());
});

test('a file that is far too long for a key is not read', async (t) => {
  const fs = new SimFileSystem();
  await fs.writeAtomic('/device.key', Buffer.alloc(5000, 'a'));
  await rejectsWith(t, 'keys/malformed', () => new KeyFile(fs, '/device.key').load());
});

test('the power may go at any moment while a key is made: then there is a whole key or none', async (t) => {
  const whole = new SimFileSystem();
  await new KeyFile(whole, FILE).make();
  const modes: CutMode[] = [
    { keeps: 'none' },
    { keeps: 'all' },
    { keeps: 'random', seed: 1 },
    { keeps: 'random', seed: 2 },
    { keeps: 'torn', seed: 1 },
  ];
  for (let steps = 0; steps <= whole.journal.length; steps += 1) {
    for (const mode of modes) {
      const fs = new SimFileSystem({}, SimDisk.replay(whole.journal.slice(0, steps)).cut(mode));
      const file = new KeyFile(fs, FILE);
      const found = await file.load().catch((error: unknown) => error);
      if (!(found instanceof Error)) continue;
      t.true(hasErrorCode(found, 'keys/missing'), `${steps} steps, ${mode.keeps}`);
      await t.notThrowsAsync(() => file.make());
    }
  }
});

test('a session key is new every time, and its SPKI is that of its public key', (t) => {
  const one = makeSessionSigner();
  const other = makeSessionSigner();
  t.not(one.keyId, other.keyId);
  t.deepEqual(fromSpkiBase64(spkiOf(one)), one.publicKey);
  t.true(verifySignature(one.publicKey, MESSAGE, one.sign(MESSAGE)));
  one.destroy();
  t.throws(() => one.sign(MESSAGE), { message: /destroyed/ });
  t.true(verifySignature(other.publicKey, MESSAGE, other.sign(MESSAGE)));
});

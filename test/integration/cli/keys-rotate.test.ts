import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { parseRecipient } from '../../../src/evidence/age-recipients.js';
import { openCheckpoint, parseCheckpoint } from '../../../src/evidence/checkpoint.js';
import { parseEnvelopeFile } from '../../../src/evidence/dsse.js';
import { readEntry } from '../../../src/evidence/log-entry.js';
import { openSessionKey } from '../../../src/evidence/session-key.js';
import {
  findDevice,
  findDeviceChain,
  listKeysOf,
  parseTrust,
} from '../../../src/evidence/trust.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { listenControl } from '../../../src/cli/control-socket.js';
import { enrolCamera, initCamera, rotate, show } from '../../../src/cli/keys.js';
import { rotateKeys } from '../../../src/cli/key-rotation.js';
import { dataPaths } from '../../../src/cli/paths.js';
import { openCard } from '../../../src/storage/card.js';
import { openDatabase } from '../../../src/storage/database.js';
import { DeviceKeys } from '../../../src/storage/device-keys.js';
import { readEntries } from '../../../src/storage/device-log.js';
import { silent } from '../../support/boot-fixture.js';
import { memoryOutput } from '../../support/memory-output.js';
import { rejectsWith } from '../../support/reject-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

const fs = new NodeFileSystem();
const DIGEST = 'ab'.repeat(32);

/** A boot of the camera in a data directory, as `lapel run` opens its card. */
async function boot(data: string, recipient: string): Promise<number> {
  const paths = dataPaths(data);
  const { signer, rotations } = await new DeviceKeys(fs, paths.deviceKey).load();
  const card = await openCard(
    { fs, clock: new SimClock(1000), log: silent },
    {
      ...{ card: paths.card, bootFile: paths.bootFile, device: 'cam-1' },
      ...{ deviceKey: signer, rotations, recipients: [parseRecipient(recipient)] },
      ...{ configDigest: DIGEST, firmwareDigest: DIGEST, reserveBytes: 1 },
      onSealed: () => undefined,
    },
  );
  await card.close('stopped');
  return card.boot;
}

test('after a rotation boots are certified by the new key, the log tells of it once, and a trust file follows', async (t) => {
  const root = await temporaryDirectory(t);
  const data = path.join(root, 'cam');
  const trustFile = path.join(root, 'trust.json');
  const made = await initCamera(fs, { data, device: 'cam-1', recipients: [] });
  const [recipient = ''] = made.recipients;
  await enrolCamera(fs, { data, trust: trustFile });
  t.is(await boot(data, recipient), 1);
  const output = memoryOutput({ isJson: true });
  t.is(await rotate([], { data, trust: trustFile }, output), 0);
  const told = JSON.parse(output.text()) as {
    old: string;
    keyId: string;
    fromBoot: number;
    checkpoint: string;
  };
  t.is(told.fromBoot, 2);
  t.is(await boot(data, recipient), 2);
  t.is(await boot(data, recipient), 3);

  const trust = parseTrust(await readFile(trustFile, 'utf8'));
  const chain = findDeviceChain(trust, 'cam-1') ?? [];
  t.deepEqual(
    chain.map(({ fromBoot }) => fromBoot),
    [0, 2],
  );
  for (const n of [1, 2, 3]) {
    const text = await readFile(path.join(data, 'card/ev', String(n), 'session.dsse'), 'utf8');
    t.is(openSessionKey(parseEnvelopeFile(text), chain).certificate.boot, n);
    const other = findDevice(trust, 'cam-1', n === 1 ? 2 : 1) ?? Buffer.alloc(0);
    t.throws(() => openSessionKey(parseEnvelopeFile(text), other), {
      code: 'evidence/bad-signature',
    });
  }
  // The head at the rotation has both lines, so that whoever knows either key can go on from it.
  t.is(parseCheckpoint(told.checkpoint).note.signatures.length, 2);
  for (const key of listKeysOf(trust, 'cam-1')) {
    t.is(openCheckpoint(told.checkpoint, 'cam-1', [key]).size, 3);
  }
  const db = openDatabase(path.join(data, 'card/lapel.db'));
  const types = readEntries(db, 0, 100).map(({ envelope }) => readEntry(envelope).type);
  db.close();
  t.deepEqual(types.filter((type) => type === 'key-rotate').length, 1);
  t.is(types[5], 'key-rotate', 'behind the two first entries of boot 2');
  t.is((await readFile(path.join(data, 'card/rotations.dsse'), 'utf8')).split('\n').length, 2);
  t.is((await stat(path.join(data, 'internal/device.key'))).mode & 0o777, 0o600);
});

test('keys show tells the key before; enrolling again follows the camera, also from a trust file of the old key', async (t) => {
  const root = await temporaryDirectory(t);
  const data = path.join(root, 'cam');
  const [old, fresh] = [path.join(root, 'old.json'), path.join(root, 'new.json')];
  await initCamera(fs, { data, device: 'cam-1', recipients: [] });
  await enrolCamera(fs, { data, trust: old });
  const before = findDevice(parseTrust(await readFile(old, 'utf8')), 'cam-1');
  const { keyId } = await rotateKeys(fs, new SystemClock(), { data });
  for (const trust of [old, fresh]) {
    await enrolCamera(fs, { data, trust });
    const parsed = parseTrust(await readFile(trust, 'utf8'));
    t.is(listKeysOf(parsed, 'cam-1').length, 2);
    t.deepEqual(listKeysOf(parsed, 'cam-1')[0], before);
  }
  const output = memoryOutput();
  await show([], { data }, output);
  t.regex(output.text(), new RegExp(`key id ${keyId}`));
  t.regex(output.text(), /its log is signed by lapel\.example\/cam-1\+[0-9a-f]{8}\+A/);
  t.regex(output.text(), /before boot 1 its key was [0-9a-f]{16}/);
});

test('the key of a running camera is not rotated', async (t) => {
  const root = await temporaryDirectory(t);
  const data = path.join(root, 'cam');
  await initCamera(fs, { data, device: 'cam-1', recipients: [] });
  const clock = new SystemClock();
  const control = await listenControl(dataPaths(data).control, () => Promise.resolve({}), clock);
  t.teardown(() => control.close());
  await rejectsWith(t, 'cli/already-running', () => rotateKeys(fs, clock, { data }));
  t.is((await new DeviceKeys(fs, dataPaths(data).deviceKey).load()).rotations.length, 0);
});

test('without a camera there is nothing to rotate', async (t) => {
  const data = path.join(await temporaryDirectory(t), 'nowhere');
  await t.throwsAsync(() => rotateKeys(fs, new SystemClock(), { data }), { name: 'CameraError' });
});

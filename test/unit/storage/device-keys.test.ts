import test from 'ava';
import { openRotation } from '../../../src/evidence/key-rotation.js';
import { SimDisk } from '../../../src/hal/sim/sim-disk.js';
import type { CutMode } from '../../../src/hal/sim/sim-disk.js';
import { SimFileSystem } from '../../../src/hal/sim/sim-file-system.js';
import { DeviceKeys, parseRotations, readRotations } from '../../../src/storage/device-keys.js';
import { KeyFile } from '../../../src/storage/keys.js';
import { rejectsWith } from '../../support/reject-code.js';

const FILE = '/internal/device.key';
const BYTES = Buffer.from('x');
const nothing = (): void => undefined;

async function made(): Promise<{ fs: SimFileSystem; keyId: string }> {
  const fs = new SimFileSystem();
  return { fs, keyId: (await new KeyFile(fs, FILE).make()).keyId };
}

test('a rotation makes a new key that both have signed for, and the old one is gone', async (t) => {
  const { fs, keyId } = await made();
  const keys = new DeviceKeys(fs, FILE);
  t.deepEqual((await keys.load()).rotations, []);
  const signed: string[] = [];
  const rotated = await keys.rotate('cam-1', 4, (old, fresh) => {
    for (const key of [old, fresh]) signed.push(key.keyId, String(key.sign(BYTES).length));
    old.sign(BYTES);
  });
  t.deepEqual(signed, [keyId, '64', rotated.signer.keyId, '64']);
  t.is(rotated.oldKeyId, keyId);
  const loaded = await keys.load();
  t.is(loaded.signer.keyId, rotated.signer.keyId);
  t.is(loaded.rotations.length, 1);
  const [rotation] = loaded.rotations;
  if (rotation === undefined) return;
  t.like(openRotation(rotation), { device: 'cam-1', from_boot: 4, old: keyId });
  t.false(await fs.exists(`${FILE}.next`));
  await keys.rotate('cam-1', 9, nothing);
  t.is((await keys.load()).rotations.length, 2);
});

test('the old key signs nothing after a rotation, in memory either', async (t) => {
  const { fs } = await made();
  let sign: () => Buffer = () => BYTES;
  await new DeviceKeys(fs, FILE).rotate('cam-1', 1, (old) => {
    sign = () => old.sign(BYTES);
  });
  t.throws(() => sign(), { message: /destroyed/ });
});

test('what fails while both can sign leaves the old key in force, and the next try takes the same new one', async (t) => {
  const { fs, keyId } = await made();
  const keys = new DeviceKeys(fs, FILE);
  const tried: string[] = [];
  await t.throwsAsync(() =>
    keys.rotate('cam-1', 4, (_, fresh) => {
      tried.push(fresh.keyId);
      throw new Error('no card');
    }),
  );
  t.is((await keys.load()).signer.keyId, keyId);
  t.deepEqual((await keys.load()).rotations, []);
  const { signer } = await keys.rotate('cam-1', 6, nothing);
  t.deepEqual(tried, [signer.keyId]);
  t.is((await keys.load()).rotations.length, 1);
});

test('the power may go at any moment of a rotation: the old key is in force or the new one, with its rotation', async (t) => {
  const { fs: whole, keyId } = await made();
  const before = whole.journal.length;
  const { signer } = await new DeviceKeys(whole, FILE).rotate('cam-1', 4, nothing);
  const modes: CutMode[] = [
    { keeps: 'none' },
    { keeps: 'all' },
    { keeps: 'random', seed: 1 },
    { keeps: 'torn', seed: 1 },
  ];
  for (let steps = before; steps <= whole.journal.length; steps += 1) {
    for (const mode of modes) {
      const fs = new SimFileSystem({}, SimDisk.replay(whole.journal.slice(0, steps)).cut(mode));
      const keys = new DeviceKeys(fs, FILE);
      const loaded = await keys.load();
      const isNew = loaded.signer.keyId === signer.keyId;
      t.true(isNew || loaded.signer.keyId === keyId, `${steps} ${mode.keeps}`);
      t.is(loaded.rotations.length, isNew ? 1 : 0, `${steps} ${mode.keeps}`);
      await keys.rotate('cam-1', 7, nothing);
      t.is((await keys.load()).rotations.length, isNew ? 2 : 1);
    }
  }
});

test('rotations that do not lead to the key are keys/malformed; a damaged list is told as such', async (t) => {
  const { fs } = await made();
  await new DeviceKeys(fs, FILE).rotate('cam-1', 4, nothing);
  const list = await fs.readFile('/internal/rotations', 100_000);
  const other = await made();
  await other.fs.writeAtomic('/internal/rotations', list);
  await rejectsWith(t, 'keys/malformed', () => new DeviceKeys(other.fs, FILE).load());
  await fs.writeAtomic('/internal/rotations', list.subarray(1));
  await rejectsWith(t, 'evidence/malformed', () => new DeviceKeys(fs, FILE).load());
  t.throws(() => parseRotations('x'), { code: 'evidence/malformed' });
  t.deepEqual(parseRotations(''), []);
  t.deepEqual(await readRotations(fs, '/nowhere'), []);
});

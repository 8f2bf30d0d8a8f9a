import test from 'ava';
import { formatEnvelope } from '../../../src/evidence/dsse.js';
import {
  chainOf,
  keyInForce,
  openRotation,
  sealRotation,
} from '../../../src/evidence/key-rotation.js';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import { openSessionKey, sealSessionKey } from '../../../src/evidence/session-key.js';
import {
  emptyTrust,
  findDevice,
  formatTrust,
  listDeviceKeys,
  listKeysOf,
  parseTrust,
  withDevice,
  withRotations,
} from '../../../src/evidence/trust.js';
import { fastSigner } from '../../support/fast-signer.js';

const [first, second, third] = [fastSigner(), fastSigner(), fastSigner()];
const one = sealRotation('cam-1', 5, first, second);
const two = sealRotation('cam-1', 9, second, third);
const trust = withDevice(emptyTrust(), 'cam-1', toSpkiBase64(first.publicKey));

test('a rotation is signed by the old key and the new one, and by nobody else', (t) => {
  t.like(openRotation(one), { device: 'cam-1', from_boot: 5, old: first.keyId, new: second.keyId });
  for (const index of [0, 1]) {
    const alone = { ...one, signatures: one.signatures.toSpliced(index, 1) };
    t.throws(() => openRotation(alone), { code: 'evidence/bad-signature' });
  }
  const [a, b] = one.signatures;
  if (a === undefined || b === undefined) return t.fail();
  const twice = { ...one, signatures: [a, a] };
  t.throws(() => openRotation(twice), { code: 'evidence/bad-signature' });
  const forged = { ...one, signatures: [a, { ...b, sig: a.sig }] };
  t.throws(() => openRotation(forged), { code: 'evidence/bad-signature' });
  t.throws(() => openRotation(sealRotation('cam-1', 5, first, first)), {
    code: 'evidence/malformed',
  });
});

test('each key of a chain certifies the boots from its own up to the next', (t) => {
  const chain = chainOf('cam-1', first.publicKey, [one, two]);
  const keys = [0, 4, 5, 8, 9, 1000].map((boot) => keyInForce(chain, boot));
  const wanted = [first, first, second, second, third, third].map(({ publicKey }) => publicKey);
  t.deepEqual(keys, wanted);
  t.deepEqual(keyInForce(chain), third.publicKey);
  const session = fastSigner();
  const certify = (boot: number, key: typeof first) =>
    openSessionKey(sealSessionKey({ device: 'cam-1', boot, issuedMonoMs: 0 }, session, key), chain);
  t.is(certify(5, second).certificate.boot, 5);
  t.throws(() => certify(5, first), { code: 'evidence/bad-signature' });
  t.throws(() => certify(4, second), { code: 'evidence/bad-signature' });
});

test('a rotation of another device, out of order, or of a key that is not the newest is no chain', (t) => {
  const wrong = [
    [sealRotation('cam-2', 5, first, second)],
    [two],
    [one, sealRotation('cam-1', 5, second, third)],
    [one, one],
    [one, sealRotation('cam-1', 9, first, third)],
  ];
  for (const rotations of wrong) {
    t.throws(() => chainOf('cam-1', first.publicKey, rotations), { code: 'evidence/malformed' });
  }
});

test('a trust file follows a device through its rotations, from whichever key it trusted', (t) => {
  const followed = withRotations(trust, 'cam-1', [one, two]);
  t.deepEqual(findDevice(followed, 'cam-1'), third.publicKey);
  t.deepEqual(findDevice(followed, 'cam-1', 6), second.publicKey);
  t.is(listKeysOf(followed, 'cam-1').length, 3);
  t.is(listDeviceKeys(followed).length, 3);
  t.deepEqual(parseTrust(formatTrust(followed)), followed);
  t.deepEqual(withRotations(followed, 'cam-1', [one, two]), followed);
  t.deepEqual(withRotations(withRotations(trust, 'cam-1', [one]), 'cam-1', [one, two]), followed);
  const later = withDevice(emptyTrust(), 'cam-1', toSpkiBase64(second.publicKey));
  t.deepEqual(findDevice(withRotations(later, 'cam-1', [one, two]), 'cam-1'), third.publicKey);
  t.deepEqual(withRotations(trust, 'cam-2', [one]), trust);
  t.deepEqual(listKeysOf(trust, 'cam-2'), []);
});

test('a trust file with rotations that do not follow is malformed, as a whole', (t) => {
  const entry = { device: 'cam-1', spki: toSpkiBase64(first.publicKey) };
  for (const rotations of [
    ['x'],
    [formatEnvelope(two)],
    [formatEnvelope(one), formatEnvelope(one)],
  ]) {
    const text = JSON.stringify({ v: 1, devices: [{ ...entry, rotations }], receivers: [] });
    t.throws(() => parseTrust(text), { code: 'evidence/malformed' });
  }
  const forged = sealRotation('cam-1', 5, third, second);
  t.deepEqual(withRotations(trust, 'cam-1', [forged]), trust, 'nobody follows a stranger');
});

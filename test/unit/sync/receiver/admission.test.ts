import test from 'ava';
import { CameraError } from '../../../../src/errors.js';
import { chainOf, sealRotation } from '../../../../src/evidence/key-rotation.js';
import { sealManifest } from '../../../../src/evidence/manifest.js';
import type { Manifest } from '../../../../src/evidence/manifest.js';
import { admit } from '../../../../src/sync/receiver/admission.js';
import { SEGMENT_LEAVES_MAX } from '../../../../src/sync/messages.js';
import {
  digestOf,
  makeDevice,
  makeSigner,
  sealSegment,
} from '../../../support/sync/sealed-segment.js';

const owner = makeDevice('cam-1', 17);
const publicKey = owner.deviceKey.publicKey;
const segment = sealSegment(owner, { plainBytes: 10 });
const item = { key: 4, ref: segment.ref, manifest: segment.manifest };
const certificates = new Map([[17, owner.certificate]]);
const refused = { instanceOf: CameraError, code: 'sync/refused' };
const badSignature = { instanceOf: CameraError, code: 'evidence/bad-signature' };

const resigned = (change: Partial<Manifest>, signer = owner.session) =>
  sealManifest({ ...segment.content, ...change }, signer);

test('a segment is admitted when device key, certificate and manifest are one chain', (t) => {
  const admitted = admit('cam-1', publicKey, item, certificates);
  t.like(admitted, { device: 'cam-1', key: 4, ref: segment.ref, digest: digestOf(segment) });
  t.deepEqual(admitted.headsPublicKey, owner.session.publicKey);
  t.deepEqual([...admitted.certificates], [[17, owner.certificate]]);
});

test('a stranger cannot certify a session', (t) => {
  const thief = makeDevice('cam-1', 17);
  const forged = new Map([[17, thief.certificate]]);
  t.throws(() => admit('cam-1', publicKey, item, forged), badSignature);
});

test('after a rotation a segment of an earlier boot is admitted by the key before, a later one only by the new one', (t) => {
  const fresh = makeSigner();
  const rotatedAt = (boot: number) =>
    chainOf('cam-1', publicKey, [sealRotation('cam-1', boot, owner.deviceKey, fresh)]);
  t.notThrows(() => admit('cam-1', rotatedAt(18), item, certificates));
  t.throws(() => admit('cam-1', rotatedAt(17), item, certificates), badSignature);
});

test('a session key of another boot or device does not speak for this one', (t) => {
  const boot18 = makeDevice('cam-1', 18, owner.deviceKey);
  t.throws(() => admit('cam-1', publicKey, item, new Map([[17, boot18.certificate]])), refused);
  const cam2 = makeDevice('cam-2', 17, owner.deviceKey);
  t.throws(() => admit('cam-1', publicKey, item, new Map([[17, cam2.certificate]])), refused);
  t.throws(() => admit('cam-1', publicKey, item, new Map()), refused);
});

test('a manifest must be signed by the session key, for this device and this segment', (t) => {
  const offered = (manifest: typeof item.manifest) => () =>
    admit('cam-1', publicKey, { ...item, manifest }, certificates);
  t.throws(offered(resigned({}, makeSigner())), badSignature);
  t.throws(offered(resigned({ device: 'cam-2' })), refused);
  t.throws(offered(resigned({ seq: 1 })), refused);
  t.throws(offered(owner.certificate), { code: 'evidence/malformed' });
});

test('a segment of more leaves than a transfer can carry is refused before anything is asked for', (t) => {
  const { file } = segment.content;
  const n = SEGMENT_LEAVES_MAX + 1;
  const size = file.head + (n - 1) * file.leaf;
  const manifest = resigned({ file: { ...file, n, size } });
  t.throws(() => admit('cam-1', publicKey, { ...item, manifest }, certificates), refused);
  const within = { ...file, n: n - 1, size: size - file.leaf };
  const largest = resigned({ file: within });
  t.notThrows(() => admit('cam-1', publicKey, { ...item, manifest: largest }, certificates));
});

test('a head larger than a leaf is refused', (t) => {
  const { file } = segment.content;
  const head = file.leaf + 1;
  const manifest = resigned({ file: { ...file, head, size: file.size - file.head + head } });
  t.throws(() => admit('cam-1', publicKey, { ...item, manifest }, certificates), refused);
});

test('what recovery sealed is judged by the key of the boot that sealed it, its heads by their own', (t) => {
  const later = makeDevice('cam-1', 18, owner.deviceKey);
  const { n } = segment.content.file;
  const recovered = { end: 'power-loss', recovered: { signed: 0, tail: n, head: null } } as const;
  const change = { ...recovered, sealed_by: 18, key: later.session.keyId };
  const manifest = resigned(change, later.session);
  const both = new Map([...certificates, [18, later.certificate] as const]);
  const admitted = admit('cam-1', publicKey, { ...item, manifest }, both);
  t.deepEqual(admitted.headsPublicKey, owner.session.publicKey);
  t.deepEqual([...admitted.certificates.keys()].sort(), [17, 18]);
  const lost = new Map([[18, later.certificate]]);
  t.is(admit('cam-1', publicKey, { ...item, manifest }, lost).headsPublicKey, undefined);
  t.throws(() => admit('cam-1', publicKey, { ...item, manifest }, certificates), refused);
});

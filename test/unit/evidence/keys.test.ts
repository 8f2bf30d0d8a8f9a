import { createPrivateKey, randomBytes, sign } from 'node:crypto';
import test from 'ava';
import {
  fromSpkiBase64,
  keyIdOf,
  toSpkiBase64,
  verifySignature,
} from '../../../src/evidence/public-key.js';
import { SEED_BYTES, createSigner } from '../../../src/evidence/signer.js';

/** RFC 8032 §7.1, TEST 2. */
const RFC_8032 = {
  seed: '4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb',
  publicKey: '3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c',
  message: '72',
  signature:
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
};
const hex = (text: string): Buffer => Buffer.from(text, 'hex');

test('the signer gives key and signature of RFC 8032', (t) => {
  const signer = createSigner(hex(RFC_8032.seed));
  t.is(signer.publicKey.toString('hex'), RFC_8032.publicKey);
  t.is(signer.sign(hex(RFC_8032.message)).toString('hex'), RFC_8032.signature);
});

test('tweetnacl and node:crypto sign alike, and node:crypto accepts both', (t) => {
  for (let length = 0; length < 1000; length += 97) {
    const seed = randomBytes(SEED_BYTES);
    const bytes = randomBytes(length);
    const signer = createSigner(seed);
    const der = Buffer.concat([hex('302e020100300506032b657004220420'), seed]);
    const key = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    const signature = signer.sign(bytes);
    t.deepEqual(signature, sign(null, bytes, key));
    t.true(verifySignature(signer.publicKey, bytes, signature));
  }
});

test('another message, signature, key or length is refused without an error', (t) => {
  const signer = createSigner(randomBytes(SEED_BYTES));
  const bytes = Buffer.from('evidence');
  const signature = signer.sign(bytes);
  const changed = Buffer.from(signature);
  changed.writeUInt8(changed.readUInt8(63) ^ 1, 63);
  const stranger = createSigner(randomBytes(SEED_BYTES)).publicKey;
  t.false(verifySignature(signer.publicKey, Buffer.from('evidencf'), signature));
  t.false(verifySignature(signer.publicKey, bytes, changed));
  t.false(verifySignature(stranger, bytes, signature));
  t.false(verifySignature(signer.publicKey, bytes, signature.subarray(1)));
  t.false(verifySignature(signer.publicKey.subarray(1), bytes, signature));
  t.false(verifySignature(Buffer.alloc(32, 0xff), bytes, signature));
});

test('a destroyed signer signs no more; the seed given is left alone and may be overwritten', (t) => {
  const seed = randomBytes(SEED_BYTES);
  const copy = Buffer.from(seed);
  const signer = createSigner(seed);
  const before = signer.sign(Buffer.from('x'));
  t.deepEqual(seed, copy);
  seed.fill(0);
  t.deepEqual(signer.sign(Buffer.from('x')), before);
  signer.destroy();
  signer.destroy();
  t.throws(() => signer.sign(Buffer.from('x')), { message: 'signer is destroyed' });
  t.throws(() => createSigner(randomBytes(31)), { instanceOf: RangeError });
});

test('SPKI text and raw key convert both ways, and nothing else is taken', (t) => {
  const { publicKey, keyId } = createSigner(hex(RFC_8032.seed));
  const text = toSpkiBase64(publicKey);
  t.is(text, 'MCowBQYDK2VwAyEAPUAXw+hDiVqStwqnTRt+vJyYLM8uxJaMwM1V8Sr0Zgw=');
  t.deepEqual(fromSpkiBase64(text), publicKey);
  t.is(keyIdOf(publicKey), keyId);
  t.regex(keyId, /^[0-9a-f]{16}$/);
  const x25519 = Buffer.concat([hex('302a300506032b656e032100'), publicKey]).toString('base64');
  const spareBit = text.replace('gw=', 'gx=');
  for (const bad of ['', text.slice(1), `${text}\n`, x25519, spareBit, text.replace('=', '')]) {
    t.throws(() => fromSpkiBase64(bad), { code: 'evidence/malformed' });
  }
});

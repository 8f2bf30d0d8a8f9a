import { randomBytes } from 'node:crypto';
import test from 'ava';
import {
  PAYLOAD_BYTES_MAX,
  decodePayload,
  formatEnvelope,
  formatEnvelopeFile,
  openEnvelope,
  pae,
  parseEnvelope,
  parseEnvelopeFile,
  payloadDigest,
  sealDocument,
  signedBytes,
} from '../../../src/evidence/dsse.js';
import type { Envelope } from '../../../src/evidence/dsse.js';
import { DEPTH_MAX, parseCanonical, toCanonicalBytes } from '../../../src/evidence/jcs.js';
import { sha256Hex } from '../../../src/evidence/merkle-tree.js';
import { createSigner } from '../../../src/evidence/signer.js';

const TYPE = 'application/vnd.lapel.test.v1+json';
const signer = createSigner(randomBytes(32));
const other = createSigner(randomBytes(32));
const document = { seq: 42, name: 'Ä', list: [1, 2], nothing: null };
const envelope = sealDocument(document, TYPE, signer);

test('PAE is that of the DSSE specification', (t) => {
  const spec = pae('http://example.com/HelloWorld', Buffer.from('hello world'));
  t.is(spec.toString(), 'DSSEv1 29 http://example.com/HelloWorld 11 hello world');
  t.is(pae('ä', Buffer.alloc(0)).toString(), 'DSSEv1 2 ä 0 ');
});

test('a sealed document opens to its canonical bytes', (t) => {
  const body = openEnvelope(envelope, TYPE, [other.publicKey, signer.publicKey]);
  t.is(body.toString(), '{"list":[1,2],"name":"Ä","nothing":null,"seq":42}');
  t.deepEqual(decodePayload(envelope), body);
  t.is(payloadDigest(envelope), sha256Hex(body));
  t.deepEqual(signedBytes(envelope), pae(TYPE, body));
});

test('another type, payload, key, key id or no signature is refused', (t) => {
  const keys = [signer.publicKey, other.publicKey];
  const { payload } = sealDocument({ seq: 43 }, TYPE, signer);
  const [signature] = envelope.signatures;
  const sig = signature?.sig ?? '';
  const open =
    (changed: Partial<Envelope>): (() => Buffer) =>
    () =>
      openEnvelope({ ...envelope, ...changed }, TYPE, keys);
  t.throws(() => openEnvelope(envelope, `${TYPE}x`, keys), { code: 'evidence/malformed' });
  t.throws(open({ payload }), { code: 'evidence/bad-signature' });
  t.throws(open({ signatures: [{ keyid: other.keyId, sig }] }), { code: 'evidence/bad-signature' });
  t.throws(open({ signatures: [{ keyid: '0'.repeat(16), sig }] }), {
    code: 'evidence/bad-signature',
  });
  t.throws(open({ signatures: [] }), { code: 'evidence/bad-signature' });
  t.throws(() => openEnvelope(envelope, TYPE, [other.publicKey]), {
    code: 'evidence/bad-signature',
  });
  t.throws(() => openEnvelope(envelope, TYPE, []), { code: 'evidence/bad-signature' });
});

test('a type cannot be exchanged together with the field: the signature covers it', (t) => {
  const type = 'application/vnd.lapel.other.v1+json';
  const disguised = { ...envelope, payloadType: type };
  t.throws(() => openEnvelope(disguised, type, [signer.publicKey]), {
    code: 'evidence/bad-signature',
  });
});

test('of several signatures every one must hold', (t) => {
  const second = sealDocument(document, TYPE, other).signatures;
  const both = { ...envelope, signatures: [...envelope.signatures, ...second] };
  t.notThrows(() => openEnvelope(both, TYPE, [signer.publicKey, other.publicKey]));
  t.throws(() => openEnvelope(both, TYPE, [signer.publicKey]), { code: 'evidence/bad-signature' });
});

test('an envelope has one text form', (t) => {
  const line = formatEnvelope(envelope);
  t.deepEqual(parseEnvelope(line), envelope);
  t.deepEqual(parseEnvelope(`${line}\n`), envelope);
  t.deepEqual(parseEnvelopeFile(formatEnvelopeFile(envelope)), envelope);
  t.throws(() => parseEnvelopeFile(line), { code: 'evidence/malformed' });
  const keysSwapped = JSON.stringify(Object.fromEntries(Object.entries(envelope).reverse()));
  const spare = line.replace(/.=="/, (end) => `${end === 'Q=="' ? 'R' : 'B'}=="`);
  t.not(spare, line);
  const variants = [
    '',
    'null',
    '[]',
    `${line}\n\n`,
    ` ${line}`,
    line.replace(':', ': '),
    line.slice(0, -1),
    keysSwapped,
    spare,
    line.replace('=', ''),
    line.replace('"payload"', '"payload":"","payload"'),
    line.replace('"payload"', '"__proto__":1,"payload"'),
    line.replace('a', '\\u0061'),
    line + ' '.repeat(100_000),
  ];
  for (const text of variants) t.throws(() => parseEnvelope(text), { code: 'evidence/malformed' });
});

test('a document too large for a log entry is refused', (t) => {
  const text = 'x'.repeat(PAYLOAD_BYTES_MAX);
  t.throws(() => sealDocument({ text }, TYPE, signer), { code: 'evidence/malformed' });
  const largest = sealDocument({ t: text.slice(8) }, TYPE, signer);
  t.is(decodePayload(largest).length, PAYLOAD_BYTES_MAX);
  t.deepEqual(parseEnvelope(formatEnvelope(largest)), largest);
  t.true(signedBytes(largest).length < 65_536);
});

test('canonical bytes are those of RFC 8785: sorted keys, no white space, UTF-8', (t) => {
  const bytes = toCanonicalBytes({
    '\u20ac': 1,
    '\r': 2,
    1: 3,
    '\u00f6': '\u0007"\\',
    a: [true, null],
  });
  t.is(bytes.toString(), '{"\\r":2,"1":3,"a":[true,null],"ö":"\\u0007\\"\\\\","€":1}');
  t.deepEqual(parseCanonical(bytes), JSON.parse(bytes.toString()));
});

test('what has no portable form is refused', (t) => {
  const deep = Array.from({ length: DEPTH_MAX + 1 }).reduce<unknown>((inner) => [inner], 1);
  const bad = [0.5, 2 ** 53, -0, NaN, Infinity, '\ud800', '\udc00x', undefined, () => 1, 1n, deep];
  for (const value of bad) {
    t.throws(() => toCanonicalBytes({ value }), { code: 'evidence/malformed' });
  }
  t.throws(() => toCanonicalBytes({ '\ud800': 1 }), { code: 'evidence/malformed' });
  t.throws(() => toCanonicalBytes(undefined), { code: 'evidence/malformed' });
  t.is(toCanonicalBytes({ value: -(2 ** 53 - 1) }).toString(), '{"value":-9007199254740991}');
});

test('bytes that mean the same but are not canonical are refused', (t) => {
  const variants = [
    '',
    '{',
    '{ }',
    '{"b":1,"a":2}',
    '{"a":1,"a":1}',
    '{"a":1.0}',
    '{"a":1e0}',
    '"\\u0061"',
  ];
  for (const text of [...variants, '\ufeff{}', '{}\n', '['.repeat(50_000)]) {
    t.throws(() => parseCanonical(Buffer.from(text)), { code: 'evidence/malformed' });
  }
  t.throws(() => parseCanonical(Buffer.from([0x22, 0xff, 0x22])), { code: 'evidence/malformed' });
});

import { createCipheriv, randomBytes } from 'node:crypto';
import {
  Decrypter,
  Encrypter,
  Stanza,
  generateX25519Identity,
  identityToRecipient,
} from 'age-encryption';
import test from 'ava';
import {
  AgeWriter,
  CHUNK_BYTES,
  LEAF_BYTES,
  decryptWhole,
  encryptWhole,
  openAge,
} from '../../../src/evidence/age-container.js';
import {
  HEAD_BYTES_MAX,
  RECIPIENTS_MAX,
  buildHeader,
  deriveKey,
  headLength,
} from '../../../src/evidence/age-header.js';
import { generateIdentity, parseRecipient } from '../../../src/evidence/age-recipients.js';
import { flip } from '../../support/sealed-recording.js';

const people = [generateIdentity(), generateIdentity()];
const recipients = people.map(({ recipient }) => parseRecipient(recipient));
const [first, second] = people.map(({ identity }) => identity);
const identity = first ?? '';
const SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 200_003];

test('what we write, typage and our reader decrypt, for every recipient and at every boundary', async (t) => {
  for (const size of SIZES) {
    const plain = randomBytes(size);
    const file = encryptWhole(plain, recipients);
    for (const key of [identity, second ?? '']) {
      const typage = new Decrypter();
      typage.addIdentity(key);
      t.deepEqual(Buffer.from(await typage.decrypt(file)), plain);
      t.deepEqual(decryptWhole(file, key), { plain, isComplete: true, badLeaves: [] });
    }
  }
});

test('what typage writes, our reader decrypts', async (t) => {
  for (const size of SIZES) {
    const plain = randomBytes(size);
    const encrypter = new Encrypter();
    encrypter.addRecipient(await identityToRecipient(await generateX25519Identity()));
    encrypter.addRecipient(people[1]?.recipient ?? '');
    const file = Buffer.from(await encrypter.encrypt(plain));
    t.deepEqual(decryptWhole(file, second ?? ''), { plain, isComplete: true, badLeaves: [] });
  }
});

test('stanzas of other kinds are passed over', async (t) => {
  const encrypter = new Encrypter();
  encrypter.addRecipient(people[0]?.recipient ?? '');
  encrypter.addRecipient({
    wrapFileKey: () => [
      new Stanza(['grease', 'a', 'b'], new Uint8Array(96)),
      new Stanza(['empty'], new Uint8Array(0)),
    ],
  });
  const file = Buffer.from(await encrypter.encrypt('hello'));
  t.is(decryptWhole(file, identity).plain.toString(), 'hello');
});

test('leaves are whole chunks; the newest bytes wait, at most one chunk of them', (t) => {
  const writer = new AgeWriter(recipients);
  t.is(headLength(writer.head), writer.head.length);
  t.deepEqual(writer.push(Buffer.alloc(CHUNK_BYTES)), []);
  t.is(writer.pendingBytes, CHUNK_BYTES);
  const leaves = writer.push(Buffer.alloc(2 * CHUNK_BYTES + 1));
  t.deepEqual(
    leaves.map(({ length }) => length),
    [LEAF_BYTES, LEAF_BYTES, LEAF_BYTES],
  );
  t.is(writer.pendingBytes, 1);
  t.is(writer.end().length, 17);
  t.throws(() => writer.push(Buffer.alloc(1)), { message: 'age file has ended' });
  t.throws(() => writer.end(), { message: 'age file has ended' });
});

test('a pushed buffer may be reused at once', (t) => {
  const writer = new AgeWriter(recipients);
  const plain = randomBytes(150_000);
  const shared = Buffer.alloc(10_000);
  const parts = [writer.head];
  for (let at = 0; at < plain.length; at += shared.length) {
    plain.copy(shared, 0, at);
    parts.push(...writer.push(shared));
    shared.fill(0);
  }
  const file = Buffer.concat([...parts, writer.end()]);
  t.deepEqual(decryptWhole(file, identity).plain, plain);
});

test('the observer sees every chunk of plaintext once, in order', (t) => {
  const seen: Buffer[] = [];
  const writer = new AgeWriter(recipients, (parts) => seen.push(Buffer.concat(parts)));
  const plain = randomBytes(200_000);
  writer.push(plain.subarray(0, 100_000));
  writer.push(plain.subarray(100_000));
  writer.end();
  t.deepEqual(
    seen.map(({ length }) => length),
    [65_536, 65_536, 65_536, 3392],
  );
  t.deepEqual(Buffer.concat(seen), plain);
});

test('no two files share a header, a nonce or a ciphertext', (t) => {
  const [a, b] = [
    encryptWhole(Buffer.alloc(100), recipients),
    encryptWhole(Buffer.alloc(100), recipients),
  ];
  t.notDeepEqual(a.subarray(0, 100), b.subarray(0, 100));
  t.notDeepEqual(a.subarray(-116), b.subarray(-116));
});

test('none or too many recipients cannot be written to', (t) => {
  const [recipient] = recipients;
  if (recipient === undefined) return t.fail();
  const many = Array.from({ length: RECIPIENTS_MAX + 1 }, () => recipient);
  t.throws(() => new AgeWriter([]), { code: 'evidence/bad-recipient' });
  t.throws(() => new AgeWriter(many), { code: 'evidence/bad-recipient' });
  const most = encryptWhole(Buffer.from('x'), many.slice(1));
  t.is(decryptWhole(most, identity).plain.toString(), 'x');
  const lowOrder = { text: '', publicKey: Buffer.alloc(32) };
  t.throws(() => new AgeWriter([lowOrder]), { code: 'evidence/bad-recipient' });
});

test('a stranger, and what is no identity, cannot open', (t) => {
  const file = encryptWhole(Buffer.from('x'), recipients);
  t.throws(() => decryptWhole(file, generateIdentity().identity), { code: 'evidence/wrong-key' });
  t.throws(() => decryptWhole(file, 'secret'), { code: 'evidence/wrong-key' });
});

test('any changed byte of the header makes it unreadable', (t) => {
  const writer = new AgeWriter(recipients);
  // The nonce is under the chunks' tags, not under the header's MAC.
  for (let at = 0; at < writer.head.length - 16; at += 1) {
    const act = (): unknown => openAge(flip(writer.head, at), identity);
    const error = t.throws(act, { name: 'CameraError' });
    t.regex(error.message, /age|sealed|header/);
  }
});

test('a header must end where it says, and within its limit', (t) => {
  const { head } = new AgeWriter(recipients);
  t.is(headLength(Buffer.concat([head, Buffer.alloc(100)])), head.length);
  const bad = [
    Buffer.alloc(0),
    head.subarray(0, -1),
    head.subarray(1),
    Buffer.from(`age-encryption.org/v1\n${'x'.repeat(HEAD_BYTES_MAX)}\n--- x\n${'0'.repeat(16)}`),
  ];
  for (const bytes of bad) t.throws(() => headLength(bytes), { code: 'evidence/malformed' });
  const more = Buffer.concat([head, Buffer.alloc(1)]);
  t.throws(() => openAge(more, identity), { code: 'evidence/malformed' });
});

test('a header with more stanzas than anyone needs is malformed', (t) => {
  const stanza = '-> x\n\n';
  const text = `age-encryption.org/v1\n${stanza.repeat(65)}--- ${'A'.repeat(43)}\n`;
  const head = Buffer.concat([Buffer.from(text), Buffer.alloc(16)]);
  t.throws(() => openAge(head, identity), { code: 'evidence/malformed', message: /too many/ });
});

test('stanzas that the format forbids are malformed', (t) => {
  const share = randomBytes(32).toString('base64').replace('=', '');
  const body = randomBytes(32).toString('base64').replace('=', '');
  const bad = [
    `-> X25519 ${share}\n${body}=\n`,
    `-> X25519 ${share} more\n${body}\n`,
    `-> X25519\n${body}\n`,
    `-> X25519 ${share.slice(1)}\n${body}\n`,
    `-> X25519 ${share}\n${body.slice(4)}\n`,
    `-> X25519 ${'A'.repeat(43)}\n${body}\n`,
    `->  X25519 ${share}\n${body}\n`,
    `-> X25519 ${share}\n${'A'.repeat(65)}\n`,
    `-> X25519 ${share}\n${'A'.repeat(64)}\n`,
    'text\n',
  ];
  for (const stanza of bad) {
    const text = `age-encryption.org/v1\n${stanza}--- ${'A'.repeat(43)}\n`;
    const head = Buffer.concat([Buffer.from(text), Buffer.alloc(16)]);
    t.throws(() => openAge(head, identity), { code: 'evidence/malformed' }, stanza);
  }
});

test('chunks open in any order, and at no other place', (t) => {
  const plain = randomBytes(2 * CHUNK_BYTES + 5);
  const writer = new AgeWriter(recipients);
  const leaves = [...writer.push(plain), writer.end()];
  const reader = openAge(writer.head, identity);
  for (const index of [2, 0, 1]) {
    const chunk = reader.openChunk(index, leaves[index] ?? Buffer.alloc(0));
    const start = index * CHUNK_BYTES;
    t.deepEqual(chunk.plain, plain.subarray(start, start + CHUNK_BYTES));
    t.is(chunk.isFinal, index === 2);
  }
  const middle = leaves[1] ?? Buffer.alloc(0);
  for (const [index, leaf] of [
    [0, middle],
    [1, flip(middle, 65_551)],
    [1, middle.subarray(1)],
    [1, Buffer.concat([middle, Buffer.alloc(1)])],
    [1, Buffer.alloc(15)],
    [1, Buffer.alloc(0)],
  ] as const) {
    t.throws(() => reader.openChunk(index, leaf), { code: 'evidence/malformed' });
  }
});

test('only an empty file has an empty chunk, even if a later one authenticates', (t) => {
  const writer = new AgeWriter(recipients);
  const leaf = writer.end();
  t.is(leaf.length, 16);
  const reader = openAge(writer.head, identity);
  t.deepEqual(reader.openChunk(0, leaf), { plain: Buffer.alloc(0), isFinal: true });

  // What a careless writer would make: an empty final chunk at index 1.
  const fileKey = randomBytes(16);
  const nonce = randomBytes(16);
  const careless = openAge(Buffer.concat([buildHeader(fileKey, recipients), nonce]), identity);
  const key = deriveKey(fileKey, nonce, 'payload');
  const seal = (chunkNonce: string): Buffer => {
    const iv = Buffer.from(chunkNonce, 'hex');
    const cipher = createCipheriv('chacha20-poly1305', key, iv, { authTagLength: 16 });
    return Buffer.concat([cipher.final(), cipher.getAuthTag()]);
  };
  t.true(careless.openChunk(0, seal('000000000000000000000001')).isFinal);
  const second = seal('000000000000000000000101');
  t.throws(() => careless.openChunk(1, second), { code: 'evidence/malformed' });
});

test('a cut file gives its whole chunks and says that it is not complete', (t) => {
  const plain = randomBytes(200_000);
  const file = encryptWhole(plain, recipients);
  const head = headLength(file);
  const inside = decryptWhole(file.subarray(0, head + 2 * LEAF_BYTES + 100), identity);
  t.deepEqual(inside, {
    plain: plain.subarray(0, 2 * CHUNK_BYTES),
    isComplete: false,
    badLeaves: [3],
  });
  const between = decryptWhole(file.subarray(0, head + 2 * LEAF_BYTES), identity);
  t.deepEqual(between, {
    plain: plain.subarray(0, 2 * CHUNK_BYTES),
    isComplete: false,
    badLeaves: [],
  });
});

test('a damaged chunk costs that chunk only, and bytes after the end are noticed', (t) => {
  const plain = randomBytes(200_000);
  const file = encryptWhole(plain, recipients);
  const damaged = decryptWhole(flip(file, headLength(file) + LEAF_BYTES + 9), identity);
  t.deepEqual(damaged.badLeaves, [2]);
  t.false(damaged.isComplete);
  const rest = Buffer.concat([plain.subarray(0, CHUNK_BYTES), plain.subarray(2 * CHUNK_BYTES)]);
  t.deepEqual(damaged.plain, rest);
  const small = Buffer.concat([encryptWhole(Buffer.from('x'), recipients), Buffer.alloc(3)]);
  t.false(decryptWhole(small, identity).isComplete);
});

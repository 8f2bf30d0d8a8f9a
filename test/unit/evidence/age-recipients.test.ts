import { generateX25519Identity, identityToRecipient } from 'age-encryption';
import test from 'ava';
import {
  generateIdentity,
  parseIdentity,
  parseRecipient,
  recipientOf,
} from '../../../src/evidence/age-recipients.js';
import { decodeBech32, encodeBech32 } from '../../../src/evidence/bech32.js';

/** From the age specification's test vectors: the key pair of the testkit. */
const IDENTITY = 'AGE-SECRET-KEY-1EGTZVFFV20835NWYV6270LXYVK2VKNX2MMDKWYKLMGR48UAWX40Q2P2LM0';

test('bech32 texts of BIP 173 decode, whatever their case, and encode back', (t) => {
  const valid: readonly (readonly [string, string])[] = [
    ['a', 'A12UEL5L'],
    ['a', 'a12uel5l'],
    [
      'an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio',
      'an83characterlonghumanreadablepartthatcontainsthenumber1andtheexcludedcharactersbio1tt5tgs',
    ],
    ['?', '?1ezyfcl'],
  ];
  for (const [prefix, text] of valid) {
    const bytes = decodeBech32(prefix, text);
    t.deepEqual(bytes, Buffer.alloc(0));
    t.is(encodeBech32(prefix, bytes ?? Buffer.alloc(1)), text.toLowerCase());
  }
  const long = decodeBech32('abcdef', 'abcdef1qpzry9x8gf2tvdw0s3jn54khce6mua7lmqqqxw');
  t.is(long?.toString('hex'), '00443214c74254b635cf84653a56d7c675be77df');
});

test('texts that BIP 173 calls invalid are refused', (t) => {
  const invalid = [
    'pzry9x0s0muk',
    '1pzry9x0s0muk',
    'x1b4n0q5v',
    'li1dgmt3',
    'A1G7SGD8',
    '10a06t8',
    '1qzzfhee',
    'A12uEL5L',
    'a12uel5m',
    `a1${'q'.repeat(100)}`,
  ];
  for (const text of invalid) {
    const cut = text.toLowerCase().lastIndexOf('1');
    t.is(decodeBech32(text.toLowerCase().slice(0, Math.max(cut, 0)), text), undefined);
  }
  t.is(decodeBech32('b', 'a12uel5l'), undefined);
});

test('bits that fill no byte must be zero and fewer than one character', (t) => {
  t.deepEqual(decodeBech32('a', 'a1qqqd87cq'), Buffer.from([0]));
  t.is(decodeBech32('a', 'a1qpamnt9j'), undefined);
  t.is(decodeBech32('a', 'a1qqqd87cpp'), undefined);
});

test('our keys and those of typage are the same keys', async (t) => {
  const theirs = await generateX25519Identity();
  t.is(recipientOf(theirs), await identityToRecipient(theirs));
  const ours = generateIdentity();
  t.is(await identityToRecipient(ours.identity), ours.recipient);
  t.is(recipientOf(ours.identity), ours.recipient);
  t.deepEqual(parseRecipient(ours.recipient).publicKey, parseIdentity(ours.identity).publicKey);
  t.is(parseRecipient(ours.recipient).text, ours.recipient);
});

test('only X25519 recipients are taken', (t) => {
  const { recipient, identity } = generateIdentity();
  const bad = [
    '',
    'passphrase',
    `${recipient} `,
    recipient.toUpperCase(),
    recipient.slice(0, -1),
    recipient.replace('age1', 'age1yubikey1'),
    `age1pq1${'q'.repeat(60)}`,
    'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHsKLqeplhpW+uObz5dvMgjz1OxfM/XXUB+VHtZ6isGN',
    identity,
    encodeBech32('age', Buffer.alloc(31, 7)),
    encodeBech32('age', Buffer.alloc(33, 7)),
  ];
  for (const text of bad) {
    const error = t.throws(() => parseRecipient(text), { code: 'evidence/bad-recipient' });
    if (text.length > 20) t.false(error.message.includes(text.slice(0, 20)));
  }
});

test('a recipient of low order is refused before anything is sealed to it', (t) => {
  const lowOrder = [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    'e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800',
  ];
  for (const hex of lowOrder) {
    const text = encodeBech32('age', Buffer.from(hex, 'hex'));
    t.throws(() => parseRecipient(text), { code: 'evidence/bad-recipient', message: /low order/ });
  }
});

test('only X25519 identities are taken, and no message repeats a secret', (t) => {
  t.notThrows(() => parseIdentity(IDENTITY));
  const { recipient } = generateIdentity();
  for (const text of [
    '',
    recipient,
    IDENTITY.toLowerCase(),
    IDENTITY.slice(0, -1),
    `${IDENTITY}\n`,
  ]) {
    const error = t.throws(() => parseIdentity(text), { code: 'evidence/wrong-key' });
    t.notRegex(error.message, /EGTZVFF/i);
  }
});

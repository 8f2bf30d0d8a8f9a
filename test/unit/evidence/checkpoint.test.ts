import test from 'ava';
import {
  cosignatureLine,
  deviceOfOrigin,
  findCosignature,
  openCheckpoint,
  originOf,
  parseCheckpoint,
  sealCheckpoint,
} from '../../../src/evidence/checkpoint.js';
import {
  formatConsistency,
  formatInclusion,
  openConsistency,
  openInclusion,
  parseConsistency,
  parseInclusion,
} from '../../../src/evidence/log-proof.js';
import { leafHash, rootOfLeaves } from '../../../src/evidence/merkle-tree.js';
import {
  formatNote,
  formatNoteKey,
  parseNote,
  signNote,
  verifyNote,
} from '../../../src/evidence/signed-note.js';
import { createSigner } from '../../../src/evidence/signer.js';
import {
  hashesOfLeaves,
  proveConsistency,
  proveInclusion,
} from '../../../src/evidence/tree-hashes.js';
import { fastSigner } from '../../support/fast-signer.js';

// The key, text and note of golang.org/x/mod/sumdb/note, which other implementations test themselves with.
const GO_SEED = 'AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz';
const GO_KEY = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW';
const GO_TEXT =
  'If you think cryptography is the answer to your problem,\n' +
  "then you don't know what your problem is.\n";
const GO_NOTE = `${GO_TEXT}\n— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n`;
// The examples of c2sp.org/signed-note and c2sp.org/tlog-checkpoint.
const POEM =
  'Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n' +
  '— quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n';
const SOFA =
  'example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n' +
  '— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n';

const peter = createSigner(Buffer.from(GO_SEED, 'base64').subarray(1));
const named = { name: 'PeterNeumann', publicKey: peter.publicKey };

test('a note signed here is byte for byte that of the Go reference, and its key has the same text form', (t) => {
  t.is(signNote(GO_TEXT, [{ name: 'PeterNeumann', signer: peter }]), GO_NOTE);
  t.is(formatNoteKey(named), GO_KEY);
  t.deepEqual(verifyNote(parseNote(GO_NOTE), [named]), [named]);
});

test('the examples of the specifications are read and written back', (t) => {
  t.is(formatNote(parseNote(POEM)), POEM);
  t.is(parseNote(POEM).signatures[0]?.name, 'quasimodo.example/salvatore');
  const checkpoint = parseCheckpoint(SOFA);
  t.is(checkpoint.origin, 'example.com/behind-the-sofa');
  t.is(checkpoint.size, 20_852_163);
  t.is(checkpoint.root.toString('base64'), 'CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=');
});

test('a changed note, and one that nobody known has signed, is evidence/bad-signature', (t) => {
  const changed = parseNote(GO_NOTE.replace('cryptography', 'cryptographY'));
  t.throws(() => verifyNote(changed, [named]), { code: 'evidence/bad-signature' });
  const stranger = { name: 'PeterNeumann', publicKey: fastSigner().publicKey };
  t.throws(() => verifyNote(parseNote(GO_NOTE), [stranger]), { code: 'evidence/bad-signature' });
  t.deepEqual(verifyNote(parseNote(GO_NOTE), [stranger, named]), [named]);
});

test('what is not in the form of a note is malformed', (t) => {
  const wrong = [
    '',
    GO_TEXT,
    GO_NOTE.slice(0, -1),
    `${GO_NOTE}\n`,
    GO_NOTE.replace('— ', '- '),
    GO_NOTE.replace('— PeterNeumann', '— Peter+Neumann'),
    GO_NOTE.replace('AM=\n', 'AN=\n'),
    GO_NOTE.replace('— PeterNeumann x08go', '— PeterNeumann  x08go'),
    GO_NOTE.replace('problem is', 'problem\ris'),
    `${GO_TEXT}\n`,
    `${GO_TEXT}\n— a AAAAAA==\n`,
    GO_NOTE + '— a AAAAAAA=\n'.repeat(64),
  ];
  for (const note of wrong) {
    t.throws(() => parseNote(note), { code: 'evidence/malformed' }, JSON.stringify(note));
  }
  t.throws(() => signNote('no newline', [{ name: 'a', signer: peter }]));
  t.throws(() => signNote('text\n', [{ name: 'a b', signer: peter }]));
});

const device = 'cam-1';
const [oldKey, newKey, witness] = [fastSigner(), fastSigner(), fastSigner()];
const leaves = Buffer.concat(
  Array.from({ length: 9 }, (_, n) => leafHash(Buffer.from(`entry ${n}`))),
);
const headOf = (size: number) => ({ size, root: rootOfLeaves(leaves.subarray(0, size * 32)) });

test('a checkpoint names device, size and root, and opens with any key of the device that signed it', (t) => {
  const text = sealCheckpoint(device, headOf(9), [oldKey, newKey]);
  t.regex(
    text,
    /^lapel\.example\/cam-1\n9\n[A-Za-z0-9+/]{43}=\n\n— lapel\.example\/cam-1 .*\n— lapel\.example\/cam-1 .*\n$/u,
  );
  for (const key of [oldKey, newKey]) {
    const checkpoint = openCheckpoint(text, device, [key.publicKey]);
    t.is(checkpoint.size, 9);
    t.deepEqual(checkpoint.root, headOf(9).root);
  }
  t.throws(() => openCheckpoint(text, device, [witness.publicKey]), {
    code: 'evidence/bad-signature',
  });
  t.throws(() => openCheckpoint(text, 'cam-2', [oldKey.publicKey]), { code: 'evidence/malformed' });
  t.is(deviceOfOrigin(originOf(device)), device);
  t.is(deviceOfOrigin('example.com/x'), undefined);
});

test('what is not a checkpoint is malformed, extension lines are not', (t) => {
  const name = originOf(device);
  const root = headOf(9).root.toString('base64');
  const sign = (text: string): string => signNote(text, [{ name, signer: oldKey }]);
  t.is(parseCheckpoint(sign(`${name}\n9\n${root}\nmore\n`)).size, 9);
  const wrong = [
    `${name}\n9\n`,
    `${name}\n09\n${root}\n`,
    `${name}\n-1\n${root}\n`,
    `${name}\n9.0\n${root}\n`,
    `${name}\n9999999999\n${root}\n`,
    `${name}\n9\n${root.slice(4)}\n`,
    `${name}\n9\n${root}\n\nmore\n`,
    `\n9\n${root}\n`,
  ];
  for (const text of wrong) {
    t.throws(() => parseCheckpoint(sign(text)), { code: 'evidence/malformed' }, text);
  }
});

test('a cosignature gives the second of its witness, and one that does not hold is refused', (t) => {
  const text = sealCheckpoint(device, headOf(9), [oldKey]);
  const name = 'dock.example/rx1';
  const line = cosignatureLine(name, witness, parseCheckpoint(text), 1_795_000_000);
  const cosigned = openCheckpoint(text + line, device, [oldKey.publicKey]);
  const key = { name, publicKey: witness.publicKey };
  t.is(findCosignature(cosigned, key), 1_795_000_000);
  t.is(findCosignature(parseCheckpoint(text), key), undefined);
  t.is(findCosignature(cosigned, { ...key, publicKey: newKey.publicKey }), undefined);
  const other = sealCheckpoint(device, headOf(8), [oldKey]);
  t.throws(() => findCosignature(parseCheckpoint(other + line), key), {
    code: 'evidence/bad-signature',
  });
});

test('a proof of inclusion proves its entry to whoever has the device key, and no other entry', (t) => {
  const checkpoint = sealCheckpoint(device, headOf(9), [oldKey]);
  const proof = proveInclusion(hashesOfLeaves(leaves), 4, 9);
  const text = formatInclusion({ index: 4, proof, checkpoint, extra: Buffer.from('entry 4') });
  t.regex(
    text,
    /^c2sp\.org\/tlog-proof@v1\nextra [^\n]+\nindex 4\n(?:[A-Za-z0-9+/=]{44}\n){4}\nlapel/,
  );
  const parsed = parseInclusion(text);
  t.is(formatInclusion(parsed), text);
  const keys = [oldKey.publicKey];
  t.is(openInclusion(text, leafHash(Buffer.from('entry 4')), device, keys).index, 4);
  t.throws(() => openInclusion(text, leafHash(Buffer.from('entry 5')), device, keys), {
    code: 'evidence/not-proven',
  });
  t.throws(
    () => openInclusion(text, leafHash(Buffer.from('entry 4')), device, [newKey.publicKey]),
    {
      code: 'evidence/bad-signature',
    },
  );
});

test('a proof of consistency proves that a log only grew from a head somebody kept', (t) => {
  const checkpoint = sealCheckpoint(device, headOf(9), [oldKey]);
  const proof = proveConsistency(hashesOfLeaves(leaves), 5, 9);
  const text = formatConsistency({ oldSize: 5, proof, checkpoint });
  t.is(formatConsistency(parseConsistency(text)), text);
  const keys = [oldKey.publicKey];
  t.is(openConsistency(text, headOf(5), device, keys).size, 9);
  const wrong = [headOf(4), { size: 5, root: headOf(4).root }];
  for (const old of wrong) {
    t.throws(() => openConsistency(text, old, device, keys), { code: 'evidence/not-proven' });
  }
});

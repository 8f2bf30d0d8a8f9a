import { readFileSync } from 'node:fs';
import test from 'ava';
import { CHUNK_BYTES, decryptWhole } from '../../../src/evidence/age-container.js';
import { recipientOf } from '../../../src/evidence/age-recipients.js';
import {
  formatEnvelope,
  formatEnvelopeFile,
  parseEnvelope,
  parseEnvelopeFile,
  payloadDigest,
} from '../../../src/evidence/dsse.js';
import { openHead, sealHead } from '../../../src/evidence/head.js';
import { entryLeaf, openEntry, sealEntry } from '../../../src/evidence/log-entry.js';
import { openManifest, sealManifest } from '../../../src/evidence/manifest.js';
import { sha256Hex } from '../../../src/evidence/merkle-tree.js';
import { PlainTree } from '../../../src/evidence/plain-tree.js';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import { openReceipt, sealReceipt } from '../../../src/evidence/receipt.js';
import { openSessionKey, sealSessionKey } from '../../../src/evidence/session-key.js';
import { createSigner } from '../../../src/evidence/signer.js';
import { emptyTrust, withDevice } from '../../../src/evidence/trust.js';
import { verifySegment } from '../../../src/evidence/verify-segment.js';
import { inPieces } from '../../support/sealed-recording.js';

type Party = 'device' | 'session' | 'receiver';
interface Vectors {
  readonly seeds: Readonly<Record<Party, string>>;
  readonly spki: Readonly<Record<Party, string>>;
  readonly keyIds: Readonly<Record<Party, string>>;
  readonly identity: string;
  readonly recipient: string;
  readonly salt: string;
  readonly plain: { readonly size: number; readonly sha256: string; readonly root: string };
  readonly files: Readonly<
    Record<'17/session.dsse' | '17/3/0.dsse' | '17/3/0.heads' | '17/3/0.receipt', string>
  >;
  readonly binary: Readonly<Record<'17/3/0.age' | '17/3/0.leaves', string>>;
  readonly entry: { readonly envelope: string; readonly leaf: string };
  readonly manifestDigest: string;
}

// The file is ours and the tests below look at every field of it.
const vectors = JSON.parse(readFileSync('test/vectors/evidence-v1.json', 'utf8')) as Vectors;
const { files } = vectors;
const signerOf = (party: Party) => createSigner(Buffer.from(vectors.seeds[party], 'hex'));
const [device, session, receiver] = [signerOf('device'), signerOf('session'), signerOf('receiver')];

test('keys of format 1 grow from their seeds', (t) => {
  for (const [party, signer] of Object.entries({ device, session, receiver })) {
    t.is(toSpkiBase64(signer.publicKey), vectors.spki[party as Party]);
    t.is(signer.keyId, vectors.keyIds[party as Party]);
  }
  t.is(recipientOf(vectors.identity), vectors.recipient);
});

test('signed files of format 1 open, and seal again to the same text', (t) => {
  const sessionFile = parseEnvelopeFile(files['17/session.dsse']);
  const { certificate, publicKey } = openSessionKey(sessionFile, device.publicKey);
  const facts = { ...certificate, issuedMonoMs: certificate.issued_mono };
  t.is(formatEnvelopeFile(sealSessionKey(facts, session, device)), files['17/session.dsse']);
  const manifest = openManifest(parseEnvelopeFile(files['17/3/0.dsse']), publicKey);
  t.is(formatEnvelopeFile(sealManifest(manifest, session)), files['17/3/0.dsse']);
  const head = openHead(parseEnvelopeFile(files['17/3/0.heads']), publicKey);
  t.is(formatEnvelopeFile(sealHead(head, session)), files['17/3/0.heads']);
  const receipt = openReceipt(parseEnvelopeFile(files['17/3/0.receipt']), receiver.publicKey);
  t.is(formatEnvelopeFile(sealReceipt(receipt, receiver)), files['17/3/0.receipt']);
  const entry = openEntry(parseEnvelope(vectors.entry.envelope), publicKey);
  t.is(formatEnvelope(sealEntry(entry, session)), vectors.entry.envelope);
});

test('digests and leaves of format 1', (t) => {
  t.is(payloadDigest(parseEnvelopeFile(files['17/3/0.dsse'])), vectors.manifestDigest);
  const leaf = entryLeaf(parseEnvelope(vectors.entry.envelope));
  t.is(leaf.toString('hex'), vectors.entry.leaf);
});

test('the footage of format 1 decrypts and has its plain root', (t) => {
  const file = Buffer.from(vectors.binary['17/3/0.age'], 'base64');
  const { plain, isComplete } = decryptWhole(file, vectors.identity);
  t.true(isComplete);
  t.is(plain.length, vectors.plain.size);
  t.is(sha256Hex(plain), vectors.plain.sha256);
  t.true(plain.every((byte, index) => byte === ((index * 7 + (index >> 8)) & 255)));
  const tree = new PlainTree(Buffer.from(vectors.salt, 'hex'));
  tree.push(plain.subarray(0, CHUNK_BYTES));
  tree.push(plain.subarray(CHUNK_BYTES));
  t.is(tree.root().toString('hex'), vectors.plain.root);
});

test('the segment of format 1 verifies', async (t) => {
  const trust = withDevice(emptyTrust(), 'lapel-000123', vectors.spki.device);
  const verdict = await verifySegment(
    {
      ref: { boot: 17, rec: 3, seq: 0 },
      sessions: new Map([[17, files['17/session.dsse']]]),
      manifest: files['17/3/0.dsse'],
      heads: files['17/3/0.heads'],
      leaves: Buffer.from(vectors.binary['17/3/0.leaves'], 'base64'),
      ciphertext: inPieces(Buffer.from(vectors.binary['17/3/0.age'], 'base64')),
    },
    trust,
  );
  t.is(verdict.state, 'ok');
  t.deepEqual(verdict.problems, []);
});

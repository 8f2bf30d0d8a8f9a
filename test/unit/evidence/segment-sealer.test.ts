import { createHash, randomBytes } from 'node:crypto';
import test from 'ava';
import { LEAF_BYTES, decryptWhole } from '../../../src/evidence/age-container.js';
import { generateIdentity, parseRecipient } from '../../../src/evidence/age-recipients.js';
import { scanLeaves } from '../../../src/evidence/leaf-scan.js';
import { leafHash, rootOfLeaves, sha256 } from '../../../src/evidence/merkle-tree.js';
import { PlainTree } from '../../../src/evidence/plain-tree.js';
import { SegmentSealer } from '../../../src/evidence/segment-sealer.js';
import { inPieces } from '../../support/sealed-recording.js';

const { identity, recipient } = generateIdentity();
const recipients = [parseRecipient(recipient)];

test('leaves, hashes and both trees belong together', (t) => {
  const sealer = new SegmentSealer({ recipients });
  const plain = randomBytes(300_000);
  const parts = [plain.subarray(0, 7), plain.subarray(7, 140_000), plain.subarray(140_000)];
  const leaves = [...sealer.start(), ...sealer.push(parts), ...sealer.end()];
  const ciphertext = Buffer.concat(leaves.map(({ bytes }) => bytes));
  for (const { bytes, hash } of leaves) t.deepEqual(hash, leafHash(bytes));
  const file = sealer.file();
  t.is(file.n, leaves.length);
  t.is(file.n, 6);
  t.is(file.size, ciphertext.length);
  t.is(file.leaf, LEAF_BYTES);
  t.deepEqual(leaves[0]?.bytes.length, file.head);
  t.deepEqual(file.root, rootOfLeaves(Buffer.concat(leaves.map(({ hash }) => hash))));
  t.deepEqual(decryptWhole(ciphertext, identity).plain, plain);
});

test('the plain root is that of salted 64 KiB chunks, computed by hand', (t) => {
  const salt = randomBytes(32);
  const sealer = new SegmentSealer({ recipients, salt });
  const plain = randomBytes(65_536 + 10);
  sealer.start();
  sealer.push([plain]);
  sealer.end();
  const leaf = (chunk: Buffer): Buffer =>
    createHash('sha256')
      .update(Buffer.concat([Buffer.from([0]), salt, chunk]))
      .digest();
  const root = sha256(
    Buffer.from([1]),
    leaf(plain.subarray(0, 65_536)),
    leaf(plain.subarray(65_536)),
  );
  t.deepEqual(sealer.plain(), { size: plain.length, root });
  t.is(sealer.salt, salt);
});

test('salts are random, and a salt of another length is a mistake of the caller', (t) => {
  const [a, b] = [new SegmentSealer({ recipients }), new SegmentSealer({ recipients })];
  t.notDeepEqual(a.salt, b.salt);
  t.throws(() => new PlainTree(Buffer.alloc(31)), { instanceOf: RangeError });
});

test('facts grow with the leaves: what is pending counts nowhere', (t) => {
  const sealer = new SegmentSealer({ recipients });
  sealer.start();
  const { head } = sealer.file();
  t.like(sealer.file(), { n: 1, size: head });
  t.deepEqual(sealer.push([Buffer.alloc(65_536)]), []);
  t.like(sealer.file(), { n: 1, size: head });
  t.is(sealer.plain().size, 0);
  t.is(sealer.pendingBytes, 65_536);
  t.is(sealer.push([Buffer.alloc(1)]).length, 1);
  t.like(sealer.file(), { n: 2, size: head + LEAF_BYTES });
  t.is(sealer.plain().size, 65_536);
  t.is(sealer.pendingBytes, 1);
});

test('calls out of order are mistakes of the caller', (t) => {
  const sealer = new SegmentSealer({ recipients });
  t.throws(() => sealer.push([]), { message: 'segment has not started' });
  t.throws(() => sealer.end(), { message: 'segment has not started' });
  sealer.start();
  t.throws(() => sealer.start(), { message: 'segment has started' });
  sealer.end();
  t.throws(() => sealer.end(), { message: 'age file has ended' });
  t.throws(() => sealer.push([Buffer.alloc(1)]), { message: 'age file has ended' });
});

test('a scan finds the hashes of the leaves, however the bytes come', async (t) => {
  const sealer = new SegmentSealer({ recipients });
  const leaves = [...sealer.start(), ...sealer.push([randomBytes(150_000)]), ...sealer.end()];
  const ciphertext = Buffer.concat(leaves.map(({ bytes }) => bytes));
  const hashes = Buffer.concat(leaves.map(({ hash }) => hash));
  const layout = sealer.file();
  for (const pieceBytes of [1000, layout.head, LEAF_BYTES, ciphertext.length]) {
    const scan = await scanLeaves(inPieces(ciphertext, pieceBytes), layout);
    t.deepEqual(scan, { hashes, bytes: ciphertext.length });
  }
  const extra = await scanLeaves(inPieces(Buffer.concat([ciphertext, Buffer.alloc(9)])), layout);
  t.deepEqual(extra, { hashes, bytes: ciphertext.length + 9 });
  const cut = await scanLeaves(inPieces(ciphertext.subarray(0, -1)), layout);
  t.deepEqual(cut, { hashes: hashes.subarray(0, -32), bytes: ciphertext.length - 1 });
});

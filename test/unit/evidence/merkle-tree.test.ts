import test from 'ava';
import {
  Frontier,
  HASH_BYTES,
  consistencyProof,
  inclusionProof,
  leafCount,
  leafHash,
  nodeHash,
  rootOfLeaves,
  sha256,
  sha256Hex,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/evidence/merkle-tree.js';

/** Entries and roots of the RFC 6962 reference implementation (certificate-transparency, merkle_tree_test). */
const ENTRIES = [
  '',
  '00',
  '10',
  '2021',
  '3031',
  '40414243',
  '5051525354555657',
  '606162636465666768696a6b6c6d6e6f',
];
const ROOTS = [
  '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d',
  'fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125',
  'aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77',
  'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  '4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4',
  '76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef',
  'ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c',
  '5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328',
];
const reference = ENTRIES.map((hex) => leafHash(Buffer.from(hex, 'hex')));
const listOf = (size: number): Buffer =>
  Buffer.concat(
    Array.from({ length: size }, (_, index) => leafHash(Buffer.from(`entry ${index}`))),
  );

test('the roots of the RFC 6962 reference data, of 0 to 8 leaves', (t) => {
  t.is(rootOfLeaves(Buffer.alloc(0)).toString('hex'), sha256Hex());
  for (const [index, root] of ROOTS.entries()) {
    t.is(rootOfLeaves(Buffer.concat(reference.slice(0, index + 1))).toString('hex'), root);
  }
});

test('an inclusion proof of the RFC 6962 reference data', (t) => {
  const proof = inclusionProof(5, Buffer.concat(reference)).map((hash) => hash.toString('hex'));
  t.deepEqual(proof, [
    'bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ]);
});

test('a consistency proof of the RFC 6962 reference data', (t) => {
  const proof = consistencyProof(6, Buffer.concat(reference)).map((hash) => hash.toString('hex'));
  t.deepEqual(proof, [
    '0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a',
    'ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0',
    'd37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7',
  ]);
});

test('the streaming frontier has the root of the list at every size', (t) => {
  const frontier = new Frontier();
  const leaves = listOf(130);
  for (let size = 0; size <= 130; size += 1) {
    t.is(frontier.size, size);
    t.deepEqual(frontier.root(), rootOfLeaves(leaves.subarray(0, size * HASH_BYTES)));
    frontier.push(leafHash(Buffer.from(`entry ${size}`)));
  }
});

test('every inclusion proof up to 40 leaves holds, and fails for another leaf, index, size, root or step', (t) => {
  const other = sha256(Buffer.from('other'));
  for (let size = 1; size <= 40; size += 1) {
    const leaves = listOf(size);
    const root = rootOfLeaves(leaves);
    for (let index = 0; index < size; index += 1) {
      const leaf = leaves.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
      const claim = { index, size, leaf, root };
      const proof = inclusionProof(index, leaves);
      const holds = [
        verifyInclusion(claim, proof),
        verifyInclusion({ ...claim, leaf: other }, proof),
        verifyInclusion({ ...claim, root: other }, proof),
        verifyInclusion({ ...claim, index: index + 1 }, proof),
        verifyInclusion({ ...claim, index: -1 }, proof),
        verifyInclusion({ ...claim, size: size * 2 + 1 }, proof),
        verifyInclusion(claim, [...proof, other]),
        proof.length > 0 && verifyInclusion(claim, proof.slice(1)),
      ];
      t.deepEqual(holds, [true, false, false, false, false, false, false, false]);
    }
  }
});

test('every consistency proof up to 40 leaves holds, and fails for another root, size or step', (t) => {
  const other = sha256(Buffer.from('other'));
  for (let newSize = 1; newSize <= 40; newSize += 1) {
    const leaves = listOf(newSize);
    const newRoot = rootOfLeaves(leaves);
    for (let oldSize = 0; oldSize <= newSize; oldSize += 1) {
      const oldRoot = rootOfLeaves(leaves.subarray(0, oldSize * HASH_BYTES));
      const claim = { oldSize, oldRoot, newSize, newRoot };
      const proof = consistencyProof(oldSize, leaves);
      t.true(verifyConsistency(claim, proof));
      t.false(verifyConsistency({ ...claim, oldRoot: other }, proof));
      t.false(verifyConsistency({ ...claim, oldSize: newSize + 1 }, proof));
      t.false(verifyConsistency(claim, [...proof, other]));
      // Everything extends the empty tree, so only there the new root does not matter.
      if (oldSize > 0) t.false(verifyConsistency({ ...claim, newRoot: other }, proof));
      if (proof.length > 0) t.false(verifyConsistency(claim, proof.slice(1)));
    }
  }
});

test('leaves, nodes and bare digests of the same bytes differ', (t) => {
  const [a, b] = [sha256(Buffer.from('a')), sha256(Buffer.from('b'))];
  const digests = [leafHash(a, b), nodeHash(a, b), sha256(a, b)].map((hash) =>
    hash.toString('hex'),
  );
  t.is(new Set(digests).size, 3);
  t.deepEqual(leafHash(a, b), leafHash(Buffer.concat([a, b])));
});

test('proofs of leaves or trees that are not there are a mistake of the caller', (t) => {
  const leaves = listOf(3);
  for (const index of [-1, 3, 0.5, NaN]) {
    t.throws(() => inclusionProof(index, leaves), { instanceOf: RangeError });
  }
  for (const size of [-1, 4, 0.5]) {
    t.throws(() => consistencyProof(size, leaves), { instanceOf: RangeError });
  }
  t.throws(() => leafCount(leaves.subarray(1)), { instanceOf: RangeError });
  t.is(leafCount(leaves), 3);
});

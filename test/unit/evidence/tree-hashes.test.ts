import test from 'ava';
import {
  HASH_BYTES,
  consistencyProof,
  inclusionProof,
  leafHash,
  rootOfLeaves,
  sha256,
  verifyConsistency,
  verifyInclusion,
} from '../../../src/evidence/merkle-tree.js';
import {
  frontierAt,
  hashesOfLeaves,
  proveConsistency,
  proveInclusion,
  rootAt,
} from '../../../src/evidence/tree-hashes.js';

const SIZE = 128;
const listOf = (size: number): Buffer =>
  Buffer.concat(Array.from({ length: size }, (_, n) => leafHash(Buffer.from(`entry ${n}`))));
const leaves = listOf(SIZE);
const first = (size: number): Buffer => leaves.subarray(0, size * HASH_BYTES);
const roots = Array.from({ length: SIZE + 1 }, (_, size) => rootOfLeaves(first(size)));
const rootOf = (size: number): Buffer => roots[size] ?? Buffer.alloc(0);
const other = sha256(Buffer.from('other'));

test('every proof of inclusion for n ≤ 128 holds, is that of RFC 6962, and holds for nothing else', (t) => {
  let proofs = 0;
  for (let size = 1; size <= SIZE; size += 1) {
    const list = first(size);
    const source = hashesOfLeaves(list);
    const root = rootOf(size);
    for (let index = 0; index < size; index += 1) {
      const leaf = list.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
      const proof = proveInclusion(source, index, size);
      const claim = { index, size, leaf, root };
      const isSound =
        verifyInclusion(claim, proof) &&
        !verifyInclusion({ ...claim, leaf: other }, proof) &&
        !verifyInclusion({ ...claim, index: (index + 1) % (size + 1) }, proof) &&
        !verifyInclusion({ ...claim, root: other }, proof) &&
        !verifyInclusion(claim, [...proof, other]);
      const wanted = Buffer.concat(inclusionProof(index, list));
      if (isSound && Buffer.concat(proof).equals(wanted)) proofs += 1;
    }
  }
  t.is(proofs, (SIZE * (SIZE + 1)) / 2);
});

test('every proof of consistency for n ≤ 128 holds, is that of RFC 6962, and holds for nothing else', (t) => {
  let proofs = 0;
  for (let newSize = 1; newSize <= SIZE; newSize += 1) {
    const list = first(newSize);
    const source = hashesOfLeaves(list);
    const newRoot = rootOf(newSize);
    for (let oldSize = 0; oldSize <= newSize; oldSize += 1) {
      const proof = proveConsistency(source, oldSize, newSize);
      const claim = { oldSize, oldRoot: rootOf(oldSize), newSize, newRoot };
      const isSound =
        verifyConsistency(claim, proof) &&
        !verifyConsistency({ ...claim, oldRoot: other }, proof) &&
        !verifyConsistency(claim, [...proof, other]) &&
        (oldSize === 0 || !verifyConsistency({ ...claim, newRoot: other }, proof));
      const wanted = Buffer.concat(consistencyProof(oldSize, list));
      if (isSound && Buffer.concat(proof).equals(wanted)) proofs += 1;
    }
  }
  // From the empty tree to any, and from every tree to itself and each larger one.
  t.is(proofs, SIZE + (SIZE * (SIZE + 1)) / 2);
});

test('a tree of 70,000 leaves has the roots, proofs and frontier that its list of leaves has', (t) => {
  const list = listOf(70_000);
  const source = hashesOfLeaves(list);
  const root = rootOfLeaves(list);
  t.deepEqual(rootAt(source, 70_000), root);
  for (const index of [0, 255, 256, 65_535, 65_536, 69_999]) {
    const leaf = list.subarray(index * HASH_BYTES, (index + 1) * HASH_BYTES);
    const proof = proveInclusion(source, index, 70_000);
    t.true(verifyInclusion({ index, size: 70_000, leaf, root }, proof), `leaf ${index}`);
  }
  for (const oldSize of [1, 256, 257, 65_536, 69_999, 70_000]) {
    const oldRoot = rootAt(source, oldSize);
    const claim = { oldSize, oldRoot, newSize: 70_000, newRoot: root };
    t.true(verifyConsistency(claim, proveConsistency(source, oldSize, 70_000)), `${oldSize}`);
  }
  const frontier = frontierAt(source, 69_999);
  frontier.push(list.subarray(-HASH_BYTES));
  t.deepEqual(frontier.root(), root);
});

test('a frontier that is restored, or cloned, grows as the one it came from, which stays as it was', (t) => {
  const source = hashesOfLeaves(leaves);
  for (let size = 0; size < SIZE; size += 1) {
    const frontier = frontierAt(source, size);
    t.deepEqual(frontier.root(), rootOf(size));
    const clone = frontier.clone();
    clone.push(leaves.subarray(size * HASH_BYTES, (size + 1) * HASH_BYTES));
    t.deepEqual([clone.root(), frontier.root()], [rootOf(size + 1), rootOf(size)]);
  }
});

test('there is no proof for what is not in the tree', (t) => {
  const source = hashesOfLeaves(first(5));
  for (const index of [-1, 5, 1.5]) t.throws(() => proveInclusion(source, index, 5));
  for (const size of [-1, 6, 0.5]) t.throws(() => proveConsistency(source, size, 5));
  t.deepEqual(proveConsistency(source, 0, 5), []);
});

import test from 'ava';
import { LEAF_BYTES } from '../../../src/evidence/age-container.js';
import { LeafBitmap } from '../../../src/sync/leaf-bitmap.js';
import { leafRange } from '../../../src/sync/leaf-layout.js';

test('a bitmap counts what it holds and knows its first and last gap', (t) => {
  const none = LeafBitmap.empty(10);
  t.like(none, { count: 0, firstMissing: 0, missingEnd: 10, isFull: false });
  const some = none.with(0).with(1).with(9).with(9);
  t.like(some, { count: 3, firstMissing: 2, missingEnd: 9, isFull: false });
  t.is(none.count, 0);
  let all = some;
  for (let index = 2; index < 9; index += 1) all = all.with(index);
  t.like(all, { count: 10, firstMissing: 10, missingEnd: 0, isFull: true });
});

test('bits travel least significant first, and survive', (t) => {
  const bitmap = LeafBitmap.empty(10).with(0).with(3).with(8);
  t.is(bitmap.toBits().toString('hex'), '0901');
  t.deepEqual(LeafBitmap.fromBits(10, bitmap.toBits()).toBits(), bitmap.toBits());
});

test('bits past the end count for nothing, missing bytes are zeros', (t) => {
  const beyond = LeafBitmap.fromBits(10, Buffer.from([0xff, 0xff, 0xff]));
  t.like(beyond, { count: 10, isFull: true });
  t.like(LeafBitmap.fromBits(10, Buffer.alloc(0)), { count: 0, firstMissing: 0 });
});

test('a bitmap does not change with the bytes it was made from', (t) => {
  const bits = Buffer.from([1]);
  const bitmap = LeafBitmap.fromBits(8, bits);
  bits[0] = 0;
  bitmap.toBits()[0] = 0;
  t.true(bitmap.has(0));
});

test('leaves lie end to end: the head, whole leaves, a short one', (t) => {
  const file = {
    size: 200 + LEAF_BYTES + 50,
    head: 200,
    leaf: LEAF_BYTES,
    n: 3,
    root: '',
  } as const;
  t.deepEqual(leafRange(file, 0), { offset: 0, length: 200 });
  t.deepEqual(leafRange(file, 1), { offset: 200, length: LEAF_BYTES });
  t.deepEqual(leafRange(file, 2), { offset: 200 + LEAF_BYTES, length: 50 });
});

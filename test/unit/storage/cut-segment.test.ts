import test from 'ava';
import { LEAF_BYTES } from '../../../src/evidence/age-container.js';
import type { ReadableFile } from '../../../src/hal/ports/file-system.js';
import {
  LEAVES_MAX,
  formatHeadLines,
  readWholeLeaves,
  wholeHeadLines,
} from '../../../src/storage/cut-segment.js';
import { rejectsWith } from '../../support/reject-code.js';

test('a file that is longer than any segment is refused before it is read', async (t) => {
  const file: ReadableFile = {
    size: LEAVES_MAX * LEAF_BYTES + 1,
    readInto: () => Promise.reject(new Error('nobody may read it')),
    close: () => Promise.resolve(),
  };
  await rejectsWith(t, 'storage/limit', () => readWholeLeaves(file, Buffer.alloc(0)));
});

test('lines before the last one come back byte for byte, whatever they hold', (t) => {
  const damaged = Buffer.concat([Buffer.from('fffe00c0', 'hex'), Buffer.from('\n\nrest')]);
  const kept = formatHeadLines(wholeHeadLines(damaged));
  t.deepEqual(kept, damaged.subarray(0, 6));
  t.deepEqual(formatHeadLines(wholeHeadLines(Buffer.alloc(0))), Buffer.alloc(0));
});

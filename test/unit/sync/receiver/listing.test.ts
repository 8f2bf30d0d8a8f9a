import test from 'ava';
import { formatEnvelopeFile } from '../../../../src/evidence/dsse.js';
import type { AttachmentKind } from '../../../../src/sync/binary-messages.js';
import { admit } from '../../../../src/sync/receiver/admission.js';
import { Listing } from '../../../../src/sync/receiver/listing.js';
import type { PartOutcome } from '../../../../src/sync/receiver/listing.js';
import { makeDevice, sealSegment } from '../../../support/sync/sealed-segment.js';
import type { TestSegment } from '../../../support/sync/sealed-segment.js';

const owner = makeDevice('cam-1', 17);
const segment = sealSegment(owner, { plainBytes: 300_000, heads: 3 });
const address = { key: 1, epoch: 1 };

const listing = (of: TestSegment = segment): Listing => {
  const item = { key: 1, ref: of.ref, manifest: of.manifest };
  const certificates = new Map([[17, owner.certificate]]);
  return new Listing(admit('cam-1', owner.deviceKey.publicKey, item, certificates));
};
const leaves = (l: Listing, hashes: Buffer, first = 0): PartOutcome =>
  l.addLeaves({ ...address, first, hashes });
const attach = (
  l: Listing,
  kind: AttachmentKind,
  bytes: Buffer,
  offset = 0,
  total = bytes.length,
): PartOutcome => l.addAttachment({ ...address, kind, offset, total, bytes });

test('leaf list, metadata and heads together are the listing', (t) => {
  const l = listing();
  t.deepEqual(l.missing, { leaves: true, meta: true, heads: true });
  t.is(leaves(l, segment.leaves.subarray(0, 64)), 'taken');
  t.is(leaves(l, segment.leaves.subarray(64), 2), 'taken');
  t.is(attach(l, 'meta', segment.meta ?? Buffer.alloc(0)), 'taken');
  t.is(l.proved, undefined);
  t.is(attach(l, 'heads', segment.heads), 'taken');
  t.deepEqual(l.missing, { leaves: false, meta: false, heads: false });
  t.deepEqual(l.proved, { leaves: segment.leaves, meta: segment.meta, heads: segment.heads });
});

test('a segment without metadata is not asked for any, and none is taken', (t) => {
  const bare = sealSegment(owner, { hasMeta: false, heads: 0 });
  const l = listing(bare);
  t.false(l.missing.meta);
  t.is(attach(l, 'meta', Buffer.from('x')), 'refused');
  leaves(l, bare.leaves);
  t.is(attach(l, 'heads', Buffer.alloc(0)), 'taken');
  t.deepEqual(l.proved, { leaves: bare.leaves, meta: undefined, heads: Buffer.alloc(0) });
});

test('a leaf list whose root is another is wrong, and may be sent again', (t) => {
  const l = listing();
  const changed = Buffer.from(segment.leaves);
  changed[40] = (changed[40] ?? 0) ^ 1;
  t.is(leaves(l, changed), 'wrong');
  t.true(l.missing.leaves);
  t.is(leaves(l, segment.leaves), 'taken');
  t.false(l.missing.leaves);
});

test('metadata whose digest is another is wrong, and may be sent again', (t) => {
  const l = listing();
  t.is(attach(l, 'meta', Buffer.from('forged')), 'wrong');
  t.true(l.missing.meta);
  t.is(attach(l, 'meta', segment.meta ?? Buffer.alloc(0)), 'taken');
});

test('more hashes than the manifest has leaves are refused', (t) => {
  const l = listing();
  t.is(leaves(l, Buffer.concat([segment.leaves, segment.leaves])), 'refused');
  t.is(leaves(l, segment.leaves.subarray(0, 32), segment.content.file.n), 'refused');
});

test('a lost part is noticed at the next one; a new want starts again, what is proved stays', (t) => {
  const l = listing();
  leaves(l, segment.leaves);
  attach(l, 'meta', (segment.meta ?? Buffer.alloc(0)).subarray(0, 10), 0, segment.meta?.length);
  t.is(attach(l, 'meta', Buffer.from('zz'), 12, segment.meta?.length), 'refused');
  l.restart();
  t.is(attach(l, 'meta', segment.meta ?? Buffer.alloc(0)), 'taken');
  t.deepEqual(l.missing, { leaves: false, meta: false, heads: true });
});

test('a total that changes on the way starts the attachment again', (t) => {
  const l = listing();
  t.is(attach(l, 'meta', Buffer.from('abc'), 0, 9), 'taken');
  t.is(attach(l, 'meta', segment.meta ?? Buffer.alloc(0)), 'taken');
});

test('of the heads only those of this segment by its session key are kept, a torn line is not', (t) => {
  const other = sealSegment(owner, { seq: 1, heads: 1 });
  const forger = sealSegment(makeDevice('cam-1', 17), { heads: 1 });
  const torn = formatEnvelopeFile(segment.manifest).slice(0, 50);
  const l = listing();
  const sent = [segment.heads, other.heads, forger.heads, Buffer.from('\n{}\n'), Buffer.from(torn)];
  t.is(attach(l, 'heads', Buffer.concat(sent)), 'taken');
  leaves(l, segment.leaves);
  attach(l, 'meta', segment.meta ?? Buffer.alloc(0));
  t.deepEqual(l.proved?.heads, segment.heads);
  t.is(l.droppedHeads, 4);
});

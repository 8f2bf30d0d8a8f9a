import test from 'ava';
import { CameraError } from '../../../src/errors.js';
import { LEAF_BYTES } from '../../../src/evidence/age-container.js';
import {
  ATTACHMENT_BYTES_MAX,
  ATTACHMENT_PART_BYTES_MAX,
  CHUNK_HEADER_BYTES,
  LEAVES_PER_MESSAGE,
  decodeAck,
  decodeAttachment,
  decodeChunk,
  decodeLeaves,
  encodeAck,
  encodeAttachment,
  encodeLeaves,
  writeChunkHeader,
} from '../../../src/sync/binary-messages.js';
import { PAYLOAD_BYTES_MAX } from '../../../src/sync/messages.js';

const malformed = { instanceOf: CameraError, code: 'sync/malformed' };
const address = { key: 0x0102_0304, epoch: 0xfffe_fdfc };

test('a chunk is twelve bytes of big-endian header and the leaf, decoded without a copy', (t) => {
  const message = Buffer.alloc(CHUNK_HEADER_BYTES + 3, 7);
  writeChunkHeader(message, address, 0x0a0b_0c0d);
  t.is(message.toString('hex'), '01020304fffefdfc0a0b0c0d070707');
  const chunk = decodeChunk(message);
  t.like(chunk, { ...address, index: 0x0a0b_0c0d });
  t.is(chunk.leaf.buffer, message.buffer);
  t.is(chunk.leaf.toString('hex'), '070707');
});

test('a chunk holds at least a byte and at most a leaf', (t) => {
  t.throws(() => decodeChunk(Buffer.alloc(CHUNK_HEADER_BYTES)), malformed);
  t.notThrows(() => decodeChunk(Buffer.alloc(CHUNK_HEADER_BYTES + 1)));
  t.notThrows(() => decodeChunk(Buffer.alloc(CHUNK_HEADER_BYTES + LEAF_BYTES)));
  t.throws(() => decodeChunk(Buffer.alloc(CHUNK_HEADER_BYTES + LEAF_BYTES + 1)), malformed);
});

test('a part of a leaf list holds whole hashes, and the largest fits every broker', (t) => {
  const hashes = Buffer.alloc(LEAVES_PER_MESSAGE * 32, 5);
  const message = encodeLeaves({ ...address, first: 4000, hashes });
  t.true(message.length <= PAYLOAD_BYTES_MAX);
  t.deepEqual(decodeLeaves(message), { ...address, first: 4000, hashes });
  t.throws(() => decodeLeaves(Buffer.concat([message, Buffer.alloc(32)])), malformed);
  t.throws(() => decodeLeaves(message.subarray(0, 12)), malformed);
  t.throws(() => decodeLeaves(message.subarray(0, 12 + 31)), malformed);
});

test('an ack is sixteen bytes', (t) => {
  const ack = { ...address, seen: 3, creditEnd: 67 };
  const message = encodeAck(ack);
  t.is(message.toString('hex'), '01020304fffefdfc0000000300000043');
  t.deepEqual(decodeAck(message), ack);
  t.throws(() => decodeAck(message.subarray(1)), malformed);
  t.throws(() => decodeAck(Buffer.concat([message, Buffer.alloc(1)])), malformed);
});

test('a part of an attachment says where in the whole it belongs', (t) => {
  const part = {
    ...address,
    kind: 'heads',
    offset: 7,
    total: 10,
    bytes: Buffer.from('abc'),
  } as const;
  const message = encodeAttachment(part);
  t.is(message.toString('hex'), '01020304fffefdfc02000000070000000a616263');
  t.deepEqual(decodeAttachment(message), part);
  const largest = Buffer.alloc(ATTACHMENT_PART_BYTES_MAX);
  t.is(encodeAttachment({ ...part, bytes: largest }).length, PAYLOAD_BYTES_MAX);
});

test('an empty attachment is one part of nothing', (t) => {
  const part = { ...address, kind: 'meta', offset: 0, total: 0, bytes: Buffer.alloc(0) } as const;
  t.deepEqual(decodeAttachment(encodeAttachment(part)), part);
});

test('a part that overruns its whole, adds nothing, or is of no known kind is malformed', (t) => {
  const part = {
    ...address,
    kind: 'meta',
    offset: 0,
    total: 3,
    bytes: Buffer.from('abc'),
  } as const;
  const decode = (change: object): void => {
    decodeAttachment(encodeAttachment({ ...part, ...change }));
  };
  t.notThrows(() => {
    decode({});
  });
  for (const change of [
    { offset: 1 },
    { total: 2 },
    { total: ATTACHMENT_BYTES_MAX + 1 },
    { bytes: Buffer.alloc(0) },
    { bytes: Buffer.alloc(0), total: 0, offset: 1 },
  ]) {
    t.throws(() => {
      decode(change);
    }, malformed);
  }
  const unknown = encodeAttachment(part);
  unknown.writeUInt8(3, 8);
  t.throws(() => decodeAttachment(unknown), malformed);
  t.throws(() => decodeAttachment(unknown.subarray(0, 16)), malformed);
  t.throws(() => decodeAttachment(Buffer.alloc(PAYLOAD_BYTES_MAX + 1)), malformed);
});

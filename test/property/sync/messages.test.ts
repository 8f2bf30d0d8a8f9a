import test from 'ava';
import fc from 'fast-check';
import { hasErrorCode } from '../../../src/errors.js';
import {
  decodeAck,
  decodeAttachment,
  decodeChunk,
  decodeLeaves,
  encodeAck,
  encodeAttachment,
  encodeLeaves,
  writeChunkHeader,
} from '../../../src/sync/binary-messages.js';
import {
  decodeBirth,
  decodeDeviceState,
  decodeOffer,
  decodeReceipt,
  decodeReceiverState,
  decodeWant,
  encodeBirth,
  encodeOffer,
  encodeReceipt,
  encodeWant,
} from '../../../src/sync/messages.js';
import { makeDevice, sealSegment } from '../../support/sync/sealed-segment.js';

const owner = makeDevice('cam-1', 17);
const segment = sealSegment(owner, { plainBytes: 10 });
const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/);
const uint32 = fc.nat({ max: 0xffff_ffff });
const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc.uint8Array({ maxLength }).map((array) => Buffer.from(array));

const decoders: Readonly<Record<string, (payload: Buffer) => unknown>> = {
  birth: decodeBirth,
  deviceState: decodeDeviceState,
  receiverState: decodeReceiverState,
  offer: decodeOffer,
  want: decodeWant,
  receipt: decodeReceipt,
  chunk: decodeChunk,
  leaves: decodeLeaves,
  ack: decodeAck,
  attachment: decodeAttachment,
};

const address = { key: 5, epoch: 9 };
const chunk = Buffer.alloc(40, 3);
writeChunkHeader(chunk, address, 2);
const valid: readonly Buffer[] = [
  encodeBirth({ sid: 's', device: 'cam-1', boot: 17, session: owner.certificate }),
  encodeOffer({
    sid: 's',
    items: [{ key: 1, ref: segment.ref, manifest: segment.manifest }],
    certificates: new Map([[17, owner.certificate]]),
  }),
  encodeReceipt(segment.manifest),
  chunk,
  encodeLeaves({ ...address, first: 0, hashes: Buffer.alloc(64, 1) }),
  encodeAck({ ...address, seen: 1, creditEnd: 65 }),
  encodeAttachment({ ...address, kind: 'meta', offset: 0, total: 5, bytes: Buffer.alloc(5) }),
];

/** A valid message with some bytes overwritten, cut or doubled. */
const damaged = fc
  .tuple(fc.constantFrom(...valid), fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 }))), fc.nat())
  .map(([message, edits, cut]) => {
    const copy = Buffer.from(message.subarray(0, message.length - (cut % 3)));
    for (const [at, value] of edits) copy[at % copy.length] = value;
    return copy;
  });

for (const [name, decode] of Object.entries(decoders)) {
  test(`the decoder of ${name} takes any bytes and throws nothing but sync/malformed`, (t) => {
    const input = fc.oneof(
      bytes(300),
      damaged,
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(input, (payload) => {
        try {
          decode(payload);
        } catch (error) {
          t.true(hasErrorCode(error, 'sync/malformed'), String(error));
        }
      }),
      { numRuns: 500 },
    );
    t.pass();
  });
}

test('any want survives the wire', (t) => {
  const want = fc.record({
    sid: id,
    rx: id,
    key: uint32,
    epoch: uint32,
    to: fc.string({ maxLength: 60 }),
    leaves: fc.boolean(),
    meta: fc.boolean(),
    heads: fc.boolean(),
    have: bytes(200),
    creditEnd: uint32,
  });
  fc.assert(
    fc.property(want, (value) => {
      t.deepEqual(decodeWant(encodeWant(value)), value);
    }),
  );
});

test('any header survives the wire', (t) => {
  fc.assert(
    fc.property(uint32, uint32, uint32, uint32, (key, epoch, index, creditEnd) => {
      const message = Buffer.alloc(13);
      writeChunkHeader(message, { key, epoch }, index);
      t.like(decodeChunk(message), { key, epoch, index });
      const ack = { key, epoch, seen: index, creditEnd };
      t.deepEqual(decodeAck(encodeAck(ack)), ack);
    }),
  );
});

import test from 'ava';
import { CameraError } from '../../../src/errors.js';
import {
  OFFER_ITEMS_MAX,
  PAYLOAD_BYTES_MAX,
  SEGMENT_LEAVES_MAX,
  decodeBirth,
  decodeDeviceState,
  decodeOffer,
  decodeReceipt,
  decodeReceiverState,
  decodeWant,
  encodeBirth,
  encodeDeviceState,
  encodeOffer,
  encodeReceipt,
  encodeReceiverState,
  encodeWant,
} from '../../../src/sync/messages.js';
import { makeDevice, sealSegment } from '../../support/sync/sealed-segment.js';

const owner = makeDevice('cam-1', 17);
const segment = sealSegment(owner, { plainBytes: 10 });
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const malformed = { instanceOf: CameraError, code: 'sync/malformed' };

const wireWant = {
  v: 1,
  sid: 's1',
  rx: 'rx1',
  key: 4,
  epoch: 9,
  to: 'lapel/v1/_rx/rx1/in/cam-1',
  leaves: false,
  creditEnd: 64,
};
const wireOffer = {
  v: 1,
  sid: 's1',
  items: [{ key: 1, seg: '17/1/0', man: segment.manifest }],
  certs: { 17: owner.certificate },
};

test('a birth says who is there and certifies its session key', (t) => {
  const birth = { sid: 's1', device: 'cam-1', boot: 17, session: owner.certificate };
  t.deepEqual(decodeBirth(encodeBirth(birth)), birth);
  t.deepEqual(decodeBirth(encodeBirth({ ...birth, free: 5 })), { ...birth, free: 5 });
  t.like(JSON.parse(encodeBirth(birth).toString()), { v: 1, proto: 1 });
});

test('states of devices and receivers survive the wire', (t) => {
  const state = { sid: 's1', s: 'sync' } as const;
  t.deepEqual(decodeDeviceState(encodeDeviceState(state)), state);
  const receiver = { s: 'online', ts: 1_795_488_001_000 } as const;
  t.deepEqual(decodeReceiverState(encodeReceiverState(receiver)), receiver);
});

test('an offer carries manifests under keys, and the certificates by boot', (t) => {
  const offer = {
    sid: 's1',
    items: [{ key: 1, ref: segment.ref, manifest: segment.manifest }],
    certificates: new Map([[17, owner.certificate]]),
  };
  t.deepEqual(JSON.parse(encodeOffer(offer).toString()), wireOffer);
  t.deepEqual(decodeOffer(encodeOffer(offer)), offer);
});

test('a want without a bitmap holds nothing, and attachments are optional', (t) => {
  const want = decodeWant(json(wireWant));
  t.is(want.have.length, 0);
  t.like(want, { leaves: false, meta: false, heads: false, creditEnd: 64 });
});

test('the bitmap of a want travels bit for bit', (t) => {
  const want = { ...decodeWant(json(wireWant)), have: Buffer.from([0b1010_0001, 0b1]) };
  t.deepEqual(decodeWant(encodeWant(want)), want);
  t.is((JSON.parse(encodeWant(want).toString()) as { have: string }).have, 'oQE=');
});

test('a receipt on the wire is its envelope, and nothing but the one text form', (t) => {
  t.deepEqual(decodeReceipt(encodeReceipt(segment.manifest)), segment.manifest);
  t.throws(
    () => decodeReceipt(Buffer.from(` ${encodeReceipt(segment.manifest).toString()}`)),
    malformed,
  );
});

test('fields from a newer peer are ignored', (t) => {
  t.notThrows(() => decodeWant(json({ ...wireWant, priority: 'high' })));
  t.notThrows(() => decodeOffer(json({ ...wireOffer, hint: [1, 2] })));
});

test('another version is refused, whatever else is right', (t) => {
  t.throws(() => decodeWant(json({ ...wireWant, v: 2 })), malformed);
  t.throws(() => decodeOffer(json({ ...wireOffer, v: 0 })), malformed);
  t.throws(() => decodeWant(json({ ...wireWant, v: undefined })), malformed);
});

const wrongWant = test.macro({
  exec: (t, change: object) => {
    t.throws(() => decodeWant(json({ ...wireWant, ...change })), malformed);
  },
  title: (_, change) => `a want with ${JSON.stringify(change).slice(0, 60)} is malformed`,
});
test(wrongWant, { sid: '_x' });
test(wrongWant, { rx: 'a/b' });
test(wrongWant, { key: -1 });
test(wrongWant, { key: 2 ** 32 });
test(wrongWant, { epoch: 1.5 });
test(wrongWant, { to: 'x'.repeat(257) });
test(wrongWant, { leaves: 'yes' });
test(wrongWant, { have: '*' });
test(wrongWant, { have: 'A'.repeat(Math.ceil(SEGMENT_LEAVES_MAX / 8 / 3) * 4 + 4) });
test(wrongWant, { creditEnd: null });

test('an offer of more segments than agreed is malformed', (t) => {
  const item = wireOffer.items[0];
  const items = (count: number): object[] =>
    Array.from({ length: count }, (_, index) => ({
      ...item,
      key: index,
      seg: `17/1/${index}`,
      man: { payload: '', payloadType: 'x', signatures: item?.man.signatures },
    }));
  t.is(decodeOffer(json({ ...wireOffer, items: items(OFFER_ITEMS_MAX) })).items.length, 64);
  t.throws(() => decodeOffer(json({ ...wireOffer, items: items(OFFER_ITEMS_MAX + 1) })), malformed);
});

test('a key or a segment twice in one offer is malformed', (t) => {
  const [item] = wireOffer.items;
  const twice = (change: object): Buffer =>
    json({ ...wireOffer, items: [item, { ...item, ...change }] });
  t.throws(() => decodeOffer(twice({ key: 2 })), malformed);
  t.throws(() => decodeOffer(twice({ seg: '17/1/1' })), malformed);
  t.notThrows(() => decodeOffer(twice({ key: 2, seg: '17/1/1' })));
});

test('a name such as __proto__ among the certificates changes nothing', (t) => {
  const text = JSON.stringify(wireOffer).replace('"17":', '"__proto__":');
  t.is(decodeOffer(Buffer.from(text)).certificates.size, 0);
  t.false('payload' in {});
});

test('a certificate under anything but a boot is malformed', (t) => {
  const certs = { '1e3': owner.certificate };
  t.throws(() => decodeOffer(json({ ...wireOffer, certs })), malformed);
});

test('what is larger than any message is refused before it is parsed', (t) => {
  const padded = (length: number): Buffer => {
    const text = JSON.stringify(wireWant);
    return Buffer.from(text + ' '.repeat(length - text.length));
  };
  t.notThrows(() => decodeWant(padded(PAYLOAD_BYTES_MAX)));
  t.throws(() => decodeWant(padded(PAYLOAD_BYTES_MAX + 1)), malformed);
});

test('a message too large to be sent is a bug of the sender', (t) => {
  const items = Array.from({ length: 64 }, (_, key) => ({
    key,
    ref: { boot: 17, rec: 1, seq: key },
    manifest: { ...segment.manifest, payload: 'A'.repeat(4000) },
  }));
  t.throws(() => encodeOffer({ sid: 's1', items, certificates: new Map() }), {
    code: 'internal/bug',
  });
});

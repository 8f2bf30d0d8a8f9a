import { randomBytes } from 'node:crypto';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { sealManifest } from '../../../src/evidence/manifest.js';
import { sealReceipt } from '../../../src/evidence/receipt.js';
import type { Receipt } from '../../../src/evidence/receipt.js';
import { startEmbeddedBroker } from '../../../src/sync/embedded-broker.js';
import { leafRange } from '../../../src/sync/leaf-layout.js';
import { encodeReceipt, encodeWant } from '../../../src/sync/messages.js';
import type { MqttConnection } from '../../../src/sync/ports.js';
import { downTopic, inboxTopic, upTopic } from '../../../src/sync/topics.js';
import { CardSegments } from '../../support/sync/card-segments.js';
import {
  digestOf,
  makeDevice,
  makeSigner,
  sealSegment,
} from '../../support/sync/sealed-segment.js';
import type { TestDevice, TestSegment } from '../../support/sync/sealed-segment.js';
import { Station } from '../../support/sync/station.js';
import { waitUntil } from '../../support/sync/wait-until.js';
import { meddleWith } from '../../support/sync/wrapped-connection.js';

async function openStation(t: ExecutionContext): Promise<Station> {
  const broker = await startEmbeddedBroker();
  t.teardown(() => broker.close());
  const station = await Station.open(broker.url, { speed: 10 });
  t.teardown(() => station.remove());
  return station;
}

/** A client with no rights but the network's. */
async function stranger(t: ExecutionContext, station: Station): Promise<MqttConnection> {
  const will = { topic: 'will', payload: Buffer.alloc(0), retain: false };
  const connection = await station.connect('stranger', will);
  t.teardown(() => connection.close());
  return connection;
}

async function receive(
  t: ExecutionContext,
  station: Station,
  owners: readonly TestDevice[],
): Promise<ReturnType<Station['receiver']>> {
  const receiver = station.receiver(owners);
  await receiver.start();
  t.teardown(() => receiver.close());
  return receiver;
}

function dock(
  t: ExecutionContext,
  station: Station,
  owner: TestDevice,
  card: CardSegments,
  options: Parameters<Station['uploader']>[2] = {},
): ReturnType<Station['uploader']> {
  const uploader = station.uploader(owner, card, options);
  uploader.dock();
  t.teardown(() => uploader.undock());
  return uploader;
}

/** The same segment with one bit turned over at an offset. */
const spoil = (bytes: Buffer, at: number): Buffer => {
  const copy = Buffer.from(bytes);
  copy.writeUInt8(copy.readUInt8(at) ^ 1, at);
  return copy;
};

test.serial(
  'a leaf that is not what the list says never reaches the disk, and stops no other segment',
  async (t) => {
    const station = await openStation(t);
    const owner = makeDevice('cam-1');
    const segment = sealSegment(owner, { seq: 0, plainBytes: 500_000 });
    const { offset, length } = leafRange(segment.content.file, 3);
    const spoiled = { ...segment, ciphertext: spoil(segment.ciphertext, offset + 100) };
    const good = sealSegment(owner, { seq: 1 });
    const card = new CardSegments([owner], [spoiled, good]);
    const receiver = await receive(t, station, [owner]);
    dock(t, station, owner, card);
    await waitUntil('the good one has its receipt', () => card.receipts.has('3/1/1'));
    await waitUntil('the spoiled one is tried again', () => (receiver.faults.abandoned ?? 0) >= 2);
    t.deepEqual([...card.receipts.keys()], ['3/1/1']);
    t.true((receiver.faults.spoiled ?? 0) >= 10);
    await t.throwsAsync(station.read('cam-1', segment, '.dsse'), { code: 'ENOENT' });
    const incoming = path.join(station.store, 'cam-1', '.incoming');
    const [partial = ''] = await readdir(incoming);
    const bytes = await readFile(path.join(incoming, partial));
    t.true(bytes.subarray(0, offset).equals(segment.ciphertext.subarray(0, offset)));
    t.true(bytes.subarray(offset, offset + length).every((byte) => byte === 0));
  },
);

const tampered = test.macro({
  exec: async (t, change: (segment: TestSegment) => Partial<TestSegment>) => {
    const station = await openStation(t);
    const owner = makeDevice('cam-1');
    const segment = sealSegment(owner);
    const card = new CardSegments([owner], [{ ...segment, ...change(segment) }]);
    const receiver = await receive(t, station, [owner]);
    let chunks = 0;
    const outgoing = (topic: string, payload: Buffer): Buffer[] => {
      if (topic.includes('/in/')) chunks += 1;
      return [payload];
    };
    dock(t, station, owner, card, { wrap: (c) => meddleWith(c, { outgoing }) });
    await waitUntil('it is given up', () => (receiver.faults.abandoned ?? 0) > 0);
    t.true((receiver.faults.wrong ?? 0) > 0);
    t.is(chunks, 0);
    t.is(card.receipts.size, 0);
    await t.throwsAsync(station.read('cam-1', segment, '.dsse'), { code: 'ENOENT' });
  },
  title: (what = '') => `not a chunk is asked for when ${what} is not what the manifest says`,
});
test.serial('the leaf list', tampered, ({ leaves }) => ({ leaves: spoil(leaves, 40) }));
test.serial('the metadata', tampered, ({ meta }) => ({ meta: spoil(meta ?? Buffer.alloc(9), 8) }));

test.serial('anything may be sent to any topic: both sides count it and go on', async (t) => {
  const station = await openStation(t);
  const owner = makeDevice('cam-1');
  const segment = sealSegment(owner);
  const card = new CardSegments([owner], [segment]);
  const receiver = await receive(t, station, [owner]);
  const attacker = await stranger(t, station);
  const topics = [
    ...(['birth', 'state', 'offer', 'leaves', 'meta'] as const).map((m) => upTopic('cam-1', m)),
    ...(['want', 'ack', 'receipt'] as const).map((m) => downTopic('cam-1', m)),
    inboxTopic('rx1', 'cam-1'),
    'lapel/v1/_rx/rx1/state',
    'lapel/v1/cam-1/up/else',
    'lapel/v1/cam-1/up/offer/deeper',
  ];
  const payloads = ['', '{}', '[]', 'null', '{"v":1}', '{"v":9}', '{"__proto__":{"v":1}}', '\0\0']
    .map((text) => Buffer.from(text))
    .concat([randomBytes(5), randomBytes(17), randomBytes(44), randomBytes(200_000)]);
  const attack = async (): Promise<void> => {
    for (const topic of topics) {
      for (const payload of payloads) await attacker.publish(topic, payload, { qos: 1 });
    }
  };
  await attack();
  const uploader = dock(t, station, owner, card);
  await attack();
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
  t.true((receiver.faults.malformed ?? 0) > 60);
  t.true((uploader.faults.malformed ?? 0) > 20);
});

test.serial('a camera that is not in the trust file leaves nothing behind', async (t) => {
  const station = await openStation(t);
  const owner = makeDevice('cam-1');
  const unknown = makeDevice('cam-9');
  const receiver = await receive(t, station, [owner]);
  const card = new CardSegments([unknown], [sealSegment(unknown)]);
  dock(t, station, unknown, card);
  await waitUntil('it is noticed', () => (receiver.faults.stranger ?? 0) >= 3);
  t.deepEqual(await readdir(station.store), []);
  t.is(card.receipts.size, 0);
});

test.serial('what another camera signed is refused, even from a trusted one', async (t) => {
  const station = await openStation(t);
  const owner = makeDevice('cam-1');
  const thief = makeDevice('cam-2');
  const receiver = await receive(t, station, [owner, thief]);
  // Its own certificate and key, but segments of cam-1: a manifest can be copied, not moved.
  const card = new CardSegments([owner], [sealSegment(owner)]);
  dock(t, station, { ...thief, boot: owner.boot }, card);
  await waitUntil('it is refused', () => (receiver.faults['refused-offer'] ?? 0) > 0);
  t.is(card.receipts.size, 0);
  t.false((await readdir(station.store)).includes('cam-1'));
});

test.serial('forged receipts free nothing', async (t) => {
  const station = await openStation(t);
  const owner = makeDevice('cam-1');
  const segment = sealSegment(owner);
  const card = new CardSegments([owner], [segment]);
  const uploader = dock(t, station, owner, card);
  await waitUntil('it is offered', () => card.offers.length > 0);
  const forger = await stranger(t, station);
  const good: Omit<Receipt, 'v' | 'type'> = {
    device: 'cam-1',
    seg: '3/1/0',
    man: digestOf(segment),
    root: segment.content.file.root,
    size: segment.content.file.size,
    log: null,
    stores: [{ id: 'rx1', kind: 'fs', durable: true }],
    rx: 'rx1',
    ts: 0,
    nonce: '0'.repeat(32),
  };
  const say = (change: Partial<typeof good>, signer = station.receiverKey): Promise<void> => {
    const receipt = encodeReceipt(sealReceipt({ ...good, ...change }, signer));
    return forger.publish(downTopic('cam-1', 'receipt'), receipt, { qos: 1 });
  };
  await say({}, makeSigner());
  await say({ root: '1'.repeat(64) });
  await say({ man: '1'.repeat(64) });
  await say({ seg: '3/1/7' });
  await say({ device: 'cam-2' });
  const forged = { 'wrong-key': 1, 'other-root': 1, 'other-manifest': 1, 'not-offered': 1 };
  await waitUntil('all are counted', () => uploader.faults['other-device'] === 1);
  t.like(uploader.faults, forged);
  t.is(card.receipts.size, 0);
  // The very same receipt with nothing forged about it counts: the device was listening all the time.
  await say({});
  await waitUntil('it counts', () => card.receipts.size === 1);
});

test.serial(
  'a forged want draws not a byte to a topic that is no inbox of this camera',
  async (t) => {
    const station = await openStation(t);
    const owner = makeDevice('cam-1');
    const card = new CardSegments([owner], [sealSegment(owner)]);
    const attacker = await stranger(t, station);
    let sid = '';
    let leaked = 0;
    attacker.onMessage((topic, payload) => {
      if (topic.endsWith('/offer')) ({ sid } = JSON.parse(payload.toString()) as { sid: string });
      else leaked += 1;
    });
    await attacker.subscribe({ 'lapel/v1/cam-1/up/offer': 1, 'mine/#': 0 });
    const uploader = dock(t, station, owner, card);
    await waitUntil('it is offered', () => sid !== '');
    const want = {
      sid,
      rx: 'rx1',
      key: 1,
      epoch: 1,
      to: 'mine/cam-1',
      leaves: false,
      meta: false,
      heads: false,
      have: Buffer.alloc(0),
      creditEnd: 64,
    };
    const say = (change: Partial<typeof want>): Promise<void> =>
      attacker.publish(downTopic('cam-1', 'want'), encodeWant({ ...want, ...change }), { qos: 1 });
    await say({});
    await say({ to: inboxTopic('rx1', 'cam-2') });
    const inbox = inboxTopic('rx1', 'cam-1');
    await say({ to: inbox, rx: 'rx7' });
    await say({ to: inbox, sid: 'other' });
    await say({ to: inbox, key: 2 });
    await waitUntil('all are counted', () => uploader.faults['unknown-key'] === 1);
    t.like(uploader.faults, { 'foreign-inbox': 2, 'unknown-receiver': 1, 'other-session': 1 });
    t.is(leaked, 0);
    t.is(card.openReaders, 0);
  },
);

test.serial(
  'a second account of a stored segment is kept as evidence and changes nothing',
  async (t) => {
    const station = await openStation(t);
    const owner = makeDevice('cam-1');
    const segment = sealSegment(owner);
    const receiver = await receive(t, station, [owner]);
    const first = new CardSegments([owner], [segment]);
    const uploader = dock(t, station, owner, first);
    await waitUntil('it is drained', () => uploader.phase === 'drained');
    await uploader.undock();
    const liar = sealSegment(owner);
    const card = new CardSegments([owner], [liar, sealSegment(owner, { seq: 1 })]);
    dock(t, station, owner, card);
    await waitUntil('the other segment has its receipt', () => card.receipts.has('3/1/1'));
    await waitUntil('the conflict is noticed', () => (receiver.faults.conflict ?? 0) > 0);
    t.false(card.receipts.has('3/1/0'));
    t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
    const conflicts = path.join(station.store, 'cam-1', 'conflicts');
    await waitUntil('it is kept', async () => (await readdir(conflicts)).length === 1);
    t.deepEqual(await readdir(conflicts), [`3-1-0-${digestOf(liar).slice(0, 16)}.dsse`]);
  },
);

test.serial(
  'a segment that is stored is not sent again: its receipt is said again, word for word',
  async (t) => {
    const station = await openStation(t);
    const owner = makeDevice('cam-1');
    const segment = sealSegment(owner);
    await receive(t, station, [owner]);
    const first = new CardSegments([owner], [segment]);
    const uploader = dock(t, station, owner, first);
    await waitUntil('it is drained', () => uploader.phase === 'drained');
    await uploader.undock();
    // The card has lost its receipts, as after a power cut before they were written.
    const again = new CardSegments([owner], [segment]);
    let chunks = 0;
    const outgoing = (topic: string, payload: Buffer): Buffer[] => {
      if (topic.includes('/in/')) chunks += 1;
      return [payload];
    };
    const second = dock(t, station, owner, again, { wrap: (c) => meddleWith(c, { outgoing }) });
    await waitUntil('it is drained', () => second.phase === 'drained');
    t.deepEqual(again.receipts.get('3/1/0'), first.receipts.get('3/1/0'));
    t.is(chunks, 0);
  },
);

test.serial(
  'after a change of the receipt key, stored segments get receipts by the new one',
  async (t) => {
    const station = await openStation(t);
    const owner = makeDevice('cam-1');
    const segment = sealSegment(owner);
    const old = station.receiver([owner], { receiverKey: makeSigner() });
    await old.start();
    const card = new CardSegments([owner], [segment]);
    const uploader = dock(t, station, owner, card);
    await waitUntil('it is refused', () => (uploader.faults['wrong-key'] ?? 0) > 0);
    t.is(card.receipts.size, 0);
    await old.close();
    await receive(t, station, [owner]);
    await waitUntil('it is drained', () => uploader.phase === 'drained');
    t.is(card.receipts.size, 1);
  },
);

test.serial('chunks that nobody asked for are counted and dropped', async (t) => {
  const station = await openStation(t);
  const owner = makeDevice('cam-1');
  const segment = sealSegment(owner);
  const card = new CardSegments([owner], [segment]);
  const receiver = await receive(t, station, [owner]);
  const attacker = await stranger(t, station);
  const inbox = inboxTopic('rx1', 'cam-1');
  const chunk = (key: number, epoch: number, index: number, length: number): Buffer => {
    const message = Buffer.alloc(12 + length);
    message.writeUInt32BE(key, 0);
    message.writeUInt32BE(epoch, 4);
    message.writeUInt32BE(index, 8);
    return message;
  };
  await attacker.publish(inbox, chunk(1, 1, 0, 100), { qos: 1 });
  await attacker.publish(inbox, chunk(1, 1, 0, 70_000), { qos: 1 });
  await waitUntil('both are counted', () => receiver.faults.malformed === 1);
  t.is(receiver.faults.stale, 1);
  const uploader = dock(t, station, owner, card);
  await attacker.publish(inbox, chunk(1, 0xffff_ffff, 0xffff_ffff, 100), { qos: 1 });
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
});

test.serial(
  'a manifest or a certificate that cannot be read holds up no other segment',
  async (t) => {
    const station = await openStation(t);
    const owner = makeDevice('cam-1', 3);
    const lost = makeDevice('cam-1', 2, owner.deviceKey);
    const receiver = await receive(t, station, [owner]);
    const broken = { ...sealSegment(owner, { seq: 0 }), manifest: owner.certificate };
    const card = new CardSegments(
      [owner],
      [broken, sealSegment(lost), sealSegment(owner, { seq: 1 })],
    );
    const uploader = dock(t, station, owner, card);
    await waitUntil('the good one has its receipt', () => card.receipts.has('3/1/1'));
    t.is(card.receipts.size, 1);
    t.true((uploader.faults['unreadable-segment'] ?? 0) > 0);
    t.true((uploader.faults['unreadable-certificate'] ?? 0) > 0);
    t.true((receiver.faults['refused-offer'] ?? 0) > 0);
    t.is(uploader.phase, 'draining');
  },
);

test.serial(
  'an offer of another manifest in mid-transfer drops the first; a leaf of it is never mixed in',
  async (t) => {
    const station = await openStation(t);
    const owner = makeDevice('cam-1');
    const segment = sealSegment(owner, { plainBytes: 8_000_000 });
    const twin = {
      ...segment,
      manifest: sealManifest({ ...segment.content, cfg: '1'.repeat(64) }, owner.session),
    };
    await receive(t, station, [owner]);
    const first = new CardSegments([owner], [segment]);
    let undocked: Promise<void> | undefined;
    let chunks = 0;
    const outgoing = (topic: string, payload: Buffer): Buffer[] => {
      if (topic.includes('/in/') && (chunks += 1) === 20) undocked = uploader.undock();
      return [payload];
    };
    const uploader = dock(t, station, owner, first, { wrap: (c) => meddleWith(c, { outgoing }) });
    await waitUntil('it is taken out', () => undocked !== undefined);
    await undocked;
    const card = new CardSegments([owner], [twin]);
    const second = dock(t, station, owner, card);
    await waitUntil('it is drained', () => second.phase === 'drained');
    t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
    const incoming = await readdir(path.join(station.store, 'cam-1', '.incoming'));
    t.deepEqual(incoming, [`3-1-0-${digestOf(segment).slice(0, 16)}.age`]);
  },
);

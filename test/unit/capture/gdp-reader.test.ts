import test from 'ava';
import { GdpReader, type AccessUnit, type GdpItem } from '../../../src/capture/gdp-reader.js';
import { capsPacket, segmentPacket, unitPacket } from '../../../src/hal/sim/gdp-writer.js';
import { accessUnits, FORMAT, gdpStream, nalUnit } from '../../support/synthetic-video.js';

const malformed = { code: 'capture/malformed-stream' };
const unitsOf = (items: readonly GdpItem[]): AccessUnit[] =>
  items.flatMap((item) => (item.type === 'unit' ? [item.unit] : []));
const CAPS = capsPacket(FORMAT.avcC, FORMAT.width, FORMAT.height);
const IDR = nalUnit(40, true, 1);

test('a stream gives its format once, then its access units with time from the segment start', (t) => {
  const units = accessUnits(5, { gopFrames: 3 });
  const items = new GdpReader().push(gdpStream(units));
  t.deepEqual(items[0], { type: 'format', format: FORMAT });
  t.deepEqual(unitsOf(items), units);
  t.is(items.length, 6);
});

test('frames at 30 a second are 3000 ticks apart although nanoseconds are not', (t) => {
  const stamps = [0n, 33_333_333n, 66_666_666n, 100_000_000n, 133_333_333n];
  const reader = new GdpReader();
  reader.push(Buffer.concat([CAPS, segmentPacket(7n)]));
  const items = reader.push(Buffer.concat(stamps.map((at) => unitPacket(IDR, at + 7n, 0n, false))));
  t.deepEqual(
    unitsOf(items).map((unit) => unit.pts90k as number),
    [0, 3000, 6000, 9000, 12_000],
  );
});

test('a unit before the start of its segment has a negative time', (t) => {
  const reader = new GdpReader();
  reader.push(Buffer.concat([CAPS, segmentPacket(1_000_000_000n)]));
  t.is(Number(unitsOf(reader.push(unitPacket(IDR, 0n, 0n, false)))[0]?.pts90k), -90_000);
});

test('a unit without a duration has duration 0', (t) => {
  const reader = new GdpReader();
  reader.push(CAPS);
  const none = 0xffff_ffff_ffff_ffffn;
  t.is(unitsOf(reader.push(unitPacket(IDR, 0n, none, false)))[0]?.duration90k, 0);
});

test('an I picture that is no IDR is not taken for one, whatever its flag says', (t) => {
  const reader = new GdpReader();
  reader.push(CAPS);
  const [unit] = unitsOf(reader.push(unitPacket(nalUnit(40, false, 1), 0n, 0n, false)));
  t.false(unit?.isIdr);
});

test('an IDR slice is found behind parameter sets', (t) => {
  const withSets = Buffer.concat([Buffer.from('0000000267420000000168', 'hex'), IDR]);
  const reader = new GdpReader();
  reader.push(CAPS);
  t.true(unitsOf(reader.push(unitPacket(withSets, 0n, 0n, false)))[0]?.isIdr);
});

test('a stamp goes behind the parameter sets, and moves no slice', (t) => {
  const sets = Buffer.from('0000000267420000000168', 'hex');
  const stamp = Buffer.from('0605ff', 'hex');
  const asked: number[] = [];
  const reader = new GdpReader({
    bytesMax: 3,
    nalFor: (at) => {
      asked.push(at);
      return stamp;
    },
  });
  reader.push(CAPS);
  const [unit] = unitsOf(
    reader.push(unitPacket(Buffer.concat([sets, IDR]), 1_000_000n, 0n, false)),
  );
  t.deepEqual(unit?.data, Buffer.concat([sets, Buffer.from('00000003', 'hex'), stamp, IDR]));
  t.true(unit?.isIdr);
  t.deepEqual(asked, [90]);
});

test('a stamp that is longer than announced is a bug, not a damaged picture', (t) => {
  const reader = new GdpReader({ bytesMax: 3, nalFor: () => Buffer.alloc(4) });
  reader.push(CAPS);
  t.throws(() => reader.push(unitPacket(IDR, 0n, 0n, false)), { code: 'internal/bug' });
});

test('the same caps again say nothing; other caps say a new format', (t) => {
  const reader = new GdpReader();
  t.is(reader.push(CAPS).length, 1);
  t.is(reader.push(CAPS).length, 0);
  t.deepEqual(reader.push(capsPacket(FORMAT.avcC, 640, 480)), [
    { type: 'format', format: { avcC: FORMAT.avcC, width: 640, height: 480 } },
  ]);
});

const header = (edit: (bytes: Buffer) => void): Buffer => {
  const bytes = Buffer.from(unitPacket(IDR, 0n, 0n, false));
  edit(bytes);
  return bytes;
};

const faults: Record<string, Buffer> = {
  'another version': header((bytes) => bytes.writeUInt8(2, 0)),
  'another minor version': header((bytes) => bytes.writeUInt8(1, 1)),
  'an unknown packet type': header((bytes) => bytes.writeUInt16BE(3, 4)),
  'a payload over the limit': header((bytes) => bytes.writeUInt32BE(16 * 1024 * 1024 + 1, 6)),
  'caps over the limit': header(
    (bytes) => bytes.writeUInt16BE(2, 4) && bytes.writeUInt32BE(65_537, 6),
  ),
  'a unit without a time stamp': header((bytes) => bytes.fill(0xff, 10, 18)),
  'an empty unit': unitPacket(Buffer.alloc(0), 0n, 0n, false),
  'a NAL unit longer than its access unit': unitPacket(
    Buffer.from('0000000965', 'hex'),
    0n,
    0n,
    false,
  ),
  'an empty NAL unit': unitPacket(Buffer.from('000000006500', 'hex'), 0n, 0n, false),
  'bytes after the last NAL unit': unitPacket(Buffer.from('000000016500', 'hex'), 0n, 0n, false),
  'caps of another codec': capsPacketText(
    'video/x-h265, codec_data=(buffer)01, width=(int)1, height=(int)1',
  ),
  'caps without a record': capsPacketText('video/x-h264, width=(int)320, height=(int)240'),
  'caps without a size': capsPacketText(
    `video/x-h264, codec_data=(buffer)${FORMAT.avcC.toString('hex')}, width=(int)320`,
  ),
  'a segment event without a start': eventText('GstEventSegment, rate=(double)1;'),
};

function capsPacketText(text: string): Buffer {
  return textPacket(2, text);
}
function eventText(text: string): Buffer {
  return textPacket(17_998, text);
}
function textPacket(type: number, text: string): Buffer {
  const payload = Buffer.from(`${text}\0`);
  const bytes = Buffer.alloc(62 + payload.length);
  bytes.writeUInt8(1, 0);
  bytes.writeUInt16BE(type, 4);
  bytes.writeUInt32BE(payload.length, 6);
  payload.copy(bytes, 62);
  return bytes;
}

for (const [name, bytes] of Object.entries(faults)) {
  test(`${name} is a malformed stream, and stays one`, (t) => {
    const reader = new GdpReader();
    reader.push(CAPS);
    t.throws(() => reader.push(bytes), malformed);
    t.throws(() => reader.push(CAPS), malformed);
  });
}

test('an access unit before the caps packet is a malformed stream', (t) => {
  t.throws(() => new GdpReader().push(unitPacket(IDR, 0n, 0n, false)), malformed);
});

test('other events are passed over', (t) => {
  t.deepEqual(new GdpReader().push(eventText('GstEventStreamStart, group-id=(uint)1;')), []);
});

test('the unit does not share memory with the bytes pushed', (t) => {
  const reader = new GdpReader();
  reader.push(CAPS);
  const bytes = unitPacket(IDR, 0n, 0n, false);
  const [unit] = unitsOf(reader.push(bytes));
  bytes.fill(0);
  t.deepEqual(unit?.data, IDR);
});

import test from 'ava';
import { muxGop } from '../../../src/capture/mp4.js';
import { findBox, readBoxHeader, readMoof } from '../../../src/capture/mp4-boxes.js';
import { bytesSource, SegmentReader } from '../../../src/capture/segment-reader.js';
import { accessUnits, FORMAT, FRAME_90K, storedSegment } from '../../support/synthetic-video.js';

const malformed = { code: 'evidence/malformed' };

const read = async (bytes: Buffer): Promise<{ data: Buffer[]; offsets: number[] }> => {
  const reader = await SegmentReader.open(bytesSource(bytes));
  const data: Buffer[] = [];
  const offsets: number[] = [];
  for await (const fragment of reader.fragments()) {
    offsets.push(fragment.offset90k);
    data.push(...(await reader.payload(fragment)));
  }
  return { data, offsets };
};

test('a segment gives its format, its fragments and their access units', async (t) => {
  const units = accessUnits(75);
  const segment = await storedSegment(units);
  const { format } = await SegmentReader.open(bytesSource(segment));
  t.deepEqual(format, FORMAT);
  const { data, offsets } = await read(segment);
  t.deepEqual(
    data,
    units.map((unit) => unit.data),
  );
  t.deepEqual(offsets, [0, 30 * FRAME_90K, 60 * FRAME_90K]);
});

test('bytes after the last fragment that are no fragment end the segment', async (t) => {
  const units = accessUnits(30);
  const segment = await storedSegment(units);
  for (const filler of [
    Buffer.alloc(5000),
    Buffer.alloc(5000, 0xa5),
    Buffer.from('0000000866726565', 'hex'),
  ]) {
    t.is((await read(Buffer.concat([segment, filler]))).data.length, 30);
  }
});

test('a file that is whole and not one of ours is malformed', async (t) => {
  const { init, moof, mdat } = await muxGop(accessUnits(3), FORMAT);
  const edit = async (change: (moof: Buffer, init: Buffer) => void): Promise<void> => {
    const parts = [Buffer.from(init), Buffer.from(moof), mdat] as const;
    change(parts[1], parts[0]);
    await t.throwsAsync(read(Buffer.concat(parts)), malformed);
  };
  const at = (box: Buffer, path: string[]): number => findBox(box, path).body;
  const tfhd = at(moof, ['traf', 'tfhd']);
  const trun = at(moof, ['traf', 'trun']);
  await edit((m) => m.writeUInt32BE(0, tfhd)); // offsets no longer from the moof
  await edit((m) => m.writeUInt32BE(0, trun + 4)); // no samples
  await edit((m) => m.writeUInt32BE(601, trun + 4)); // more samples than a GOP may have
  await edit((m) => m.writeUInt32BE(40, trun + 4)); // more samples than entries
  await edit((m) => m.writeUInt32BE(8, trun + 8)); // samples inside the moof
  await edit((m) => m.writeUInt32BE(m.readUInt32BE(trun) & ~1, trun)); // no data offset
  await edit((m) => m.writeUInt32BE(m.readUInt32BE(trun) | 0x800, trun)); // pictures out of order
  await edit((m) => m.write('trak', at(m, ['traf']) - 4)); // no track
  await edit((m) => m.writeUInt32BE(0xffff_ffff, at(m, ['traf', 'tfdt']) + 4)); // beyond 2^53
  await edit((_, i) => i.write('hev1', i.indexOf('avc1')));
  await edit((_, i) => i.write('hvcC', i.indexOf('avcC')));
  await edit((_, i) => i.write('skip', i.indexOf('stsd')));
  await edit((_, i) => i.writeUInt32BE(57_600, i.indexOf('mdhd') + 16)); // another time scale
});

test('a table longer than any of ours is malformed, not read into memory', async (t) => {
  const segment = await storedSegment(accessUnits(3));
  const ftyp = findBox(segment, []);
  const large = Buffer.concat([segment.subarray(0, ftyp.end), Buffer.alloc(70_000)]);
  large.writeUInt32BE(70_000, ftyp.end);
  large.write('moov', ftyp.end + 4);
  await t.throwsAsync(SegmentReader.open(bytesSource(large)), malformed);
});

test('a box may say its size in 64 bits', (t) => {
  const bytes = Buffer.alloc(40);
  bytes.writeUInt32BE(1, 4);
  bytes.write('mdat', 8);
  bytes.writeBigUInt64BE(2n ** 33n, 12);
  t.deepEqual(readBoxHeader(bytes, 4), { type: 'mdat', start: 4, body: 20, end: 4 + 2 ** 33 });
  t.is(readBoxHeader(bytes.subarray(0, 15), 4), undefined);
});

test('what is shorter than its own header or has no name is no box', (t) => {
  for (const hex of ['000000076d646174', '00000008006d6461', '0000000000000000', '6d64']) {
    t.is(readBoxHeader(Buffer.from(hex, 'hex'), 0), undefined, hex);
  }
});

test('a moof with two tracks is malformed', async (t) => {
  const { moof } = await muxGop(accessUnits(3), FORMAT);
  const traf = findBox(moof, ['traf']);
  const two = Buffer.concat([moof, moof.subarray(traf.start, traf.end)]);
  two.writeUInt32BE(two.length, 0);
  t.throws(() => readMoof(two), malformed);
});

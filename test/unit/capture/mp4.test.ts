import test from 'ava';
import { muxGop, joinSegments } from '../../../src/capture/mp4.js';
import { findBox, placeMoof, readMoof, readTrackFormat } from '../../../src/capture/mp4-boxes.js';
import { bytesSource, type ByteSource } from '../../../src/capture/segment-reader.js';
import { CameraError } from '../../../src/errors.js';
import { MemoryTarget, mp4Packets } from '../../support/mp4-packets.js';
import { accessUnits, FORMAT, FRAME_90K, storedSegment } from '../../support/synthetic-video.js';

const GOP = accessUnits(30, { start90k: 123_456, bytes: 400 });
const END_90K = 123_456 + 30 * FRAME_90K;

test('a GOP becomes a fragment at time 0 whose samples are the access units', async (t) => {
  const { init, moof, mdat } = await muxGop(GOP, FORMAT, END_90K);
  const tables = readMoof(moof);
  t.is(tables.sequence, 1);
  t.is(tables.decodeTime90k, 0);
  t.is(tables.dataOffset, moof.length + 8);
  t.deepEqual(
    tables.samples,
    GOP.map(({ data, isIdr }) => ({ bytes: data.length, duration90k: FRAME_90K, isIdr })),
  );
  t.deepEqual(mdat.subarray(8), Buffer.concat(GOP.map((unit) => unit.data)));
  t.is(mdat.readUInt32BE(0), mdat.length);
  t.is(mdat.buffer.byteLength, mdat.length, 'no spare bytes are kept alive behind the mdat');
  t.deepEqual(readTrackFormat(init.subarray(findBox(init, []).end)), FORMAT);
});

test('the fragment plays on its own in an independent reader', async (t) => {
  const { init, moof, mdat } = await muxGop(GOP, FORMAT, END_90K);
  t.deepEqual(
    await mp4Packets(Buffer.concat([init, moof, mdat])),
    GOP.map(({ data, isIdr }, index) => ({
      data,
      isIdr,
      at90k: index * FRAME_90K,
      duration90k: FRAME_90K,
    })),
  );
});

test('the last access unit lasts until the next IDR', async (t) => {
  const { moof } = await muxGop(GOP, FORMAT, END_90K + 700);
  t.is(readMoof(moof).samples.at(-1)?.duration90k, FRAME_90K + 700);
});

test('without a next IDR the last access unit keeps its own duration', async (t) => {
  const { moof } = await muxGop(GOP.slice(0, 7), FORMAT);
  t.is(readMoof(moof).samples.at(-1)?.duration90k, FRAME_90K);
});

test('uneven times are kept to the tick', async (t) => {
  const times = [0, 2999, 6001, 9000, 12_500];
  const units = accessUnits(5).map((unit, index) => ({ ...unit, pts90k: times[index] as never }));
  const { moof } = await muxGop(units, FORMAT, 15_000);
  t.deepEqual(
    readMoof(moof).samples.map((sample) => sample.duration90k),
    [2999, 3002, 2999, 3500, 2500],
  );
});

test('a GOP of one access unit is a fragment', async (t) => {
  const { init, moof, mdat } = await muxGop(GOP.slice(0, 1), FORMAT, 123_456 + FRAME_90K);
  const packets = await mp4Packets(Buffer.concat([init, moof, mdat]));
  t.deepEqual(
    packets.map((packet) => packet.duration90k),
    [FRAME_90K],
  );
});

test('the init of two GOPs of a run is the same and holds no wall time', async (t) => {
  const first = await muxGop(GOP, FORMAT);
  const second = await muxGop(accessUnits(4), FORMAT);
  t.deepEqual(first.init, second.init);
  const moov = first.init.subarray(findBox(first.init, []).end);
  for (const path of [['mvhd'], ['trak', 'tkhd'], ['trak', 'mdia', 'mdhd']]) {
    const { body } = findBox(moov, path);
    t.is(moov.readBigUInt64BE(body + 4), 0n, path.join('/'));
  }
});

test('placing changes the decode time and the sequence number of a copy, and nothing else', async (t) => {
  const { moof } = await muxGop(GOP, FORMAT, END_90K);
  const before = Buffer.from(moof);
  const placed = placeMoof(moof, 2 ** 40 + 5, 77);
  t.deepEqual(moof, before);
  t.deepEqual(readMoof(placed), { ...readMoof(moof), decodeTime90k: 2 ** 40 + 5, sequence: 77 });
  t.is(placed.length, moof.length);
});

const join = async (
  segments: readonly (readonly [Buffer, number])[],
): Promise<{
  bytes: Buffer;
  report: Awaited<ReturnType<typeof joinSegments>>;
  progress: number[];
}> => {
  const target = new MemoryTarget();
  const progress: number[] = [];
  const report = await joinSegments(
    segments.map(([bytes, offset90k]) => ({ source: bytesSource(bytes), offset90k })),
    target,
    (done) => progress.push(done),
  );
  return { bytes: target.bytes, report, progress };
};

test('joined segments hold every access unit byte for byte, one frame apart across the seam', async (t) => {
  const units = accessUnits(150);
  const segments = [await storedSegment(units.slice(0, 90)), await storedSegment(units.slice(90))];
  const { bytes, report, progress } = await join([
    [segments[0] ?? bytes0, 0],
    [segments[1] ?? bytes0, 270_000],
  ]);
  const packets = await mp4Packets(bytes);
  t.deepEqual(
    packets.map(({ data, at90k, isIdr }) => ({ data, at90k, isIdr })),
    units.map(({ data, pts90k, isIdr }) => ({ data, at90k: Number(pts90k), isIdr })),
  );
  t.deepEqual(report, {
    frames: 150,
    duration90k: 450_000,
    segments: [
      { frames: 90, isCut: false },
      { frames: 60, isCut: false },
    ],
  });
  t.deepEqual(progress, [30, 60, 90, 120, 150]);
});

const bytes0 = Buffer.alloc(0);

test('the joined file has its table of contents first and is the same each time', async (t) => {
  const segment = await storedSegment(accessUnits(60));
  const first = await join([[segment, 0]]);
  const second = await join([[segment, 0]]);
  t.deepEqual(first.bytes, second.bytes);
  const ftyp = findBox(first.bytes, []);
  t.is(findBox(first.bytes.subarray(ftyp.end), []).type, 'moov');
});

test('a gap between segments stays a gap', async (t) => {
  const units = accessUnits(30);
  const segment = await storedSegment(units);
  const { bytes, report } = await join([
    [segment, 0],
    [segment, 90_000 + 45_000],
  ]);
  const packets = await mp4Packets(bytes);
  t.is(packets[30]?.at90k, 135_000);
  t.is((packets[30]?.at90k ?? 0) - (packets[29]?.at90k ?? 0), FRAME_90K + 45_000);
  t.is(report.duration90k, 225_000);
});

test('a segment without one whole picture is left out and said', async (t) => {
  const segment = await storedSegment(accessUnits(30));
  const { report } = await join([
    [segment, 0],
    [segment.subarray(0, 700), 90_000],
    [bytes0, 90_000],
  ]);
  t.deepEqual(report.segments, [
    { frames: 30, isCut: false },
    { frames: 0, isCut: true },
    { frames: 0, isCut: true },
  ]);
  t.is(report.frames, 30);
});

test('a recording without a picture cannot be joined', async (t) => {
  await t.throwsAsync(join([[bytes0, 0]]), { code: 'evidence/malformed' });
});

test('a change of the picture format cannot be joined', async (t) => {
  const other = { ...FORMAT, width: 640, height: 480 };
  await t.throwsAsync(
    join([
      [await storedSegment(accessUnits(30)), 0],
      [await storedSegment(accessUnits(30), other), 90_000],
    ]),
    { code: 'capture/mixed-formats' },
  );
});

test('segments that overlap in time cannot be joined', async (t) => {
  const segment = await storedSegment(accessUnits(30));
  await t.throwsAsync(
    join([
      [segment, 0],
      [segment, 89_999],
    ]),
    { code: 'evidence/malformed' },
  );
});

test('an error of the target comes out of the join', async (t) => {
  const source = bytesSource(await storedSegment(accessUnits(90, { bytes: 4000 })));
  const full = new CameraError('storage/disk-full', 'no room');
  const target = { write: () => Promise.reject(full) };
  t.is(await t.throwsAsync(joinSegments([{ source, offset90k: 0 }], target)), full);
});

test('an error of a source comes out of the join', async (t) => {
  const bytes = await storedSegment(accessUnits(90));
  const broken = new CameraError('storage/io', 'no answer');
  const source: ByteSource = {
    size: bytes.length,
    read: (start, end) =>
      end - start > 1000 ? Promise.reject(broken) : Promise.resolve(bytes.subarray(start, end)),
  };
  const error = await t.throwsAsync(joinSegments([{ source, offset90k: 0 }], new MemoryTarget()));
  t.is(error, broken);
});

test('a join reads and writes in small pieces, however long the recording', async (t) => {
  const segment = await storedSegment(accessUnits(300, { bytes: 2000 }));
  let largestRead = 0;
  const source: ByteSource = {
    size: segment.length,
    read: (start, end) => {
      largestRead = Math.max(largestRead, end - start);
      return Promise.resolve(segment.subarray(start, end));
    },
  };
  const target = new MemoryTarget();
  await joinSegments(
    [0, 1, 2, 3].map((index) => ({ source, offset90k: index * 900_000 })),
    target,
  );
  t.true(largestRead < 70_000, `largest read ${largestRead}`);
  t.true(target.largestWrite < 150_000, `largest write ${target.largestWrite}`);
  t.is((await mp4Packets(target.bytes)).length, 1200);
});

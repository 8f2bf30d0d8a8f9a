import test from 'ava';
import { joinSegments, muxGop, muxInit } from '../../../src/capture/mp4.js';
import { findBox, placeMoof } from '../../../src/capture/mp4-boxes.js';
import { readRotation, withRotation, type Rotation } from '../../../src/capture/rotation.js';
import { bytesSource, SegmentReader } from '../../../src/capture/segment-reader.js';
import { MemoryTarget, mp4Packets } from '../../support/mp4-packets.js';
import { RecorderRig } from '../../support/recorder-rig.js';
import { accessUnits, FORMAT, storedSegment } from '../../support/synthetic-video.js';

const UNITS = accessUnits(30);
const moovIn = (init: Buffer): Buffer => init.subarray(findBox(init, []).end);

/** A segment turned by so many degrees. */
async function segment(rotation: Rotation): Promise<Buffer> {
  const { init, moof, mdat } = await muxGop(UNITS, FORMAT);
  return Buffer.concat([withRotation(init, rotation), placeMoof(moof, 0, 1), mdat]);
}

test('half a turn changes nothing but the matrix of the picture', async (t) => {
  const { init } = await muxGop(UNITS, FORMAT);
  const turned = withRotation(init, 180);
  t.is(turned.length, init.length);
  t.is(readRotation(moovIn(init)), 0);
  t.is(readRotation(moovIn(turned)), 180);
  const tkhd = findBox(moovIn(turned), ['trak', 'tkhd']);
  const matrix = moovIn(turned).subarray(tkhd.body + 40, tkhd.body + 76);
  t.is(
    matrix.toString('hex'),
    // -1 0 0, 0 -1 0, 320 240 1
    'ffff00000000000000000000' + '00000000ffff000000000000' + '0140000000f0000040000000',
  );
  moovIn(init).copy(matrix, 0, tkhd.body + 40, tkhd.body + 76);
  t.deepEqual(turned, init);
  t.is(withRotation(init, 0), init);
});

test('with sound, the picture is turned and nothing else', async (t) => {
  const [first] = UNITS;
  if (first === undefined) throw new Error('no unit');
  const init = await muxInit(first, FORMAT, Buffer.from('1188', 'hex'));
  const turned = withRotation(init, 180);
  t.is(readRotation(moovIn(turned)), 180);
  const changed = Array.from(init).filter((byte, at) => byte !== turned[at]);
  t.is(changed.length, 7, 'two numbers of one track, and the size of the picture');
});

test('a turned recording is exported turned, its pictures byte for byte', async (t) => {
  const bytes = await segment(180);
  t.is((await SegmentReader.open(bytesSource(bytes))).rotation, 180);
  const [upright, turned] = [new MemoryTarget(), new MemoryTarget()];
  await joinSegments([{ source: bytesSource(await segment(0)), offset90k: 0 }], upright);
  const half = { source: bytesSource(bytes), offset90k: 0 };
  await joinSegments([half, { ...half, offset90k: 90_000 }], turned);
  t.is(readRotation(moovIn(turned.bytes)), 180);
  t.is(readRotation(moovIn(upright.bytes)), 0);
  const packets = await mp4Packets(turned.bytes);
  t.deepEqual(
    packets.map(({ data }) => data),
    [...UNITS, ...UNITS].map(({ data }) => data),
  );
});

test('a recording that is turned on its way is refused, not shown upside down', async (t) => {
  const inputs = [
    { source: bytesSource(await segment(0)), offset90k: 0 },
    { source: bytesSource(await segment(180)), offset90k: 90_000 },
  ];
  await t.throwsAsync(joinSegments(inputs, new MemoryTarget()), { code: 'capture/mixed-formats' });
});

test('a matrix that is not ours is refused', async (t) => {
  const bytes = await storedSegment(UNITS);
  const moov = moovIn(bytes);
  moov.writeInt32BE(0x2_0000, findBox(moov, ['trak', 'tkhd']).body + 40);
  await t.throwsAsync(SegmentReader.open(bytesSource(bytes)), { code: 'evidence/malformed' });
});

test('a recording is turned as the camera was worn when it began, in all of its segments and the one it rolls over to', async (t) => {
  const rig = await new RecorderRig({ preEventMs: 0, recordingMsMax: 12_000 }).start(3000);
  rig.rotation = 180;
  await rig.press();
  rig.rotation = 0;
  await rig.wait(20_000);
  const closing = rig.recorder.stopAndClose(5000);
  await rig.wait(1000);
  t.true(await closing);
  const rotations = (rec: number): number[] =>
    rig.sink.of(rec).map(({ opening }) => opening.rotation);
  t.deepEqual([...new Set(rotations(1))], [180]);
  t.true(rotations(1).length > 1);
  t.deepEqual([...new Set(rotations(2))], [180]);
  for (const { opening } of rig.sink.segments) t.is(readRotation(moovIn(opening.init)), 180);
});

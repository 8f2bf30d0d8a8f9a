import test from 'ava';
import fc from 'fast-check';
import { joinSegments } from '../../../src/capture/mp4.js';
import { findBox, placeMoof, readBoxHeader, readMoof } from '../../../src/capture/mp4-boxes.js';
import { bytesSource, SegmentReader } from '../../../src/capture/segment-reader.js';
import { CameraError } from '../../../src/errors.js';
import { muxGop } from '../../../src/capture/mp4.js';
import { MemoryTarget, mp4Packets } from '../../support/mp4-packets.js';
import { accessUnits, FORMAT, storedSegment } from '../../support/synthetic-video.js';

const UNITS = accessUnits(20, { gopFrames: 8, bytes: 30 });

/** Where each access unit ends in the segment: found by its bytes, not by the tables under test. */
const endsIn = (segment: Buffer): number[] => {
  let from = 0;
  return UNITS.map(({ data }) => (from = segment.indexOf(data, from) + data.length));
};

const frames = async (bytes: Buffer): Promise<Buffer[]> => {
  const reader = await SegmentReader.open(bytesSource(bytes));
  const found: Buffer[] = [];
  for await (const fragment of reader.fragments()) found.push(...(await reader.payload(fragment)));
  return found;
};

test('a segment cut at any byte gives every access unit that is whole, and no other', async (t) => {
  const segment = await storedSegment(UNITS);
  const ends = endsIn(segment);
  for (let cut = 0; cut <= segment.length; cut += 1) {
    const whole = UNITS.filter((_, index) => (ends[index] ?? 0) <= cut);
    const found = await frames(segment.subarray(0, cut));
    if (!found.every((data, index) => data.equals(whole[index]?.data ?? Buffer.alloc(0)))) {
      t.fail(`wrong bytes at a cut of ${cut}`);
    }
    if (found.length !== whole.length) t.is(found.length, whole.length, `cut at ${cut}`);
  }
  t.is(ends.at(-1), segment.length);
});

test('a recording whose last segment is cut anywhere joins into a file with every whole picture', async (t) => {
  const segment = await storedSegment(UNITS);
  const ends = endsIn(segment);
  await fc.assert(
    fc.asyncProperty(fc.nat(segment.length), async (cut) => {
      const target = new MemoryTarget();
      const report = await joinSegments(
        [
          { source: bytesSource(segment), offset90k: 0 },
          { source: bytesSource(segment.subarray(0, cut)), offset90k: UNITS.length * 3000 },
        ],
        target,
      );
      const expected = UNITS.length + ends.filter((end) => end <= cut).length;
      t.is(report.frames, expected);
      t.is((await mp4Packets(target.bytes)).length, expected);
    }),
    { numRuns: 40 },
  );
});

test('a damaged segment gives pictures or a malformed error, never anything else', async (t) => {
  const segment = await storedSegment(UNITS);
  const damage = fc.array(fc.tuple(fc.nat(segment.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 6,
  });
  await fc.assert(
    fc.asyncProperty(damage, async (edits) => {
      const bytes = Buffer.from(segment);
      for (const [at, value] of edits) bytes.writeUInt8(value, at);
      try {
        t.true((await frames(bytes)).length <= 600);
      } catch (error) {
        t.true(error instanceof CameraError && error.code === 'evidence/malformed', String(error));
      }
    }),
    { numRuns: 400 },
  );
});

test('a damaged moof is read or refused, and placing it never writes outside', async (t) => {
  const { moof } = await muxGop(UNITS.slice(0, 8), FORMAT);
  fc.assert(
    fc.property(
      fc.array(fc.tuple(fc.nat(moof.length - 1), fc.nat(255)), { maxLength: 6 }),
      (edits) => {
        const bytes = Buffer.from(moof);
        for (const [at, value] of edits) bytes.writeUInt8(value, at);
        try {
          readMoof(bytes);
          t.is(placeMoof(bytes, 1, 2).length, bytes.length);
        } catch (error) {
          t.true(
            error instanceof CameraError && error.code === 'evidence/malformed',
            String(error),
          );
        }
      },
    ),
    { numRuns: 400 },
  );
});

test('any decode time and sequence number that is placed is read back', async (t) => {
  const { moof } = await muxGop(UNITS.slice(0, 8), FORMAT);
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.nat(0xffff_ffff), (decodeTime90k, sequence) => {
      const tables = readMoof(placeMoof(moof, decodeTime90k, sequence));
      t.is(tables.decodeTime90k, decodeTime90k);
      t.is(tables.sequence, sequence);
    }),
  );
});

test('random bytes are a box or none, and a path through them ends in a malformed error', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), (array) => {
      const bytes = Buffer.from(array);
      const box = readBoxHeader(bytes, 0);
      t.true(box === undefined || box.end >= box.body);
      t.throws(() => findBox(bytes, ['moov', 'trak']), { code: 'evidence/malformed' });
    }),
  );
});

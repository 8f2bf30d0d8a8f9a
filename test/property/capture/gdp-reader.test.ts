import test from 'ava';
import fc from 'fast-check';
import { GdpReader, type GdpItem } from '../../../src/capture/gdp-reader.js';
import { CameraError } from '../../../src/errors.js';
import { accessUnits, cutAt, FORMAT, gdpStream } from '../../support/synthetic-video.js';

const units = accessUnits(12, { gopFrames: 5 });
const stream = gdpStream(units);
const expected: GdpItem[] = [
  { type: 'format', format: FORMAT },
  ...units.map((unit): GdpItem => ({ type: 'unit', unit })),
];

const readAll = (pieces: readonly Buffer[]): GdpItem[] => {
  const reader = new GdpReader();
  return pieces.flatMap((piece) => reader.push(piece));
};

test('a stream gives the same however it is cut', (t) => {
  fc.assert(
    fc.property(fc.array(fc.nat(), { maxLength: 40 }), (places) => {
      t.deepEqual(readAll(cutAt(stream, places)), expected);
    }),
  );
});

test('a stream given byte by byte gives the same', (t) => {
  t.deepEqual(readAll(Array.from(stream, (_, at) => stream.subarray(at, at + 1))), expected);
});

test('a damaged stream gives access units or a malformed-stream error, never anything else', (t) => {
  const damage = fc.array(fc.tuple(fc.nat(stream.length - 1), fc.nat(255)), {
    minLength: 1,
    maxLength: 8,
  });
  fc.assert(
    fc.property(damage, fc.array(fc.nat(), { maxLength: 5 }), (edits, places) => {
      const bytes = Buffer.from(stream);
      for (const [at, value] of edits) bytes.writeUInt8(value, at);
      try {
        for (const item of readAll(cutAt(bytes, places))) {
          if (item.type === 'unit') t.true(item.unit.data.length > 0);
        }
      } catch (error) {
        t.true(error instanceof CameraError && error.code === 'capture/malformed-stream');
      }
    }),
    { numRuns: 300 },
  );
});

test('random bytes never give an access unit', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
      const reader = new GdpReader();
      try {
        for (const chunk of chunks) t.deepEqual(reader.push(Buffer.from(chunk)), []);
      } catch (error) {
        t.true(error instanceof CameraError && error.code === 'capture/malformed-stream');
      }
    }),
  );
});

test('a large unit in small pieces takes linear time', (t) => {
  const units = accessUnits(1, { bytes: 8_000_000 });
  const stream = gdpStream(units);
  const read = (pieceBytes: number): number => {
    const reader = new GdpReader();
    const started = process.hrtime.bigint();
    let count = 0;
    for (let at = 0; at < stream.length; at += pieceBytes) {
      count += reader.push(stream.subarray(at, at + pieceBytes)).length;
    }
    t.is(count, 2);
    return Number(process.hrtime.bigint() - started) / 1e6;
  };
  read(65_536);
  const [coarse, fine] = [read(8192), read(512)];
  t.true(fine < 100 + coarse * 100, `${fine} ms in 512-byte pieces, ${coarse} ms in 8-KiB pieces`);
});

import test from 'ava';
import fc from 'fast-check';
import { frameTimeNal, readFrameTime } from '../../../src/capture/frame-time-sei.js';
import { GdpReader } from '../../../src/capture/gdp-reader.js';
import { nalUnits } from '../../../src/capture/nal-units.js';
import { readSei, seiNal } from '../../../src/capture/sei.js';
import { CameraError } from '../../../src/errors.js';
import { capsPacket, unitPacket } from '../../../src/hal/sim/gdp-writer.js';
import { cutAt, FORMAT } from '../../support/synthetic-video.js';

/** Many zeros and small bytes, which is where emulation prevention has its work. */
const bytes = (maxLength: number): fc.Arbitrary<Buffer> =>
  fc
    .array(fc.oneof(fc.nat(4), fc.constant(0), fc.nat(255)), { maxLength })
    .map((values) => Buffer.from(values));

test('any message comes back as it was, and its NAL unit holds nothing like a start code', (t) => {
  fc.assert(
    fc.property(fc.nat(1000), bytes(1200), (type, payload) => {
      const nal = seiNal({ type, payload });
      t.deepEqual(readSei(nal), [{ type, payload }]);
      t.false(hasStartCode(nal));
      t.not(nal.at(-1), 0);
    }),
    { numRuns: 500 },
  );
});

test('any bytes give messages or a malformed error, never anything else', (t) => {
  fc.assert(
    fc.property(bytes(80), (body) => {
      try {
        for (const { payload } of readSei(Buffer.concat([Buffer.of(6), body]))) {
          t.true(payload.length < body.length);
        }
      } catch (error) {
        t.true(error instanceof CameraError && error.code === 'evidence/malformed');
      }
    }),
    { numRuns: 500 },
  );
});

/** Whether two zeros stand before a byte that may not follow them: ITU-T H.264 §7.4.1. */
function hasStartCode(nal: Buffer): boolean {
  return nal.some((byte, at) => {
    if (nal[at - 1] !== 0 || nal[at - 2] !== 0) return false;
    return byte < 3 || (byte === 3 && (nal[at + 1] ?? 0) > 3);
  });
}

const NEVER = { utcMicros: 0, isLocked: false, isStep: false, isBackwards: false };

const time = fc.record({
  utcMicros: fc.nat(Number.MAX_SAFE_INTEGER),
  isLocked: fc.boolean(),
  isStep: fc.boolean(),
  isBackwards: fc.constant(false),
});

/** Delimiter, parameter sets and a foreign SEI, each or not; then slices, and what may come behind them. */
const nals = fc
  .tuple(
    fc.subarray([9, 7, 8, 6]),
    fc.array(fc.constantFrom(1, 5), { minLength: 1, maxLength: 4 }),
    fc.subarray([12]),
    fc.array(bytes(300), { minLength: 9, maxLength: 9 }),
  )
  .map(([heads, slices, tails, bodies]) => {
    const list = [...heads, ...slices, ...tails];
    return list.map((type, index) =>
      Buffer.concat([Buffer.of(0x60 | type), bodies[index] ?? Buffer.alloc(0)]),
    );
  });

test('a stamp stands right before the first slice, and nothing else has changed', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.tuple(nals, time), { minLength: 1, maxLength: 4 }),
      fc.constantFrom(2, 4),
      fc.array(fc.nat(), { maxLength: 10 }),
      (units, lengthBytes, places) => {
        const times = units.map(([, each]) => each);
        const reader = new GdpReader({
          bytesMax: 32,
          nalFor: (at) => frameTimeNal(times[at / 9000] ?? NEVER),
        });
        const avcC = Buffer.from(FORMAT.avcC);
        avcC.writeUInt8(0xfc | (lengthBytes - 1), 4);
        const stream = Buffer.concat([
          capsPacket(avcC, FORMAT.width, FORMAT.height),
          ...units.map(([list], index) => {
            const data = Buffer.concat(list.flatMap((nal) => [lengthOf(nal, lengthBytes), nal]));
            return unitPacket(data, BigInt(index) * 100_000_000n, 0n, false);
          }),
        ]);
        const read = cutAt(stream, places)
          .flatMap((piece) => reader.push(piece))
          .flatMap((item) => (item.type === 'unit' ? [item.unit] : []));
        t.is(read.length, units.length);
        for (const [index, { data, isIdr }] of read.entries()) {
          const [list = [], said] = units[index] ?? [];
          const stamped = [...nalUnits(data, lengthBytes)];
          const at = list.findIndex((nal) => [1, 5].includes(nal.readUInt8(0) & 0x1f));
          t.deepEqual([...stamped.slice(0, at), ...stamped.slice(at + 1)], list);
          t.deepEqual(stamped[at], said && frameTimeNal(said));
          t.is(
            isIdr,
            list.some((nal) => (nal.readUInt8(0) & 0x1f) === 5),
          );
        }
      },
    ),
    { numRuns: 300 },
  );
});

function lengthOf(nal: Buffer, lengthBytes: number): Buffer {
  const length = Buffer.alloc(lengthBytes);
  length.writeUIntBE(nal.length, 0, lengthBytes);
  return length;
}

test('every time comes back to the microsecond', (t) => {
  fc.assert(
    fc.property(time, (said) => {
      const nal = frameTimeNal(said);
      t.is(nal.length, 32);
      t.deepEqual(readFrameTime(Buffer.concat([lengthOf(nal, 4), nal])), said);
    }),
  );
});

import test from 'ava';
import fc from 'fast-check';
import { hasErrorCode } from '../../src/errors.js';
import { METADATA_BYTES_MAX, formatMetadata, readMetadata } from '../../src/evidence/metadata.js';
import type { MetadataLine } from '../../src/evidence/metadata.js';

const DIGEST = 'ab'.repeat(32);
const ms = fc.nat({ max: 2 ** 40 });
const time = {
  source: fc.constantFrom('gnss', 'ntp', 'rtc', 'unset'),
  wall_ms: ms,
  uncertainty_ms: ms,
};

const imu = fc
  .array(fc.tuple(fc.nat({ max: 2000 }), fc.integer({ min: -32768, max: 32767 })), {
    maxLength: 20,
  })
  .map((samples) => ({
    type: 'imu',
    mono: 1,
    media_ms: 2,
    dt: samples.map(([dt]) => dt),
    acc_mg: samples.flatMap(([, value]) => [value, 0, -1]),
    gyro_ddps: samples.flatMap(([, value]) => [0, value, 1]),
  }));

const line = fc.oneof(
  fc.record({ type: fc.constant('opened'), mono: ms, ...time }),
  fc.record({ type: fc.constant('clock'), mono: ms, ...time }),
  fc.record({ type: fc.constant('start'), mono: ms, media_ms: ms }),
  fc.record({ type: fc.constant('mark'), mono: ms, media_ms: ms }),
  fc.record({
    type: fc.constant('trigger'),
    kind: fc.constantFrom('start', 'fall', 'command', 'peer'),
    mono: ms,
    by: fc.constant('cam-2'),
  }),
  fc.record({
    type: fc.constant('interval'),
    kind: fc.constantFrom('mute', 'audio-lost', 'stealth', 'sleep'),
    from_ms: ms,
    to_ms: ms,
  }),
  fc.record({
    type: fc.constant('facts'),
    wearer: fc.option(fc.string({ unit: 'grapheme', maxLength: 8 })),
    mount: fc.constant(null),
    rotation: fc.constantFrom(0, 180),
    cfg: fc.constant(DIGEST),
  }),
  imu,
) as fc.Arbitrary<MetadataLine>;

test('what is written is read again, line by line', (t) => {
  fc.assert(
    fc.property(fc.array(line, { maxLength: 20 }), (lines) => {
      t.deepEqual([...readMetadata(formatMetadata(lines))], lines);
    }),
  );
});

test('whatever was done to the bytes, they are read as they are or refused as malformed', (t) => {
  const lines = fc.array(line, { minLength: 1, maxLength: 5 });
  fc.assert(
    fc.property(lines, fc.nat(), fc.uint8Array({ maxLength: 4 }), (written, place, bytes) => {
      const file = formatMetadata(written);
      const at = place % file.length;
      const changed = Buffer.concat([file.subarray(0, at), bytes, file.subarray(at + 1)]);
      try {
        t.true(readMetadata(changed).length <= written.length + 4);
      } catch (error) {
        t.true(hasErrorCode(error, 'evidence/malformed'), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

const opened = '{"type":"mark","mono":1,"media_ms":2}\n';
const bad: readonly (readonly [string, string])[] = [
  ['an unknown type', '{"type":"face","mono":1}\n'],
  ['a field too many', '{"type":"mark","mono":1,"media_ms":2,"who":"x"}\n'],
  ['a field too few', '{"type":"mark","mono":1}\n'],
  ['a fraction', '{"type":"mark","mono":1.5,"media_ms":2}\n'],
  ['a cut line', '{"type":"mark","mono":1,"media_ms":2}'],
  ['an empty line', '\n'],
  ['no JSON', 'mark\n'],
  ['uneven samples', '{"type":"imu","mono":1,"media_ms":1,"dt":[0],"acc_mg":[1],"gyro_ddps":[]}\n'],
  ['a line without end', `{"type":"salt","salt":"${'a'.repeat(70_000)}"}\n`],
];
for (const [name, text] of bad) {
  test(`metadata with ${name} are refused with the line`, (t) => {
    const error = t.throws(() => readMetadata(Buffer.from(opened + text)), {
      code: 'evidence/malformed',
    });
    t.regex(error.message, /line 2|last line/);
  });
}

test('metadata longer than any segment has are refused unread', (t) => {
  t.throws(() => readMetadata(Buffer.alloc(METADATA_BYTES_MAX + 1, 10)), {
    code: 'evidence/malformed',
  });
});

import test from 'ava';
import fc from 'fast-check';
import { FixAssembler } from '../../../src/hal/drivers/gnss-fix.js';
import { NmeaSplitter } from '../../../src/hal/drivers/nmea-splitter.js';
import { readSentence } from '../../../src/hal/drivers/nmea.js';
import type { NmeaFact } from '../../../src/hal/drivers/nmea.js';
import { nmea } from '../../../src/hal/sim/sim-gnss.js';
import { monotonicMs } from '../../../src/units.js';

/** The checksum by another road than that of the driver. */
const isRight = (line: string): boolean => {
  const match = /^\$(.*)\*([\dA-Fa-f]{2})$/.exec(line);
  const sum = Buffer.from(match?.[1] ?? '', 'latin1').reduce((a, b) => a ^ b, 0);
  return match !== null && sum === parseInt(match[2] ?? '', 16);
};

interface Heard {
  readonly lines: string[];
  readonly facts: NmeaFact[];
}

/** Feeds bytes in pieces, and checks what must hold for whatever comes out. */
function hear(
  t: { true(value: boolean, message?: string): void },
  chunks: readonly Uint8Array[],
): Heard {
  const heard: Heard = { lines: [], facts: [] };
  const assembler = new FixAssembler();
  const splitter = new NmeaSplitter({
    line: (text) => {
      heard.lines.push(text);
      t.true(/^\$[\x20-\x23\x25-\x7e]{0,79}$/.test(text), text);
      const verdict = readSentence(text);
      t.true((verdict.kind === 'bad-checksum') !== isRight(text), text);
      if (verdict.kind !== 'fact') return;
      heard.facts.push(verdict.fact);
      const fix = assembler.take(verdict.fact, monotonicMs(0));
      if (fix === undefined) return;
      const year = new Date(fix.utcMs).getUTCFullYear();
      t.true(year >= 2024 && year <= 2099, text);
      t.true(Math.abs(fix.latitude) <= 90 && Math.abs(fix.longitude) <= 180, text);
      const numbers = [fix.speedMps, fix.courseDeg, fix.altitudeM, fix.satellites, fix.hdop];
      t.true(
        numbers.every((value) => value === undefined || Number.isFinite(value)),
        text,
      );
    },
    overlong: () => undefined,
    broken: () => undefined,
  });
  for (const chunk of chunks) splitter.push(chunk);
  return heard;
}

const valid = [
  'GNRMC,092725.00,A,4717.11399,N,00833.91590,E,0.004,77.52,091226,,,A,V',
  'GPRMC,092725,A,4717.1139,S,00833.9159,W,,,091226,,',
  'GNRMC,,V,,,,,,,,,,N',
  'GPGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01,499.6,M,48.0,M,,',
  'GNGNS,092725.00,4717.11399,N,00833.91590,E,AANN,12,0.9,499.6,48.0,,',
  'GNGSA,A,3,23,29,,,,,,,,,,,1.94,1.18,1.54,1',
];

test('any bytes, cut anywhere: no crash, and no sentence without its checksum', (t) => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 10 }), (chunks) => {
      t.notThrows(() => {
        hear(t, chunks);
      });
    }),
    { numRuns: 2_000 },
  );
});

test('sentences of which bytes were changed are refused, unless their checksum is right', (t) => {
  const change = fc.tuple(fc.nat(90), fc.integer({ min: 0, max: 255 }));
  fc.assert(
    fc.property(
      fc.constantFrom(...valid),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      (body, changes) => {
        const bytes = Buffer.from(`${nmea(body)}\r\n`, 'latin1');
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        hear(t, [bytes]);
      },
    ),
    { numRuns: 5_000 },
  );
});

test('one changed bit is always noticed', (t) => {
  for (const body of valid) {
    const line = nmea(body);
    for (let at = 1; at < line.length - 3; at += 1) {
      for (let bit = 0; bit < 8; bit += 1) {
        const bytes = Buffer.from(line, 'latin1');
        bytes[at] = (bytes[at] ?? 0) ^ (1 << bit);
        t.is(readSentence(bytes.toString('latin1')).kind, 'bad-checksum');
      }
    }
  }
});

test('fields of any kind under a right checksum give nothing that cannot be', (t) => {
  const field = fc.oneof(
    fc.constantFrom('', 'A', 'V', 'N', 'S', 'E', 'W', 'M', '0', '1', '3', '-1', '1e9', 'NaN', '.'),
    fc.stringMatching(/^\d{0,8}(\.\d{0,6})?$/),
    fc.string({ maxLength: 8 }),
  );
  fc.assert(
    fc.property(
      fc.constantFrom('GNRMC', 'GPGGA', 'GNGNS', 'GAGSA', 'GPtoString', 'GP__proto__'),
      fc.array(field, { maxLength: 20 }),
      (type, fields) => {
        hear(t, [Buffer.from(`${nmea([type, ...fields].join(','))}\r\n`, 'latin1')]);
      },
    ),
    { numRuns: 5_000 },
  );
});

test('any date and time in an RMC is refused or within 2024 to 2099, and never rolled over', (t) => {
  fc.assert(
    fc.property(
      fc.integer({ min: 0, max: 999_999 }),
      fc.integer({ min: 0, max: 999_999 }),
      (time, date) => {
        const hhmmss = String(time).padStart(6, '0');
        const ddmmyy = String(date).padStart(6, '0');
        const body = `GPRMC,${hhmmss},A,4717.1,N,00833.9,E,,,${ddmmyy},,,A`;
        const { facts } = hear(t, [Buffer.from(`${nmea(body)}\n`)]);
        const [fact] = facts;
        if (fact?.type !== 'RMC') return;
        const iso = new Date(fact.utcMs).toISOString();
        t.is(`${iso.slice(8, 10)}${iso.slice(5, 7)}${iso.slice(2, 4)}`, ddmmyy);
        t.is(iso.slice(11, 19).replaceAll(':', ''), hhmmss);
      },
    ),
    { numRuns: 5_000 },
  );
});

test('sentences come through whole between garbage, however they are cut', (t) => {
  const garbage = fc.oneof(
    // UBX: two sync bytes, class, id, length, payload.
    fc
      .uint8Array({ maxLength: 60 })
      .map((payload) => Buffer.from([0xb5, 0x62, 0x01, 0x07, payload.length, 0, ...payload])),
    // Boot chatter and half lines; a line end closes what they leave open.
    fc
      .constantFrom(
        'u-blox AG - www.u-blox.com\r\n',
        '$GPRMC,0927',
        '$GNTXT,01,01,02,ANTST',
        '\xff\xff\x00',
      )
      .map((text) => Buffer.from(text, 'latin1')),
  );
  fc.assert(
    fc.property(
      fc.array(garbage, { maxLength: 5 }),
      fc.integer({ min: 1, max: 40 }),
      (pieces, size) => {
        const whole = Buffer.concat([
          ...pieces.flatMap((piece, index) => [
            piece,
            Buffer.from(`\r\n${nmea(valid[index] ?? '')}\r\n`),
          ]),
        ]);
        const chunks = [];
        for (let at = 0; at < whole.length; at += size) chunks.push(whole.subarray(at, at + size));
        const { lines } = hear(t, chunks);
        for (const [index] of pieces.entries()) t.true(lines.includes(nmea(valid[index] ?? '')));
      },
    ),
    { numRuns: 1_000 },
  );
});

test('what a receiver at 115200 baud looks like at 9600 gives no sentence', (t) => {
  /** Samples the wire at a twelfth of its speed, as a UART does that is set too slow. */
  const misread = (text: string): Buffer => {
    const wire = [...Buffer.from(text)].flatMap((byte) => [
      0,
      ...Array.from({ length: 8 }, (_, bit) => (byte >> bit) & 1),
      1,
    ]);
    const bytes: number[] = [];
    for (let at = 0; at + 120 < wire.length; at += 1) {
      if (wire[at] !== 0) continue;
      const bits = Array.from({ length: 8 }, (_, bit) => wire[at + 18 + bit * 12] ?? 1);
      bytes.push(bits.reduce((sum, bit, index) => sum | (bit << index), 0));
      at += 119;
    }
    return Buffer.from(bytes);
  };
  const burst = valid
    .map((body) => `${nmea(body)}\r\n`)
    .join('')
    .repeat(50);
  const bytes = misread(burst);
  t.true(bytes.length > 1_000);
  t.is(hear(t, [bytes]).facts.length, 0);
});

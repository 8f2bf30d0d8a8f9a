import test from 'ava';
import { NmeaSplitter } from '../../../../src/hal/drivers/nmea-splitter.js';
import { hasRightChecksum, readSentence } from '../../../../src/hal/drivers/nmea.js';
import type { NmeaVerdict } from '../../../../src/hal/drivers/nmea.js';
import { nmea } from '../../../../src/hal/sim/sim-gnss.js';

const rmc = (fields: string): string => nmea(`GNRMC,${fields}`);
const VALID = '092725.00,A,4717.11399,N,00833.91590,E,0.004,77.52,091226,,,A,V';

test('an RMC with a fix gives position, time, speed and course', (t) => {
  t.deepEqual(readSentence(rmc(VALID)), {
    kind: 'fact',
    fact: {
      type: 'RMC',
      utcMs: Date.UTC(2026, 11, 9, 9, 27, 25),
      latitude: 47 + 17.11399 / 60,
      longitude: 8 + 33.9159 / 60,
      speedMps: (0.004 * 1.852) / 3.6,
      courseDeg: 77.52,
    },
  } as never);
});

test('south and west are negative', (t) => {
  const verdict = readSentence(rmc('092725,A,3352.0000,S,07030.0000,W,,,091226,,,A'));
  t.true(verdict.kind === 'fact' && verdict.fact.type === 'RMC');
  if (verdict.kind !== 'fact' || verdict.fact.type !== 'RMC') return;
  t.is(verdict.fact.latitude, -(33 + 52 / 60));
  t.is(verdict.fact.longitude, -70.5);
  t.is(verdict.fact.speedMps, undefined);
});

for (const talker of ['GP', 'GN', 'GL', 'GA', 'GB']) {
  test(`the talker ${talker} is heard`, (t) => {
    t.is(readSentence(nmea(`${talker}RMC,${VALID}`)).kind, 'fact');
  });
}

const kinds: readonly [title: string, line: string, kind: NmeaVerdict['kind']][] = [
  ['a sentence without a checksum', `$GNRMC,${VALID}`, 'bad-checksum'],
  ['a wrong checksum', `$GNRMC,${VALID}*00`, 'bad-checksum'],
  ['a checksum of one digit', `$GNRMC,${VALID}*4`, 'bad-checksum'],
  ['something behind the checksum', `${rmc(VALID)} `, 'bad-checksum'],
  ['a checksum that is no number', '$*zz', 'bad-checksum'],
  ['an empty line', '', 'bad-checksum'],
  ['another talker', nmea(`XXRMC,${VALID}`), 'other'],
  ['satellites in view', nmea('GPGSV,1,1,00'), 'other'],
  ['a proprietary sentence', nmea('PUBX,00,1'), 'other'],
  ['a method of every object', nmea('GPconstructor,1'), 'other'],
  ['the hour 24', rmc(VALID.replace('092725', '240000')), 'refused'],
  ['the minute 60', rmc(VALID.replace('092725', '096025')), 'refused'],
  ['the second 60', rmc(VALID.replace('092725', '092760')), 'refused'],
  ['31 February', rmc(VALID.replace('091226', '310227')), 'refused'],
  ['29 February of a common year', rmc(VALID.replace('091226', '290227')), 'refused'],
  ['the month 13', rmc(VALID.replace('091226', '091326')), 'refused'],
  ['the day 0', rmc(VALID.replace('091226', '001226')), 'refused'],
  ['a date of letters', rmc(VALID.replace('091226', '0912x6')), 'refused'],
  ['no date', rmc(VALID.replace('091226', '')), 'refused'],
  ['the year 2023', rmc(VALID.replace('091226', '311223')), 'refused'],
  ['the first year of the weeks', rmc(VALID.replace('091226', '060180')), 'refused'],
  ['today less 1024 weeks', rmc(VALID.replace('091226', '250407')), 'refused'],
  ['a latitude of 91 degrees', rmc(VALID.replace('4717', '9117')), 'refused'],
  ['a latitude of 60 minutes', rmc(VALID.replace('4717', '4760')), 'refused'],
  ['a longitude of 181 degrees', rmc(VALID.replace('00833', '18133')), 'refused'],
  ['a latitude with a letter in it', rmc(VALID.replace('4717.1', '4717.x')), 'refused'],
  ['no hemisphere', rmc(VALID.replace(',N,', ',,')), 'refused'],
  ['another hemisphere', rmc(VALID.replace(',N,', ',Q,')), 'refused'],
  ['a speed that is no number', rmc(VALID.replace('0.004', '1e9')), 'refused'],
  ['a course beyond the circle', rmc(VALID.replace('77.52', '377.52')), 'refused'],
  ['an unknown status', rmc(VALID.replace(',A,47', ',Q,47')), 'refused'],
  ['an unknown mode', rmc(VALID.replace(',A,V', ',Q,V')), 'refused'],
  ['too few fields', rmc('092725,A'), 'refused'],
  ['a GGA of an unknown quality', nmea('GPGGA,1,,,,,9,,,,,,,,'), 'refused'],
  ['a GSA without a mode', nmea('GPGSA,A,,,,,,,,,,,,,,,,'), 'refused'],
  ['a GNS of an unknown mode', nmea('GNGNS,092725,,,,,Q,00,,,,,,'), 'refused'],
];
for (const [title, line, kind] of kinds) {
  test(`${title} is ${kind}`, (t) => {
    t.is(readSentence(line).kind, kind);
  });
}

const noFix: readonly [title: string, line: string, from: string][] = [
  ['status V', rmc('092725,V,,,,,,,091226,,,N,V'), 'RMC'],
  ['status V with a position', rmc(VALID.replace(',A,47', ',V,47')), 'RMC'],
  ['a mode that is estimated', rmc(VALID.replace(',A,V', ',E,V')), 'RMC'],
  ['a mode that is simulated', rmc(VALID.replace(',A,V', ',S,V')), 'RMC'],
  ['quality 0', nmea('GPGGA,092725,,,,,0,00,99.99,,,,,,'), 'quality'],
  [
    'quality 6, estimated',
    nmea('GPGGA,092725,4717.1,N,00833.9,E,6,04,1.0,1.0,M,1.0,M,,'),
    'quality',
  ],
  ['GNS without any system', nmea('GNGNS,092725,,,,,NN,00,,,,,,'), 'quality'],
  ['GSA mode 1', nmea('GNGSA,A,1,,,,,,,,,,,,,99.99,99.99,99.99'), 'dimension'],
];
for (const [title, line, from] of noFix) {
  test(`no fix: ${title}`, (t) => {
    t.deepEqual(readSentence(line), { kind: 'fact', fact: { type: 'no-fix', from } } as never);
  });
}

test('GGA, GNS and GSA say how good a fix is', (t) => {
  const gga = nmea('GPGGA,092725.00,4717.11399,N,00833.91590,E,1,08,1.01,499.6,M,48.0,M,,');
  const gns = nmea('GNGNS,092725.00,4717.11399,N,00833.91590,E,AANN,12,0.9,499.6,48.0,,');
  const quality = { type: 'quality', satellites: 8, hdop: 1.01, altitudeM: 499.6 };
  t.deepEqual(readSentence(gga), { kind: 'fact', fact: quality } as never);
  t.deepEqual(readSentence(gns), {
    kind: 'fact',
    fact: { ...quality, satellites: 12, hdop: 0.9 },
  } as never);
  t.deepEqual(readSentence(nmea('GNGSA,A,3,23,29,,,,,,,,,,,1.94,1.18,1.54,1')), {
    kind: 'fact',
    fact: { type: 'dimension', dimension: '3D' },
  } as never);
});

test('checksums are right in either case', (t) => {
  t.true(hasRightChecksum('$GPGLL,5057.970,N,00146.110,E,142451,A*27'));
  const line = nmea('GPGSV,3,1,12');
  t.is(hasRightChecksum(line), hasRightChecksum(line.toLowerCase().replace('gpgsv', 'GPGSV')));
});

function split(...chunks: readonly (string | Buffer)[]) {
  const heard: string[] = [];
  const splitter = new NmeaSplitter({
    line: (text) => heard.push(text),
    overlong: () => heard.push('overlong'),
    broken: () => heard.push('broken'),
  });
  for (const chunk of chunks) splitter.push(Buffer.from(chunk as string));
  return heard;
}

const streams: readonly [title: string, chunks: (string | Buffer)[], heard: string[]][] = [
  ['carriage return and line feed', ['$A*41\r\n$B*42\r\n'], ['$A*41', '$B*42']],
  ['line feed alone', ['$A*41\n$B*42\n'], ['$A*41', '$B*42']],
  ['carriage return alone', ['$A*41\r$B*42\r'], ['$A*41', '$B*42']],
  ['line feed before carriage return', ['$A*41\n\r$B*42\n\r'], ['$A*41', '$B*42']],
  ['empty lines', ['\r\n\r\n$A*41\r\n\n\n'], ['$A*41']],
  ['a sentence cut anywhere', ['$', 'A', '*4', '1\r', '\n'], ['$A*41']],
  ['the rest of a line at the start', ['01.5,N*33\r\n$A*41\r\n'], ['$A*41']],
  ['a half line before a whole one', ['$GPRMC,0927$A*41\r\n'], ['broken', '$A*41']],
  ['80 characters', [`$${'x'.repeat(79)}\r\n`], [`$${'x'.repeat(79)}`]],
  ['81 characters', [`$${'x'.repeat(80)}\r\n$A*41\r\n`], ['overlong', '$A*41']],
  ['a line that never ends', ['$', 'x'.repeat(100_000), '\r\n$A*41\r\n'], ['overlong', '$A*41']],
  [
    'a UBX frame within a line',
    [Buffer.from('$GPR\xb5\x62\x01\x07MC\r\n$A*41\r\n', 'latin1')],
    ['broken', '$A*41'],
  ],
  [
    'a UBX frame between lines',
    [Buffer.from('$A*41\r\n\xb5\x62\x05\x01\x02\x00\x06\x00\x0e\x37$B*42\r\n', 'latin1')],
    ['$A*41', '$B*42'],
  ],
];
for (const [title, chunks, heard] of streams) {
  test(`the splitter bears ${title}`, (t) => {
    t.deepEqual(split(...chunks), heard);
  });
}

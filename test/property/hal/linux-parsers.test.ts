import test from 'ava';
import fc from 'fast-check';
import { parseAdjtimex } from '../../../src/hal/linux/clock-quality.js';
import {
  parseChips,
  parseEvent,
  parseLevel,
  parseLines,
  parseVersion,
} from '../../../src/hal/linux/gpiod-syntax.js';
import { parseCapacity } from '../../../src/hal/linux/power-supply.js';
import { parseLineNames } from '../../../src/hal/linux/sysfs-gpiochips.js';
import { parseMilliCelsius } from '../../../src/hal/linux/thermal-zone.js';

const anyText = fc.oneof(
  fc.string({ unit: 'binary' }),
  fc.stringMatching(/^[0-2 .\n]{0,30}$/),
  fc.stringMatching(/^(\s*(line +\d+:|status:|maxerror:|esterror:) *["a-z0-9 -]{0,8}\n){0,4}$/),
);

test('every edge that gpiomon prints is taken back, nanoseconds padded or not', (t) => {
  const seconds = fc.integer({ min: 0, max: 2 ** 31 });
  const nanoseconds = fc.integer({ min: 0, max: 999_999_999 });
  fc.assert(
    fc.property(fc.boolean(), seconds, nanoseconds, (isHigh, s, ns) => {
      const expected = { isHigh, kernelMs: s * 1e3 + ns / 1e6 };
      t.deepEqual(parseEvent(1, `${isHigh ? 1 : 0} ${s} ${ns}`), expected);
      const padded = String(ns).padStart(9, '0');
      t.deepEqual(parseEvent(2, `${isHigh ? 1 : 2} ${s}.${padded}`), expected);
    }),
  );
});

test('whatever a tool or the kernel prints, no parser throws or makes numbers up', (t) => {
  fc.assert(
    fc.property(anyText, (text) => {
      for (const version of [1, 2] as const) {
        const event = parseEvent(version, text);
        t.true(event === undefined || Number.isFinite(event.kernelMs));
      }
      t.true(parseLines(text).every(({ offset }) => Number.isInteger(offset) && offset >= 0));
      t.true(parseChips(text).every(({ lines }) => Number.isInteger(lines)));
      t.true([undefined, true, false].includes(parseLevel(text)));
      t.true([undefined, 1, 2].includes(parseVersion(text)));
      const percent = parseCapacity(text) ?? 0;
      t.true(percent >= 0 && percent <= 100);
      const quality = parseAdjtimex(text);
      t.true(quality === undefined || quality.uncertaintyMs < 16_000);
    }),
    { numRuns: 1_000 },
  );
});

test('names of lines are taken back from the property that devicetree makes of them', (t) => {
  const name = fc.stringMatching(/^[A-Z0-9_]{0,12}$/);
  fc.assert(
    fc.property(fc.array(name, { minLength: 1, maxLength: 60 }), (names) => {
      t.deepEqual(parseLineNames(names.map((each) => `${each}\0`).join('')), names);
    }),
  );
});

test('the error that adjtimex prints is the uncertainty, never below what NTP leaves open', (t) => {
  const us = fc.integer({ min: 0, max: 20_000_000 });
  fc.assert(
    fc.property(us, us, fc.integer({ min: 0, max: 0xffff }), (maxError, error, status) => {
      const text = `  maxerror: ${maxError}\n  esterror: ${error}\n  status: ${status}\n`;
      const quality = parseAdjtimex(text);
      const worst = Math.max(maxError, error);
      if ((status & 0x40) !== 0 || worst >= 16_000_000) t.is(quality, undefined);
      else t.is(quality?.uncertaintyMs, Math.max(worst / 1_000, 50));
    }),
  );
});

test('a temperature is what the kernel says in thousandths, and nothing else is one', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: -60_000, max: 200_000 }), (milli) => {
      t.is(parseMilliCelsius(String(milli)), milli / 1000);
    }),
  );
  fc.assert(
    fc.property(fc.oneof(anyText, fc.stringMatching(/^-?[0-9.e]{0,9}$/)), (text) => {
      const celsius = parseMilliCelsius(text);
      t.true(celsius === undefined || (celsius >= -60 && celsius <= 200));
    }),
  );
  for (const text of ['', ' 1', '1.5', '1e3', '-', '200001', '-60001', undefined]) {
    t.is(parseMilliCelsius(text), undefined, String(text));
  }
});

import test from 'ava';
import {
  parseAdjtimex,
  readClockQuality,
  watchClockQuality,
} from '../../../../src/hal/linux/clock-quality.js';
import type { ClockQuality } from '../../../../src/hal/linux/wall-time.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';

/** What adjtimex 1.29 prints on a machine that nobody keeps. */
const UNHELD = `         mode: 0
       offset: 0
    frequency: 0
     maxerror: 16000000
     esterror: 16000000
       status: 64
time_constant: 2
    precision: 1
    tolerance: 32768000
         tick: 10000
     raw time:  1795520060s 606134us = 1795520060.606134
 return value = 5
`;
/** The same with systemd-timesyncd, 20 minutes after the last answer: status is STA_PLL | STA_NANO. */
const HELD = UNHELD.replace('maxerror: 16000000', 'maxerror: 612000')
  .replace('esterror: 16000000', 'esterror: 0')
  .replace('status: 64', 'status: 8193')
  .replace('value = 5', 'value = 0');

test('a clock that NTP holds is as uncertain as the kernel says', (t) => {
  t.deepEqual(parseAdjtimex(HELD), { source: 'ntp', uncertaintyMs: 612 });
});

test('a clock that was just set by NTP is never surer than the way to the server', (t) => {
  const text = HELD.replace('maxerror: 612000', 'maxerror: 0');
  t.deepEqual(parseAdjtimex(text), { source: 'ntp', uncertaintyMs: 50 });
});

test('a clock that nobody holds is not one of NTP', (t) => {
  t.is(parseAdjtimex(UNHELD), undefined);
  t.is(parseAdjtimex(HELD.replace('status: 8193', 'status: 8257')), undefined);
  t.is(parseAdjtimex(HELD.replace(/.*maxerror.*\n/, '')), undefined);
  t.is(parseAdjtimex(''), undefined);
});

test('without NTP an RTC vouches for the time to a minute, and without both nobody does', async (t) => {
  const read = (adjtimex: string | undefined, hasRtc: boolean): Promise<ClockQuality> =>
    readClockQuality({
      adjtimex: () => Promise.resolve(adjtimex),
      hasRtc: () => Promise.resolve(hasRtc),
    });
  t.deepEqual(await read(HELD, false), { source: 'ntp', uncertaintyMs: 612 });
  t.deepEqual(await read(UNHELD, true), { source: 'rtc', uncertaintyMs: 60_000 });
  t.deepEqual(await read(undefined, true), { source: 'rtc', uncertaintyMs: 60_000 });
  t.deepEqual(await read(undefined, false), { source: 'unset', uncertaintyMs: 60_000 });
});

test('the quality is told at once and every 64 s, until cancelled', async (t) => {
  const clock = new SimClock();
  let text = UNHELD;
  const told: string[] = [];
  const sources = {
    adjtimex: () => Promise.resolve(text),
    hasRtc: () => Promise.resolve(false),
  };
  const cancel = watchClockQuality(clock, ({ source }) => told.push(source), sources);
  await clock.advance(63_999);
  t.deepEqual(told, ['unset']);
  text = HELD;
  await clock.advance(1);
  t.deepEqual(told, ['unset', 'ntp']);
  cancel();
  await clock.advance(128_000);
  t.deepEqual(told, ['unset', 'ntp']);
  t.is(clock.timers, 0);
});

import test from 'ava';
import type { TimeSource, WallTime } from '../../../../src/clock.js';
import { SystemClock } from '../../../../src/hal/linux/system-clock.js';
import { better, carried, isPlausible } from '../../../../src/hal/linux/wall-time.js';
import type { TimeOffer } from '../../../../src/hal/linux/wall-time.js';
import { monotonicMs, wallTimeMs } from '../../../../src/units.js';

const UTC_MS = Date.UTC(2026, 10, 24, 12);
const OFFER: TimeOffer = {
  utcMs: UTC_MS,
  at: monotonicMs(1_000),
  uncertaintyMs: 100,
  source: 'gnss',
};

const wall = (ms: number, source: TimeSource, uncertaintyMs = 50): WallTime => ({
  ms: wallTimeMs(ms),
  source,
  uncertaintyMs,
});

test('an offer is carried on by the monotonic clock and grows uncertain by 50 ppm', (t) => {
  const { ms, source, uncertaintyMs } = carried(OFFER, monotonicMs(1_000 + 86_400_000));
  t.is(Number(ms), UTC_MS + 86_400_000);
  t.is(source, 'gnss');
  t.is(Math.round(uncertaintyMs), 4_420);
});

test('the surer claim counts, the system when both are equal, any offer when nobody set the system', (t) => {
  const offer = wall(2, 'gnss', 100);
  t.is(better(wall(1, 'ntp', 50), offer).source, 'ntp');
  t.is(better(wall(1, 'ntp', 100), offer).source, 'ntp');
  t.is(better(wall(1, 'rtc', 60_000), offer).source, 'gnss');
  t.is(better(wall(1, 'unset', 0), offer).source, 'gnss');
  t.is(better(wall(1, 'unset', 0), undefined).source, 'unset');
});

test('an offer of a receiver that has no time cannot be true', (t) => {
  t.true(isPlausible(OFFER));
  t.true(isPlausible({ ...OFFER, utcMs: Date.UTC(2024, 0, 1) }));
  t.true(isPlausible({ ...OFFER, utcMs: Date.UTC(2100, 0, 1) - 1 }));
  t.false(isPlausible({ ...OFFER, utcMs: Date.UTC(2024, 0, 1) - 1 }));
  t.false(isPlausible({ ...OFFER, utcMs: Date.UTC(2100, 0, 1) }));
  t.false(isPlausible({ ...OFFER, utcMs: NaN }));
  t.false(isPlausible({ ...OFFER, uncertaintyMs: -1 }));
  t.false(isPlausible({ ...OFFER, at: monotonicMs(NaN) }));
});

test('the system clock says what it was told of itself, and that it grows uncertain', (t) => {
  const clock = new SystemClock();
  t.is(clock.wallTime().source, 'rtc');
  t.true(clock.wallTime().uncertaintyMs >= 60_000);
  clock.setQuality({ source: 'ntp', uncertaintyMs: 70 });
  const { ms, source, uncertaintyMs } = clock.wallTime();
  t.is(source, 'ntp');
  t.true(uncertaintyMs >= 70 && uncertaintyMs < 71);
  t.true(Math.abs(ms - Date.now()) < 1_000);
});

test('wall time is that of the receiver while it is surer', (t) => {
  const clock = new SystemClock();
  const utcMs = Date.now() + 3_600_000;
  clock.offer({ utcMs, at: clock.monotonicMs(), uncertaintyMs: 200, source: 'gnss' });
  t.is(clock.wallTime().source, 'gnss');
  t.true(Math.abs(clock.wallTime().ms - utcMs) < 1_000);
  clock.setQuality({ source: 'ntp', uncertaintyMs: 50 });
  t.is(clock.wallTime().source, 'ntp');
  t.true(Math.abs(clock.wallTime().ms - Date.now()) < 1_000);
});

test('an offer that is less sure than the one before, or absurd, changes nothing', (t) => {
  const clock = new SystemClock();
  const at = clock.monotonicMs();
  const utcMs = Date.now() + 3_600_000;
  clock.offer({ utcMs, at, uncertaintyMs: 200, source: 'gnss' });
  clock.offer({ utcMs: utcMs + 9_000_000, at, uncertaintyMs: 300, source: 'gnss' });
  clock.offer({ utcMs: Date.UTC(2006, 0, 1), at, uncertaintyMs: 1, source: 'gnss' });
  t.true(Math.abs(clock.wallTime().ms - utcMs) < 1_000);
});

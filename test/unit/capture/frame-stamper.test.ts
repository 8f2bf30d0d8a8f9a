import test from 'ava';
import fc from 'fast-check';
import type { WallTime } from '../../../src/clock.js';
import { frameTimeOf, FrameStamper, momentAfter } from '../../../src/capture/frame-stamper.js';
import { readFrameTime, type FrameTime } from '../../../src/capture/frame-time-sei.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { monotonicMs, pts90k, wallTimeMs } from '../../../src/units.js';

const BEFORE = { at: monotonicMs(1000), utcMicros: 5_000_000_000 };
const wall = (ms: number, fields: Partial<WallTime> = {}): WallTime => ({
  ms: wallTimeMs(ms),
  source: 'gnss',
  uncertaintyMs: 1,
  ...fields,
});

test('a time is locked when somebody who knows UTC gives it, to 100 ms', (t) => {
  const isLocked = (fields: Partial<WallTime>): boolean =>
    frameTimeOf(undefined, monotonicMs(0), wall(1, fields)).isLocked;
  t.true(isLocked({}));
  t.true(isLocked({ source: 'ntp', uncertaintyMs: 100 }));
  t.false(isLocked({ source: 'ntp', uncertaintyMs: 101 }));
  t.false(isLocked({ source: 'rtc' }));
  t.false(isLocked({ source: 'unset' }));
});

test('a step of the clock is said once, and which way it went', (t) => {
  const at = monotonicMs(1033);
  const said = (ms: number): FrameTime => frameTimeOf(BEFORE, at, wall(ms));
  t.like(said(5_000_033), { isStep: false, utcMicros: 5_000_033_000 });
  t.like(said(5_000_053), { isStep: true, isBackwards: false, utcMicros: 5_000_053_000 });
  t.like(said(5_000_010), { isStep: true, isBackwards: false, utcMicros: 5_000_010_000 });
  t.like(said(4_990_000), { isStep: true, isBackwards: true, utcMicros: 4_990_000_000 });
  t.like(said(5_000_000), { isStep: true, isBackwards: true });
});

test('a difference that is less than the clock may be off is followed by 1 ms a second, up to 500 ms', (t) => {
  const at = monotonicMs(2000);
  const said = (offMs: number, uncertaintyMs: number): Partial<FrameTime> => {
    const time = frameTimeOf(BEFORE, at, wall(5_001_000 + offMs, { uncertaintyMs }));
    return { utcMicros: time.utcMicros - 5_001_000_000, isStep: time.isStep };
  };
  t.deepEqual(said(19, 1), { utcMicros: 1000, isStep: false });
  t.deepEqual(said(-19, 1), { utcMicros: -1000, isStep: false });
  t.deepEqual(said(0.4, 1), { utcMicros: 400, isStep: false });
  t.deepEqual(said(-120, 300), { utcMicros: -1000, isStep: false });
  t.deepEqual(said(-301, 300), { utcMicros: -301_000, isStep: true });
  t.deepEqual(said(499, 60_000), { utcMicros: 1000, isStep: false });
  t.deepEqual(said(501, 60_000), { utcMicros: 501_000, isStep: true });
});

test('whatever the clock says, time goes on by what has passed to a thousandth, or a step says that it does not', (t) => {
  const claim = fc.record({
    passedMs: fc.double({ min: 1, max: 5000, noNaN: true }),
    offMs: fc.oneof(
      fc.double({ min: -600, max: 600, noNaN: true }),
      fc.integer({ min: -1e7, max: 1e7 }),
    ),
    uncertaintyMs: fc.oneof(fc.constantFrom(0, 1, 500), fc.nat(100_000)),
  });
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 50 }), (claims) => {
      let before = { at: monotonicMs(1000), utcMicros: 1.7e15 };
      for (const { passedMs, offMs, uncertaintyMs } of claims) {
        const at = monotonicMs(before.at + passedMs);
        const time = frameTimeOf(before, at, wall(1.7e12 - 1000 + at + offMs, { uncertaintyMs }));
        const passedMicros = time.utcMicros - before.utcMicros;
        t.is(time.isBackwards, passedMicros <= 0);
        if (!time.isStep) t.true(Math.abs(passedMicros - passedMs * 1000) <= passedMs + 1);
        before = { at, utcMicros: time.utcMicros };
      }
    }),
  );
});

test('a clock before 1970 is 1970', (t) => {
  t.is(frameTimeOf(undefined, monotonicMs(0), wall(-5, { source: 'unset' })).utcMicros, 0);
});

test('pictures that come in one go are still one after the other', (t) => {
  t.is(Number(momentAfter(undefined, monotonicMs(7))), 7);
  t.is(Number(momentAfter(BEFORE, monotonicMs(1033))), 1033);
  t.is(Number(momentAfter(BEFORE, monotonicMs(990))), 1001);
});

/** Stamps pictures at the moments given, as [media time, arrival] in ms; says microseconds since 1000 s. */
async function stamp(pictures: readonly (readonly [number, number])[]): Promise<number[]> {
  const clock = new SimClock();
  const stamper = new FrameStamper(clock, { wallAt: (at) => wall(1_000_000 + at) });
  const run = stamper.forRun();
  const times: number[] = [];
  for (const [mediaMs, arrivedMs] of pictures) {
    await clock.advance(arrivedMs - clock.monotonicMs());
    const nal = run.nalFor(pts90k(mediaMs * 90));
    const unit = Buffer.concat([Buffer.of(0, 0, 0, nal.length), nal]);
    times.push((readFrameTime(unit)?.utcMicros ?? 0) - 1_000_000_000);
  }
  return times;
}

test('a picture that comes late says when it was taken, not when it came', async (t) => {
  t.deepEqual(
    await stamp([
      [0, 100],
      [40, 140],
      [80, 950],
      [120, 950],
      [160, 950],
      [1000, 1100],
    ]),
    [100_000, 140_000, 180_000, 220_000, 260_000, 1_100_000],
  );
});

test('what an encoder kept while it started does not go back in time', async (t) => {
  t.deepEqual(
    await stamp([
      [0, 500],
      [40, 500],
      [80, 500],
      [520, 540],
    ]),
    [500_000, 501_000, 502_000, 540_000],
  );
});

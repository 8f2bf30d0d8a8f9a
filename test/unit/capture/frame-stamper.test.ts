import test from 'ava';
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
  const said = (ms: number): Partial<FrameTime> => {
    const { isStep, isBackwards } = frameTimeOf(BEFORE, at, wall(ms));
    return { isStep, isBackwards };
  };
  t.deepEqual(said(5_000_033), { isStep: false, isBackwards: false });
  t.deepEqual(said(5_000_052), { isStep: false, isBackwards: false }, 'slewed');
  t.deepEqual(said(5_000_053), { isStep: true, isBackwards: false });
  t.deepEqual(said(5_000_010), { isStep: true, isBackwards: false }, 'set back, but not so far');
  t.deepEqual(said(4_990_000), { isStep: true, isBackwards: true });
  t.deepEqual(said(5_000_000), { isStep: true, isBackwards: true });
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

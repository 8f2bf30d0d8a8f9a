import test from 'ava';
import fc from 'fast-check';
import { bytesOfFragment } from '../../../src/capture/fragments.js';
import { PreEventBuffer } from '../../../src/capture/pre-event-buffer.js';
import type { Fragment } from '../../../src/capture/ports.js';
import { monotonicMs, pts90k } from '../../../src/units.js';
import { bareFragment, FRAME_90K } from '../../support/synthetic-video.js';

const FRAME_MS = FRAME_90K / 90;

/** Fragments of the GOP lengths given, one after the other from media time 0 and `beganAt`. */
function fragmentsOf(gops: readonly number[], run = 1, beganAt = 0, bytes = 0): Fragment[] {
  let frames = 0;
  return gops.map((length) => {
    const start90k = pts90k(frames * FRAME_90K);
    frames += length;
    return bareFragment({
      run,
      start90k,
      duration90k: length * FRAME_90K,
      frames: length,
      arrivedAt: monotonicMs(beganAt + (frames - 1) * FRAME_MS),
      mdat: Buffer.alloc(bytes),
    });
  });
}

const gops = fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 120 });
/** Frames of the open GOP at the press; the first is its IDR. */
const openFrames = fc.integer({ min: 1, max: 30 });

test('1,000 presses get what they ask for and at most one GOP more, or a reason', (t) => {
  fc.assert(
    fc.property(gops, openFrames, fc.integer({ min: 0, max: 20_000 }), (lengths, open, askedMs) => {
      const buffer = new PreEventBuffer({ ms: 20_000, bytes: 1e9 });
      const fragments = fragmentsOf(lengths);
      for (const fragment of fragments) buffer.push(fragment);
      const frames = lengths.reduce((sum, length) => sum + length, 0);
      const start90k = pts90k(frames * FRAME_90K);
      const newest90k = pts90k((frames + open - 1) * FRAME_90K);
      const preEvent = buffer.select(askedMs, {
        at: monotonicMs(newest90k / 90),
        silentMs: 0,
        open: { run: 1, start90k, newest90k },
      });
      const oldest = preEvent.fragments[0]?.start90k ?? start90k;
      t.is(preEvent.gotMs, (newest90k - oldest) / 90);
      t.deepEqual(
        preEvent.fragments,
        fragments.slice(fragments.length - preEvent.fragments.length),
      );
      if (preEvent.reason === 'none') t.true(preEvent.gotMs >= askedMs);
      else t.is(preEvent.fragments.length, fragments.length, 'short only when all is given');
      const gopMs = 30 * FRAME_MS;
      t.true(preEvent.gotMs <= askedMs + gopMs, `${preEvent.gotMs} of ${askedMs}`);
    }),
    { numRuns: 1000 },
  );
});

test('the buffer never holds more bytes than its limit, nor more time than its limit and one GOP', (t) => {
  fc.assert(
    fc.property(
      gops,
      fc.integer({ min: 0, max: 10_000 }),
      fc.integer({ min: 0, max: 5000 }),
      (lengths, ms, bytes) => {
        const buffer = new PreEventBuffer({ ms, bytes });
        for (const fragment of fragmentsOf(lengths, 1, 0, 100)) {
          buffer.push(fragment);
          t.true(buffer.bytes <= bytes);
          t.true(buffer.ms <= ms + 30 * FRAME_MS);
          const held = buffer.select(1e9, { at: fragment.arrivedAt, silentMs: 0 }).fragments;
          t.is(
            held.reduce((sum, each) => sum + bytesOfFragment(each), 0),
            buffer.bytes,
          );
        }
      },
    ),
  );
});

test('no restart, at whatever time and however long, brings a picture older than asked and one GOP', (t) => {
  fc.assert(
    fc.property(
      gops,
      gops,
      fc.integer({ min: 0, max: 60_000 }),
      fc.integer({ min: 0, max: 20_000 }),
      (first, second, gapMs, askedMs) => {
        const buffer = new PreEventBuffer({ ms: 20_000, bytes: 1e9 });
        const firstMs = first.reduce((sum, length) => sum + length, 0) * FRAME_MS;
        const before = fragmentsOf(first, 1, 0);
        const after = fragmentsOf(second, 2, firstMs + gapMs);
        for (const fragment of [...before, ...after]) buffer.push(fragment);
        const endMs = firstMs + gapMs + second.reduce((sum, length) => sum + length, 0) * FRAME_MS;
        const preEvent = buffer.select(askedMs, { at: monotonicMs(endMs), silentMs: 0 });
        const oldest = preEvent.fragments[0];
        if (oldest) {
          const startMs = oldest.arrivedAt + FRAME_MS - oldest.duration90k / 90;
          t.true(startMs >= endMs - askedMs - 30 * FRAME_MS - 1e-6);
        }
        const pictures = preEvent.fragments.reduce((sum, each) => sum + each.duration90k, 0);
        t.is(preEvent.gotMs, pictures / 90);
        t.is(preEvent.reason === 'none', preEvent.gotMs >= askedMs);
      },
    ),
  );
});

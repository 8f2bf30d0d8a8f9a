import test from 'ava';
import fc from 'fast-check';
import { AUDIO_FRAME_90K, emptyTrack, layAudio } from '../../../src/capture/audio-track.js';
import { monotonicMs, pts90k, ticksToMs } from '../../../src/units.js';

const fragment = fc.record({
  count: fc.nat({ max: 60 }),
  jitter: fc.integer({ min: -900, max: 900 }),
  lost: fc.nat({ max: 40 }),
  seconds: fc.integer({ min: 1, max: 3 }),
  mute: fc.boolean(),
});

test('whatever comes, late, not at all or muted: no hole, no overlap, nothing heard while muted', (t) => {
  fc.assert(
    fc.property(fc.array(fragment, { maxLength: 20 }), fc.nat({ max: 90_000 }), (parts, base) => {
      let state = emptyTrack;
      let end90k = 0;
      let heard90k = 0;
      let next: number | undefined;
      for (const { count, jitter, lost, seconds, mute } of parts) {
        end90k += seconds * 90_000;
        heard90k += lost * AUDIO_FRAME_90K;
        const frames = Array.from({ length: count }, () => {
          heard90k += AUDIO_FRAME_90K;
          const start90k = pts90k(heard90k + jitter);
          return { data: Buffer.alloc(8), start90k, capturedAt: monotonicMs(ticksToMs(start90k)) };
        });
        const mutes = mute ? [{ from: monotonicMs(0), to: undefined }] : [];
        const endAt = monotonicMs(ticksToMs(end90k));
        const step = layAudio(state, {
          run: 1,
          frames,
          base90k: base,
          due90k: end90k - 90_000,
          end90k,
          endAt,
          mutes,
        });
        state = step.state;
        for (const { start90k, kind } of step.laid) {
          t.is(start90k, next ?? start90k);
          t.true(start90k >= base);
          if (mute) t.is(kind, 'mute');
          next = start90k + AUDIO_FRAME_90K;
        }
        t.true((next ?? base) >= Math.min(base, end90k - 90_000), 'nothing overdue is left open');
        if (end90k - 90_000 > base) t.true((next ?? 0) >= end90k - 90_000);
      }
    }),
    { numRuns: 300 },
  );
});

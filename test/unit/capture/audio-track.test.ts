import test from 'ava';
import {
  AUDIO_FRAME_90K,
  emptyTrack,
  layAudio,
  silentStretches,
  SILENT_FRAME,
  type AudioArrival,
  type LaidFrame,
} from '../../../src/capture/audio-track.js';
import { monotonicMs, ticksToMs } from '../../../src/units.js';
import { audioFrames } from '../../support/synthetic-audio.js';

const F = AUDIO_FRAME_90K;

const arrival = (fields: Partial<AudioArrival> = {}): AudioArrival => {
  const end90k = fields.end90k ?? 90_000;
  return {
    run: 1,
    frames: [],
    base90k: 0,
    due90k: end90k - 90_000,
    end90k,
    endAt: monotonicMs(ticksToMs(end90k)),
    mutes: [],
    ...fields,
  };
};
const kinds = (laid: readonly LaidFrame[]): string =>
  laid.map(({ kind }) => ({ heard: 'h', mute: 'm', 'audio-lost': '-' })[kind]).join('');
const starts = (laid: readonly LaidFrame[]): number[] => laid.map(({ start90k }) => start90k);

test('frames are laid one after the other, and those of the next fragment go on', (t) => {
  const frames = audioFrames(20, 700);
  const first = layAudio(emptyTrack, arrival({ frames: frames.slice(0, 12) }));
  const second = layAudio(first.state, arrival({ frames: frames.slice(12), end90k: 120_000 }));
  const laid = [...first.laid, ...second.laid];
  t.deepEqual(
    starts(laid),
    frames.map(({ start90k }) => start90k as number),
  );
  t.true(laid.every(({ data, kind }, n) => data === frames[n]?.data && kind === 'heard'));
});

test('nothing before the place where the sound may begin is laid', (t) => {
  const { laid } = layAudio(emptyTrack, arrival({ frames: audioFrames(10), base90k: 3 * F + 1 }));
  t.deepEqual(starts(laid)[0], 4 * F);
  t.is(laid.length, 6);
});

test('what is missing between two frames is silent; a jitter below 16 ms is not', (t) => {
  const frames = audioFrames(8);
  const [a, b, , , , c, d] = frames;
  const jittered = d && { ...d, start90k: (d.start90k + 1400) as typeof d.start90k };
  const some = [a, b, c, jittered].filter((frame) => frame !== undefined);
  const { laid } = layAudio(emptyTrack, arrival({ frames: some }));
  t.is(kinds(laid), 'hh---hh');
  t.true(laid.slice(2, 5).every(({ data }) => data === SILENT_FRAME));
  t.deepEqual(
    starts(laid),
    [0, 1, 2, 3, 4, 5, 6].map((n) => n * F),
  );
});

test('a frame whose place is taken is left out', (t) => {
  const frames = audioFrames(4);
  const first = layAudio(emptyTrack, arrival({ frames: [...frames, ...frames.slice(1, 3)] }));
  t.is(kinds(first.laid), 'hhhh');
});

test('sound that does not come is waited for a second, then its place is silent', (t) => {
  let step = layAudio(emptyTrack, arrival({ frames: audioFrames(40) }));
  step = layAudio(step.state, arrival({ end90k: 40 * F + 90_000 }));
  t.is(step.laid.length, 0);
  step = layAudio(step.state, arrival({ end90k: 43 * F + 90_000 }));
  t.is(kinds(step.laid), '---');
  step = layAudio(step.state, arrival({ frames: audioFrames(2, 42 * F), end90k: 44 * F + 90_000 }));
  t.is(kinds(step.laid), 'h', 'the one that came too late is not laid twice');
  t.is(step.laid[0]?.start90k, 43 * F);
});

test('a microphone that is silent from the start leaves no hole either', (t) => {
  let step = layAudio(emptyTrack, arrival({ base90k: 45_000 }));
  step = layAudio(step.state, arrival({ base90k: 90_000, end90k: 180_000 }));
  t.is(step.laid[0]?.start90k, 45_000);
  t.is(step.laid.length, Math.ceil(45_000 / F));
});

test('a new run begins where its sound does', (t) => {
  const first = layAudio(emptyTrack, arrival({ frames: audioFrames(30) }));
  const second = layAudio(first.state, arrival({ run: 2, frames: audioFrames(3, 500) }));
  t.deepEqual(starts(second.laid), [500, 500 + F, 500 + 2 * F]);
});

test('every frame with anything of the muted time in it is silent, and no other', (t) => {
  const from = monotonicMs(200);
  const to = monotonicMs(300);
  const frames = audioFrames(20);
  const { laid } = layAudio(emptyTrack, arrival({ frames, mutes: [{ from, to }] }));
  for (const [n, { kind, data }] of laid.entries()) {
    const heardFrom = ticksToMs(n * F);
    const isTouched = heardFrom < 300 && ticksToMs((n + 2) * F) > 200;
    t.is(kind === 'mute', isTouched, `frame ${n}`);
    t.is(data === SILENT_FRAME, isTouched);
  }
  const [stretch, ...others] = silentStretches(laid, 'heard');
  t.deepEqual(others, []);
  t.true((stretch?.from90k ?? Infinity) <= 200 * 90, 'silent to the sample from the mute on');
  t.true((stretch?.to90k ?? 0) >= 300 * 90);
  t.true((stretch?.to90k ?? 0) - (stretch?.from90k ?? 0) <= 100 * 90 + 2 * F);
});

test('a mute without an end goes on over fragments, lost frames in it count as muted', (t) => {
  const mutes = [{ from: monotonicMs(100), to: undefined }];
  const first = layAudio(emptyTrack, arrival({ frames: audioFrames(30), mutes }));
  const second = layAudio(first.state, arrival({ end90k: 180_000, mutes }));
  t.regex(kinds(first.laid), /^hhhm+$/);
  t.regex(kinds(second.laid), /^m+$/);
  const [stretch] = silentStretches(second.laid, first.state.newest);
  t.is(stretch?.from90k, second.laid[0]?.start90k, 'what was silent before does not fade');
});

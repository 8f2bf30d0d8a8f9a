import test from 'ava';
import {
  type AudioWatchState,
  audioAtPicture,
  audioBranchEnded,
  audioFailed,
  audioHeard,
  audioRunStarts,
  isAudioRetryDue,
  watchAudio,
} from '../../../src/capture/audio-watch.js';
import { monotonicMs } from '../../../src/units.js';

const at = monotonicMs;
const FRAME_MS = 40;

/** Pictures from `fromMs` to `toMs`, 25 a second: the state after them and when the microphone was lost, if it was. */
function pictures(
  start: AudioWatchState,
  fromMs: number,
  toMs: number,
): { readonly state: AudioWatchState; readonly lostAtMs?: number; readonly cause?: string } {
  let state = start;
  for (let now = fromMs; now <= toMs; now += FRAME_MS) {
    const next = audioAtPicture(state, at(now));
    state = next.state;
    if (next.lost !== undefined) return { state, lostAtMs: now, cause: next.lost };
  }
  return { state };
}

const running = (): AudioWatchState => audioRunStarts(watchAudio(true), at(0));

test('two seconds of pictures without a frame lose the microphone, and it is said once', (t) => {
  const { state, lostAtMs, cause } = pictures(running(), 0, 5000);
  t.is(lostAtMs, 2000);
  t.is(cause, 'no sound for 2000 ms');
  t.true(state.isLost);
  t.is(pictures(state, 2040, 9000).lostAtMs, undefined);
});

test('a frame ends the silence', (t) => {
  const silent = pictures(running(), 0, 1960);
  t.is(silent.lostAtMs, undefined);
  t.is(pictures(audioHeard(silent.state), 2000, 3900).lostAtMs, undefined);
  t.is(pictures(audioHeard(silent.state), 2000, 9000).lostAtMs, 3960);
});

test('a process held up for seconds reads a picture first and does not take that for a silence', (t) => {
  const before = audioHeard(pictures(running(), 0, 1000).state);
  const held = audioAtPicture(before, at(4500));
  t.is(held.lost, undefined);
  t.is(pictures(audioHeard(held.state), 4540, 6000).lostAtMs, undefined);
});

test('what ended the branch is the cause of the loss', (t) => {
  t.is(pictures(audioBranchEnded(running(), 'device is gone'), 0, 5000).cause, 'device is gone');
  t.is(pictures(audioBranchEnded(running(), ''), 0, 5000).cause, 'the microphone has ended');
});

test('a board without a microphone never loses one', (t) => {
  const none = audioRunStarts(watchAudio(false), at(0));
  t.false(none.isInRun);
  t.is(pictures(none, 0, 20_000).lostAtMs, undefined);
  t.false(isAudioRetryDue(none, at(1e9)));
});

test('a lost microphone is tried again after 1, 5 and then every 30 minutes', (t) => {
  let state = running();
  let now = 0;
  for (const delayMs of [60_000, 300_000, 1_800_000, 1_800_000]) {
    state = audioFailed(state, at(now));
    t.false(isAudioRetryDue(state, at(now + delayMs - 1)));
    t.false(audioRunStarts(state, at(now + delayMs - 1)).isInRun);
    now += delayMs;
    t.true(isAudioRetryDue(state, at(now)));
    state = audioRunStarts(state, at(now));
    t.true(state.isInRun);
  }
  t.false(audioHeard(state).isLost);
  t.is(audioHeard(state).losses, 0);
});

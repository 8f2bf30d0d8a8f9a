import test from 'ava';
import {
  modeOf,
  startingRecorder,
  stepRecorder,
  type RecorderEffect,
  type RecorderEvent,
  type RecorderState,
} from '../../../src/capture/recorder-state.js';

const short = (effect: RecorderEffect): string => {
  switch (effect.type) {
    case 'begin':
    case 'mark':
      return `${effect.type} ${effect.press}`;
    case 'decide':
      return `${effect.edge} ${effect.outcome}`;
    case 'signal':
      return `feel ${effect.kind}`;
    case 'mode':
      return `mode ${effect.mode}: ${effect.reason}`;
    case 'fault':
      return `fault ${effect.code}`;
    default:
      return effect.type;
  }
};

/** Runs events and returns the effects of each, and the state after the last. */
function run(
  events: readonly RecorderEvent[],
  { hasPostEvent = false, from = startingRecorder } = {},
): { said: string[][]; state: RecorderState } {
  let state = from;
  const said = events.map((event) => {
    const step = stepRecorder(state, event, hasPostEvent);
    state = step.state;
    return step.effects.map(short);
  });
  return { said, state };
}

const up: RecorderEvent = { type: 'videoUp' };
const lost: RecorderEvent = { type: 'videoLost', cause: 'no picture for 2000 ms' };
const failed: RecorderEvent = { type: 'videoFailed', cause: 'exit code 1' };
const press = (number: number, hasFootage = true): RecorderEvent => ({
  type: 'press',
  press: number,
  hasFootage,
});
const begun = (number: number): RecorderEvent => ({ type: 'begun', press: number });
const tap = (number: number): RecorderEvent => ({ type: 'tap', press: number });
const hold = (number: number): RecorderEvent => ({ type: 'hold', press: number });
const storageFailed: RecorderEvent = { type: 'storageFailed', code: 'storage/io', detail: 'no' };
const recording = run([up, press(1), begun(1)]).state;

test('a press while buffering starts a recording once the storage gives a number', (t) => {
  t.deepEqual(run([up, press(1), begun(1)]).said, [
    ['mode buffering: pictures'],
    ['begin 1'],
    ['1 started', 'feel started', 'mode recording: start'],
  ]);
});

test('the press that starts a recording neither marks nor stops it', (t) => {
  for (const event of [tap(1), hold(1)]) {
    const { said, state } = run([event], { from: recording });
    t.deepEqual(said, [[]]);
    t.is(modeOf(state), 'recording');
  }
});

test('a short press while recording marks, a held one stops', (t) => {
  t.deepEqual(run([press(3), tap(3)], { from: recording }).said, [
    [],
    ['mark 3', '3 mark', 'feel marked'],
  ]);
  t.deepEqual(run([press(3), hold(3)], { from: recording }).said, [
    [],
    ['3 stopped', 'feel stopped', 'stop', 'mode buffering: hold'],
  ]);
});

test('a fall starts what a press starts, and while recording it marks at once and stops nothing', (t) => {
  const fall = (number: number, hasFootage = true): RecorderEvent => ({
    type: 'fall',
    press: number,
    hasFootage,
  });
  t.deepEqual(run([up, fall(1), begun(1), fall(2), hold(2)]).said, [
    ['mode buffering: pictures'],
    ['begin 1'],
    ['1 started', 'feel started', 'mode recording: start'],
    ['mark 2', '2 mark', 'feel marked'],
    [],
  ]);
  t.deepEqual(run([press(3), hold(3), fall(4)], { from: recording, hasPostEvent: true }).said[2], [
    'cancelPostEvent',
    '4 started',
    'feel started',
    'mode recording: fall',
  ]);
  t.deepEqual(run([failed, fall(1, false)]).said[1], ['1 refused-no-video', 'feel refused']);
});

test('with a post-event the recording goes on after the stop until it is over', (t) => {
  t.deepEqual(
    run([press(3), hold(3), { type: 'postEventOver' }], { from: recording, hasPostEvent: true })
      .said,
    [
      [],
      ['3 stopped', 'feel stopped', 'armPostEvent', 'mode post-event: hold'],
      ['stop', 'mode buffering: post-event over'],
    ],
  );
});

test('a press in the post-event goes on with the same recording', (t) => {
  const { said, state } = run([press(3), hold(3), press(5), hold(5)], {
    from: recording,
    hasPostEvent: true,
  });
  t.deepEqual(said.slice(2), [
    ['cancelPostEvent', '5 started', 'feel started', 'mode recording: press'],
    [],
  ]);
  t.is(modeOf(state), 'recording');
});

test('a late end of the post-event does not stop a recording that went on', (t) => {
  t.deepEqual(run([{ type: 'postEventOver' }], { from: recording }).said, [[]]);
});

test('a press while the storage refuses is felt, decided, and shown as a fault', (t) => {
  const refused: RecorderEvent = {
    type: 'beginFailed',
    press: 1,
    code: 'storage/disk-full',
    detail: 'full',
  };
  t.deepEqual(run([up, press(1), refused]).said[2], [
    '1 refused-storage',
    'feel refused',
    'fault storage/disk-full',
    'mode fault: storage/disk-full',
  ]);
});

test('after a storage fault the next press tries again', (t) => {
  const { said } = run([storageFailed, press(3), begun(3)], { from: recording });
  t.deepEqual(said, [
    ['cancelPostEvent', 'abandon', 'feel refused', 'fault storage/io', 'mode fault: storage/io'],
    ['begin 3'],
    ['3 started', 'feel started', 'mode recording: start'],
  ]);
});

test('a storage that is well again ends the fault', (t) => {
  t.deepEqual(run([up, storageFailed, { type: 'storageOk' }]).said, [
    ['mode buffering: pictures'],
    ['fault storage/io', 'mode fault: storage/io'],
    ['mode buffering: storage ok'],
  ]);
});

test('a button that was down when the recording broke off marks nothing', (t) => {
  const { said } = run([press(3), storageFailed, tap(3)], { from: recording });
  t.deepEqual(said[2], ['3 refused-storage', 'feel refused']);
});

test('a press while video is lost starts: what the buffer holds is recorded, the rest follows', (t) => {
  t.deepEqual(run([up, lost, press(1)]).said, [
    ['mode buffering: pictures'],
    ['mode fault: no picture for 2000 ms'],
    ['begin 1'],
  ]);
  t.deepEqual(run([press(1, false)]).said, [['begin 1']], 'even before the first picture');
});

test('a press is refused only when restarts have failed and there is nothing to record', (t) => {
  t.deepEqual(run([failed, press(1, false)]).said[1], ['1 refused-no-video', 'feel refused']);
  t.deepEqual(run([failed, press(1, true)]).said[1], ['begin 1']);
});

test('losing video while recording leaves the mode; the light tells', (t) => {
  t.deepEqual(run([lost, failed, up], { from: recording }).said, [[], [], []]);
  t.is(modeOf(run([lost, press(3), hold(3)], { from: recording }).state), 'fault');
});

test('the function button marks while recording and is refused otherwise', (t) => {
  const functionPress: RecorderEvent = { type: 'functionPress', press: 8 };
  t.deepEqual(run([functionPress], { from: recording }).said, [
    ['mark 8', '8 mark', 'feel marked'],
  ]);
  t.deepEqual(run([up, functionPress]).said[1], ['8 held', 'feel refused']);
});

test('closing stops a recording, decides what is undecided, and refuses every press after', (t) => {
  t.deepEqual(run([press(3), { type: 'close' }, tap(3), press(5)], { from: recording }).said, [
    [],
    ['3 held', 'cancelPostEvent', 'stop', 'mode idle: close'],
    [],
    ['5 refused-fault', 'feel refused'],
  ]);
  t.deepEqual(run([up, { type: 'close' }]).said[1], ['mode idle: close']);
});

test('a storage fault while nothing is recorded breaks nothing off', (t) => {
  t.deepEqual(run([up, storageFailed]).said[1], ['fault storage/io', 'mode fault: storage/io']);
});

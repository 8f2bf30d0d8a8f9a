import test from 'ava';
import { startingRecorder } from '../../../src/capture/recorder-events.js';
import type {
  RecorderEffect,
  RecorderEvent,
  RecorderPolicy,
  RecorderState,
} from '../../../src/capture/recorder-events.js';
import { modeOf, stepRecorder } from '../../../src/capture/recorder-state.js';
import { monotonicMs } from '../../../src/units.js';
import { PLAIN_POLICY } from '../../support/recorder-rig.js';

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
    case 'mute':
      return effect.isMuted ? 'mute' : 'unmute';
    case 'stealth':
      return effect.isStealthy ? 'stealth' : 'no stealth';
    case 'pick':
      return `pick ${effect.choice ?? 'nothing yet'}`;
    case 'category':
      return `category of ${effect.rec}: ${effect.category ?? 'none'}`;
    default:
      return effect.type;
  }
};

interface Options extends Partial<RecorderPolicy> {
  readonly from?: RecorderState;
}

/** Runs events and returns the effects of each, and the state after the last. */
function run(
  events: readonly RecorderEvent[],
  { hasPostEvent = false, from = startingRecorder, ...policy }: Options = {},
): { said: string[][]; state: RecorderState } {
  let state = from;
  const said = events.map((event) => {
    const step = stepRecorder(state, event, { ...PLAIN_POLICY, ...policy, hasPostEvent });
    state = step.state;
    return step.effects.map(short);
  });
  return { said, state };
}

const up: RecorderEvent = { type: 'videoUp' };
const lost: RecorderEvent = { type: 'videoLost', cause: 'no picture for 2000 ms' };
const failed: RecorderEvent = { type: 'videoFailed', cause: 'exit code 1' };
const press = (number: number, hasFootage = true, atMs = 0): RecorderEvent => ({
  type: 'press',
  press: number,
  at: monotonicMs(atMs),
  hasFootage,
});
const begun = (number: number): RecorderEvent => ({
  type: 'begun',
  press: number,
  rec: 7,
  trigger: 'press',
  at: monotonicMs(0),
});
const tap = (number: number): RecorderEvent => ({ type: 'tap', press: number, at: monotonicMs(0) });
const hold = (number: number, atMs = 0): RecorderEvent => ({
  type: 'hold',
  press: number,
  at: monotonicMs(atMs),
});
const trigger = (kind: 'fall' | 'command' | 'peer', number: number, atMs = 0): RecorderEvent => ({
  type: 'trigger',
  trigger: kind,
  press: number,
  at: monotonicMs(atMs),
  hasFootage: true,
});
const functionPress = (number: number): RecorderEvent => ({ type: 'functionPress', press: number });
const functionTap = (number: number): RecorderEvent => ({ type: 'functionTap', press: number });
const functionHold = (number: number): RecorderEvent => ({ type: 'functionHold', press: number });
const functionRelease: RecorderEvent = { type: 'functionRelease' };
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
    type: 'trigger',
    trigger: 'fall',
    press: number,
    at: monotonicMs(0),
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

test('a short press of the function button marks while recording and is refused otherwise', (t) => {
  t.deepEqual(run([functionPress(8), functionTap(8)], { from: recording }).said, [
    [],
    ['mark 8', '8 mark', 'feel marked'],
  ]);
  t.deepEqual(run([up, functionPress(8), functionTap(8)]).said[2], ['8 held', 'feel refused']);
  t.deepEqual(run([up, functionPress(8), functionHold(8)]).said[2], ['8 held', 'feel refused']);
});

test('where policy says so, the function button mutes and unmutes; mute ends with the recording', (t) => {
  const options = { from: recording, mute: 'toggle' } as const;
  const once = [functionPress(8), functionTap(8)];
  t.deepEqual(run([...once, functionPress(9), functionTap(9)], options).said.flat(), [
    ...['mute', '8 mute-on', 'feel muteOn'],
    ...['unmute', '9 mute-off', 'feel muteOff'],
  ]);
  const { said, state } = run([...once, press(10), hold(10)], options);
  t.deepEqual(said.at(-1), [
    '10 stopped',
    'feel stopped',
    'unmute',
    'stop',
    'mode buffering: hold',
  ]);
  t.false(state.isMuted);
});

test('mute while held lasts from the edge to the release', (t) => {
  const options = { from: recording, mute: 'held' } as const;
  t.deepEqual(run([functionPress(8), functionTap(8), functionRelease], options).said, [
    ['mute', '8 mute-on', 'feel muteOn'],
    [],
    ['unmute', 'feel muteOff'],
  ]);
  const { said, state } = run([functionPress(8), press(9), hold(9), functionRelease], options);
  t.deepEqual(said.at(-1), [], 'a release after the end says nothing');
  t.false(state.isMuted);
});

test('stealth is turned on and off by a hold of the function button, where it is allowed', (t) => {
  const options = { from: recording, allowsStealth: true };
  const events = [functionPress(8), functionHold(8), functionPress(9), functionHold(9)];
  t.deepEqual(run(events, options).said.flat(), [
    ...['8 stealth-on', 'feel stealthOn', 'stealth'],
    ...['9 stealth-off', 'no stealth', 'feel stealthOff'],
  ]);
});

test('a camera sleeps where that is allowed, and a press wakes it and starts at once', (t) => {
  const options = { allowsSleep: true };
  const { said, state } = run([up, functionPress(8), functionHold(8)], options);
  t.deepEqual(said[2], ['8 slept', 'feel sleepOn', 'sleep', 'mode asleep: functionHold']);
  t.deepEqual(run([press(9, false), begun(9)], { ...options, from: state }).said, [
    ['wake', 'begin 9', 'mode idle: press'],
    ['9 started', 'feel started', 'mode recording: start'],
  ]);
  t.deepEqual(run([functionPress(9), functionTap(9)], { ...options, from: state }).said, [
    ['9 woke', 'wake', 'feel sleepOff', 'mode idle: functionPress'],
    [],
  ]);
  t.deepEqual(run([functionPress(8), functionHold(8)], { ...options, from: recording }).said[1], [
    '8 held',
    'feel refused',
  ]);
});

test('where stealth and sleep are both allowed, sleep takes the longer hold and undoes the stealth', (t) => {
  const longHold: RecorderEvent = { type: 'functionLongHold', press: 8 };
  const options = { allowsStealth: true, allowsSleep: true };
  const { said, state } = run([up, functionPress(8), functionHold(8), longHold], options);
  t.deepEqual(said[3], ['no stealth', 'feel sleepOn', 'sleep', 'mode asleep: functionLongHold']);
  t.false(state.isStealthy);
});

test('two presses within 0.6 s start where policy asks for two; one alone starts nothing', (t) => {
  const options = { startsOn: 'double-press' } as const;
  const two = [up, press(1, true, 1000), press(2, true, 1600)];
  t.deepEqual(run(two, options).said.slice(1), [['1 first-press'], ['begin 2']]);
  const slow = [up, press(1, true, 1000), press(2, true, 1601)];
  t.deepEqual(run(slow, options).said.slice(1), [['1 first-press'], ['2 first-press']]);
  t.deepEqual(run([press(3)], { ...options, from: recording }).said, [[]], 'a mark takes one');
});

test('after a stop a short press of the function button steps through the categories', (t) => {
  const options = { from: recording, categories: ['traffic', 'arrest'] };
  const stop = [press(3), hold(3)];
  const step = (number: number): RecorderEvent[] => [functionPress(number), functionTap(number)];
  const over: RecorderEvent = { type: 'pickingOver' };
  t.deepEqual(run([...stop, over], options).said.slice(1), [
    ['3 stopped', 'feel stopped', 'stop', 'pick nothing yet', 'mode buffering: hold'],
    ['category of 7: none'],
  ]);
  const { said } = run([...stop, ...step(4), ...step(5), ...step(6), over], options);
  t.deepEqual(said.slice(2).flat(), [
    ...['4 category', 'pick 0', '5 category', 'pick 1', '6 category', 'pick 0'],
    'category of 7: traffic',
  ]);
});

test('a start does not take away the time to choose, and the next stop takes what is chosen', (t) => {
  const options = { from: recording, categories: ['traffic', 'arrest'] };
  const events = [press(3), hold(3), functionPress(4), functionTap(4), press(5), begun(5)];
  const { said } = run([...events, press(6), hold(6)], options);
  t.deepEqual(said.at(-1)?.slice(0, 2), ['category of 7: traffic', '6 stopped']);
});

for (const kind of ['fall', 'peer'] as const) {
  test(`a stop within a minute of a ${kind} is refused once and confirmed by a second hold`, (t) => {
    const from = run([trigger(kind, 2, 1000)], { from: recording }).state;
    const { said } = run([press(3), hold(3, 20_000), press(4), hold(4, 29_000)], { from });
    t.deepEqual(said[1], ['3 refused-guarded', 'feel refused']);
    t.deepEqual(said[3]?.slice(0, 1), ['4 stopped']);
    const late = [press(3), hold(3, 20_000), press(4), hold(4, 31_000)];
    t.deepEqual(run(late, { from }).said[3]?.slice(0, 1), ['4 refused-guarded']);
    t.deepEqual(run([press(3), hold(3, 61_000)], { from }).said[1]?.slice(0, 1), ['3 stopped']);
  });
}

test('a start by command asks for no confirmation', (t) => {
  const from = run([trigger('command', 2)], { from: recording }).state;
  t.deepEqual(run([press(3), hold(3)], { from }).said[1]?.slice(0, 1), ['3 stopped']);
});

for (const [limit, outcome] of [
  ['battery', 'refused-battery'],
  ['thermal', 'refused-heat'],
] as const) {
  test(`the ${limit} limit ends a recording well, without post-event, and refuses the next`, (t) => {
    const reached: RecorderEvent = { type: 'limit', limit };
    const options = { from: recording, hasPostEvent: true };
    const { said, state } = run([reached, press(3)], options);
    t.deepEqual(said, [
      ['cancelPostEvent', 'feel stopped', 'stop', `mode buffering: ${limit}`],
      [`3 ${outcome}`, 'feel refused'],
    ]);
    t.deepEqual(run([{ type: 'limit', limit: undefined }, press(4)], { from: state }).said, [
      [],
      ['begin 4'],
    ]);
  });
}

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

import test from 'ava';
import { RecorderRig } from '../../support/recorder-rig.js';

const HOLD = 3200;

test('a stop that another camera wants confirmed needs no confirmation when that has ended', async (t) => {
  const rig = await new RecorderRig().start(3000);
  rig.recorder.trigger('peer', rig.clock.monotonicMs());
  await rig.wait(2000);
  await rig.press(HOLD);
  t.is(rig.recorder.status().mode, 'recording');
  rig.recorder.peersOver();
  t.is(rig.recorder.status().mode, 'recording', 'the end of the other ends nothing here');
  await rig.wait(11_000);
  await rig.press(HOLD);
  t.is(rig.recorder.status().mode, 'buffering');
});

test('the end of other cameras does not take away what a fall wants confirmed', async (t) => {
  for (const order of [['fall', 'peer'] as const, ['peer', 'fall'] as const]) {
    const rig = await new RecorderRig().start(3000);
    for (const kind of order) {
      rig.recorder.trigger(kind, rig.clock.monotonicMs());
      await rig.wait(1000);
    }
    rig.recorder.peersOver();
    await rig.press(HOLD);
    t.is(rig.recorder.status().mode, 'recording', order.join(' then '));
    await rig.press(HOLD);
    t.is(rig.recorder.status().mode, 'buffering');
  }
});

test('listeners are told what a recording began with and of what a press was', async (t) => {
  const rig = await new RecorderRig().start(3000);
  const heard: string[] = [];
  rig.recorder.on({
    recordingStarted: ({ rec, trigger }) => heard.push(`${rec} by ${trigger}`),
    pressDecided: (outcome, origin) => heard.push(`${origin} ${outcome}`),
  });
  rig.recorder.trigger('command', rig.clock.monotonicMs());
  await rig.wait(1000);
  rig.recorder.trigger('peer', rig.clock.monotonicMs());
  await rig.wait(1000);
  await rig.press();
  t.deepEqual(heard, ['command started', '1 by command', 'peer mark', 'record mark']);
});

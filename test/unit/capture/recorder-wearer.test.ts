import test from 'ava';
import { PLAIN_POLICY, RecorderRig, range } from '../../support/recorder-rig.js';

test('a recording that has its longest time goes on under another number, without a lost or doubled frame', async (t) => {
  const rig = await new RecorderRig({ recordingMsMax: 12_000 }).start(20_450);
  await rig.press();
  await rig.wait(30_000);
  await rig.press(3100);
  await rig.wait(1500);
  t.is(rig.sink.recordings, 3);
  const frames = [1, 2, 3].map((rec) => rig.framesOf(rec));
  t.deepEqual(frames.flat(), range(frames[0]?.[0] ?? 0, frames[2]?.at(-1) ?? 0));
  t.deepEqual(
    [1, 2, 3].map((rec) => rig.sink.of(rec)[0]?.opening.trigger),
    ['press', 'roll', 'roll'],
  );
  t.true([1, 2, 3].every((rec) => rig.sink.of(rec).at(-1)?.closing?.isLast));
  t.deepEqual(
    rig.journal.lines.filter((line) => line.startsWith('rolled')),
    ['rolled 1 to 2', 'rolled 2 to 3'],
  );
  t.deepEqual(
    rig.shown.filter((shown) => shown === 'recording'),
    ['recording'],
    'the red light does not go out when the number changes',
  );
});

test('a card that has no number for the next recording lets the running one go on', async (t) => {
  const rig = await new RecorderRig({ recordingMsMax: 12_000 }).start(20_450);
  await rig.press();
  rig.sink.hooks.begin = () => Promise.reject(new Error('no'));
  await rig.wait(15_000);
  delete rig.sink.hooks.begin;
  await rig.wait(15_000);
  await rig.press(3100);
  await rig.wait(1500);
  const frames = [1, 2].map((rec) => rig.framesOf(rec));
  t.deepEqual(frames.flat(), range(frames[0]?.[0] ?? 0, frames[1]?.at(-1) ?? 0));
});

test('an end in the GOP in which the recording rolled over leaves that GOP in one of the two', async (t) => {
  const rig = await new RecorderRig({ recordingMsMax: 12_000 }).start(20_450);
  await rig.press();
  await rig.wait(12_000);
  t.is(rig.sink.recordings, 2);
  const closing = rig.recorder.stopAndClose(5000);
  await rig.wait(2000);
  t.true(await closing);
  const frames = rig.framesOf(1);
  t.deepEqual(frames, range(frames[0] ?? 0, rig.video.frames), 'up to the last');
  t.deepEqual(rig.framesOf(2), [], 'and no frame twice');
});

test('marks around a roll-over stand in the recording that holds their moment, where it was', async (t) => {
  const rig = await new RecorderRig({ recordingMsMax: 12_000 }).start(20_450);
  await rig.press();
  await rig.wait(11_560);
  // Down before the roll at 32.5 s, up after it; then one in the GOP of the roll, one in the first GOP after it.
  await rig.press(400);
  t.is(rig.sink.recordings, 2);
  await rig.wait(100);
  await rig.press(100);
  await rig.wait(760);
  await rig.press(100);
  await rig.wait(3000);
  await rig.press(3100);
  await rig.wait(1500);
  const marks = [1, 2].map((rec) => {
    const segments = rig.sink.of(rec);
    const startedAt = segments[0]?.opening.startedAt ?? NaN;
    return segments.flatMap(({ closing }) =>
      (closing?.marks ?? []).map(({ at, mediaMs }) => mediaMs - Math.round(at - startedAt)),
    );
  });
  t.deepEqual(marks, [[0, 0], [0]]);
});

test('a camera that sleeps takes no pictures; a press starts at once, and its short pre-event says why', async (t) => {
  const policy = { ...PLAIN_POLICY, allowsSleep: true };
  const rig = await new RecorderRig({ policy }).start(20_000);
  await rig.press(3100, 'function');
  await rig.wait(2000);
  t.is(rig.recorder.status().mode, 'asleep');
  t.is(rig.recorder.status().bufferedMs, 0);
  const { frames } = rig.recorder.status();
  await rig.wait(60_000);
  t.is(rig.recorder.status().frames, frames);
  await rig.press();
  await rig.wait(2000);
  t.true(rig.recorder.status().isDurable);
  t.deepEqual(rig.sink.of(1)[0]?.opening.preEvent, { askedMs: 10_000, gotMs: 0, reason: 'sleep' });
  t.deepEqual(rig.felt, ['sleepOn', 'started']);
  t.false(rig.journal.lines.some((line) => line.startsWith('gap')));
});

test('a camera that was woken buffers again', async (t) => {
  const policy = { ...PLAIN_POLICY, allowsSleep: true };
  const rig = await new RecorderRig({ policy }).start(20_000);
  await rig.press(3100, 'function');
  await rig.press(100, 'function');
  await rig.wait(20_000);
  t.is(rig.recorder.status().mode, 'buffering');
  t.true(rig.recorder.status().bufferedMs >= 10_000);
});

test('mute is in the log with the moments of its presses, and ends with the recording', async (t) => {
  const policy = { ...PLAIN_POLICY, mute: 'toggle' } as const;
  const rig = await new RecorderRig({ policy }).start(20_400);
  await rig.press();
  await rig.wait(2000);
  await rig.press(100, 'function');
  t.true(rig.recorder.status().isMuted);
  t.is(rig.shown.at(-1), 'recording durable muted');
  await rig.wait(3000);
  await rig.press(3100);
  t.false(rig.recorder.status().isMuted);
  const mutes = rig.journal.facts.filter(({ type }) => type === 'mute');
  t.is(mutes.length, 2);
  t.like(mutes[0], { rec: 1, isMuted: true });
  t.like(mutes[1], { rec: 1, isMuted: false });
});

test('stealth is in the log and shown; a category is in the log after the recording', async (t) => {
  const policy = { ...PLAIN_POLICY, allowsStealth: true, categories: ['traffic', 'arrest'] };
  const rig = await new RecorderRig({ policy }).start(20_400);
  const stealths: boolean[] = [];
  rig.recorder.on({ stealthChanged: (isStealthy) => stealths.push(isStealthy) });
  await rig.press(3100, 'function');
  t.is(rig.shown.at(-1), 'buffering dark');
  await rig.press();
  await rig.wait(2000);
  await rig.press(3100);
  await rig.press(100, 'function');
  await rig.wait(500);
  await rig.press(100, 'function');
  await rig.wait(9000);
  t.deepEqual(
    rig.journal.lines.filter((line) => /^(stealth|category)/.test(line)),
    ['stealth', 'category of 1: arrest'],
  );
  t.deepEqual(rig.felt.slice(-2), ['category 1', 'category 2']);
  t.deepEqual(stealths, [true], 'whoever listens hears of it');
});

test('a limit ends the recording well, and a press is refused until it is over', async (t) => {
  const rig = await new RecorderRig().start(20_400);
  await rig.press();
  await rig.wait(2000);
  rig.recorder.setLimit('battery');
  await rig.wait(1500);
  t.like(rig.sink.of(1).at(-1)?.closing, { end: 'normal', isLast: true });
  await rig.press();
  rig.recorder.setLimit(undefined);
  await rig.press();
  await rig.wait(1000);
  t.is(rig.sink.recordings, 2);
  t.true(rig.journal.lines.includes('mode buffering: battery'));
  t.true([...rig.journal.outcomes.values()].includes('refused-battery'));
});

import test from 'ava';
import { CameraError } from '../../../src/errors.js';
import { monotonicMs } from '../../../src/units.js';
import { RecorderRig, range } from '../../support/recorder-rig.js';

// The simulated camera numbers its frames from 1: at 30 a second, GOPs of 30, frame 30 n + 1 is an IDR.

test('a press in the middle of a GOP records the pre-event, rounded up to a GOP, and all that follows', async (t) => {
  const rig = await new RecorderRig().start(20_450);
  await rig.press();
  await rig.wait(8000);
  await rig.press(3500);
  await rig.wait(2000);
  const frames = rig.framesOf(1);
  t.is(frames[0], 301, 'ten seconds before frame 613 is in the GOP of frame 301');
  t.deepEqual(frames, range(301, frames.at(-1) ?? 0), 'without a hole, without a double');
  t.true((frames.at(-1) ?? 0) >= 953, 'up to the stop');
  t.is((frames.at(-1) ?? 0) % 30, 0, 'and to the end of its GOP');
  t.deepEqual(rig.sink.segments[0]?.opening.preEvent, {
    askedMs: 10_000,
    gotMs: 10_400,
    reason: 'none',
  });
});

test('segments rotate, start at 0, join exactly, and only the last says so', async (t) => {
  const rig = await new RecorderRig().start(20_000);
  await rig.press();
  await rig.wait(9000);
  await rig.press(3100);
  await rig.wait(1500);
  const segments = rig.sink.of(1);
  t.true(segments.length >= 4);
  t.deepEqual(
    segments.map(({ closing }) => [closing?.end, closing?.isLast]),
    segments.map((_, index) => ['normal', index === segments.length - 1]),
  );
  for (const [index, { opening, fragments }] of segments.entries()) {
    t.is(opening.gapBeforeMs, 0);
    t.is(fragments[0]?.offset90k, 0);
    const length = fragments.reduce((sum, fragment) => sum + fragment.duration90k, 0);
    const next = segments[index + 1];
    if (next) t.is(Number(next.opening.start90k), opening.start90k + length);
    if (next) t.is(length, 450_000);
  }
});

test('a fall records with its pre-event and is in the log like a press', async (t) => {
  const rig = await new RecorderRig().start(20_450);
  rig.recorder.trigger('fall', rig.clock.monotonicMs());
  await rig.wait(1000);
  rig.recorder.trigger('fall', rig.clock.monotonicMs());
  await rig.wait(1000);
  t.is(rig.framesOf(1)[0], 301);
  t.deepEqual(rig.journal.lines.slice(1), [
    'edge 1 fall down',
    'decided 1 started',
    'mode recording: start',
    'edge 2 fall up',
    'decided 2 released',
    'edge 3 fall down',
    'decided 3 mark',
    'edge 4 fall up',
    'decided 4 released',
  ]);
});

test('a press is in the log before anything is decided, and every edge gets one outcome', async (t) => {
  const rig = await new RecorderRig().start(15_000);
  await rig.press();
  await rig.wait(1000);
  await rig.press(300);
  await rig.wait(1000);
  await rig.press(3200);
  await rig.wait(1500);
  t.deepEqual(rig.journal.lines, [
    'mode buffering: pictures',
    'edge 1 record down',
    'decided 1 started',
    'mode recording: start',
    'edge 2 record up',
    'decided 2 released',
    'edge 3 record down',
    'edge 4 record up',
    'decided 3 mark',
    'decided 4 released',
    'edge 5 record down',
    'decided 5 stopped',
    'mode buffering: hold',
    'edge 6 record up',
    'decided 6 released',
  ]);
  t.deepEqual(rig.felt, ['started', 'marked', 'holding 1', 'holding 2', 'stopped']);
});

test('what a press records is fixed at its edge, however long the log and the card take', async (t) => {
  const rig = await new RecorderRig().start(20_450);
  rig.journal.onPressed = () => rig.clock.sleep(2500);
  rig.sink.hooks.begin = () => rig.clock.sleep(1200);
  rig.edge(true);
  await rig.wait(8000);
  const frames = rig.framesOf(1);
  t.is(frames[0], 301);
  t.deepEqual(frames, range(301, frames.at(-1) ?? 0));
  t.is(rig.sink.segments[0]?.opening.preEvent?.gotMs, 10_400);
  t.deepEqual(rig.journal.latencies, [3700]);
});

test('no frames before the open GOP are recorded when no pre-event is asked for', async (t) => {
  const rig = await new RecorderRig({ preEventMs: 0 }).start(10_500);
  rig.journal.onPressed = () => rig.clock.sleep(2500);
  await rig.press();
  await rig.wait(5000);
  const frames = rig.framesOf(1);
  t.is(frames[0], 301);
  t.deepEqual(frames, range(301, frames.at(-1) ?? 0), 'nor are those lost that passed meanwhile');
});

test('a start right after a stop has its pre-event, and the two recordings share the frames', async (t) => {
  const rig = await new RecorderRig({ preEventMs: 5000 }).start(10_000);
  await rig.press();
  await rig.wait(6000);
  await rig.press(3100);
  await rig.press();
  await rig.wait(3000);
  const [first, second] = [rig.framesOf(1), rig.framesOf(2)];
  t.deepEqual(first, range(first[0] ?? 0, first.at(-1) ?? 0));
  t.deepEqual(second, range(second[0] ?? 0, second.at(-1) ?? 0));
  t.true((second[0] ?? 0) < (first.at(-1) ?? 0) - 100);
  t.is(rig.sink.of(2)[0]?.opening.preEvent?.reason, 'none');
  t.true(rig.sink.of(1).at(-1)?.closing?.isLast);
});

test('a short pre-event says why: boot', async (t) => {
  const rig = await new RecorderRig().start(3500);
  await rig.press();
  const { askedMs, gotMs = 0, reason } = rig.sink.segments[0]?.opening.preEvent ?? {};
  t.deepEqual([askedMs, Math.round(gotMs), reason], [10_000, 3433, 'boot']);
});

test('a short pre-event says why: memory', async (t) => {
  const rig = await new RecorderRig({ bufferBytesMax: 25_000 }).start(20_500);
  await rig.press();
  t.is(rig.sink.segments[0]?.opening.preEvent?.reason, 'memory');
});

test('marks carry the moment of the press, in the recording and on the clock', async (t) => {
  const rig = await new RecorderRig({ preEventMs: 5000, segmentMs: 60_000 }).start(10_000);
  await rig.press();
  await rig.wait(3760);
  await rig.press(2500);
  await rig.press(100, 'function');
  await rig.wait(500);
  await rig.press(3100);
  await rig.wait(1500);
  const { marks = [] } = rig.sink.segments[0]?.closing ?? {};
  t.deepEqual(
    marks.map((mark) => Number(mark.at)),
    [14_000, 16_540],
  );
  const [first, second] = marks.map((mark) => mark.mediaMs);
  const startsAt = 10_000 - (rig.sink.segments[0]?.opening.preEvent?.gotMs ?? 0);
  t.true(Math.abs((first ?? 0) - (14_000 - startsAt)) <= 70, `${first}`);
  t.is((second ?? 0) - (first ?? 0), 2540);
});

test('an encoder that dies while recording: a gap in the log, a new segment, and the recording goes on', async (t) => {
  const rig = await new RecorderRig({ segmentMs: 60_000 }).start(12_000);
  await rig.press();
  await rig.wait(3300);
  rig.video.die();
  await rig.wait(4000);
  await rig.press(3100);
  await rig.wait(1500);
  const frames = rig.framesOf(1);
  t.deepEqual(frames, range(frames[0] ?? 0, frames.at(-1) ?? 0), 'every frame before and after');
  const segments = rig.sink.of(1);
  t.deepEqual(
    segments.map(({ opening, closing }) => [opening.run, closing?.end, closing?.isLast]),
    [
      [1, 'stall', false],
      [2, 'normal', true],
    ],
  );
  const gaps = rig.journal.facts.filter((fact) => fact.type === 'gap');
  t.is(gaps.length, 1);
  t.is(gaps[0]?.rec, 1);
  t.is(gaps[0]?.cause, 'killed by SIGKILL');
  const gapMs = segments[1]?.opening.gapBeforeMs ?? 0;
  t.true(gapMs > 0 && Math.abs(gapMs - (gaps[0]?.gapMs ?? 0)) <= 34, `${gapMs}`);
  t.is(rig.recorder.status().runs, 2);
  t.false(
    rig.journal.lines.some((line) => line.startsWith('mode fault')),
    'it was quick enough',
  );
});

test('an encoder that stalls is killed after two seconds and started again', async (t) => {
  const rig = await new RecorderRig().start(12_000);
  rig.video.stall();
  await rig.wait(4000);
  const gap = rig.journal.lines.at(-1);
  t.deepEqual(rig.journal.lines.slice(0, -1), [
    'mode buffering: pictures',
    'mode fault: no picture for 2000 ms',
    'mode buffering: pictures',
  ]);
  t.regex(gap ?? '', /^gap none 20\d\d: no picture for 2000 ms$/);
});

test('a recording without pictures shows no red from two seconds on, though its rest is written then', async (t) => {
  const rig = await new RecorderRig().start(12_000);
  await rig.press();
  await rig.wait(3000);
  t.is(rig.shown.at(-1), 'recording durable');
  rig.video.setStarting(false);
  rig.video.stall();
  await rig.wait(1900);
  t.is(rig.shown.at(-1), 'recording durable');
  await rig.wait(300);
  t.is(rig.shown.at(-1), 'recording');
  t.true(rig.journal.lines.includes('fault capture/no-video'));
  rig.video.setStarting(true);
  await rig.wait(10_000);
  t.is(rig.shown.at(-1), 'recording durable');
});

test('a press while video is lost records what the buffer holds and goes on when frames return', async (t) => {
  const rig = await new RecorderRig().start(12_000);
  rig.video.setStarting(false);
  rig.video.die();
  await rig.wait(2500);
  t.is(rig.recorder.status().mode, 'fault');
  await rig.press();
  await rig.wait(100);
  t.is(rig.recorder.status().mode, 'recording');
  t.true(rig.framesOf(1).length > 200, 'the buffer is on the card already');
  rig.video.setStarting(true);
  await rig.wait(8000);
  await rig.press(3100);
  await rig.wait(1500);
  const frames = rig.framesOf(1);
  t.deepEqual(frames, range(frames[0] ?? 0, frames.at(-1) ?? 0));
  t.is(rig.sink.of(1).length >= 2, true);
});

test('a camera that never comes up refuses a press audibly once restarts have failed', async (t) => {
  const rig = new RecorderRig();
  rig.video.setStarting(false);
  await rig.start(20_000);
  t.is(rig.recorder.status().mode, 'fault');
  await rig.press();
  t.deepEqual(rig.felt, ['refused']);
  t.is(rig.journal.outcomes.get(1), 'refused-no-video');
  t.is(rig.sink.recordings, 0);
});

test('a full card at the press: refused, felt, in the log, and shown', async (t) => {
  const rig = await new RecorderRig().start(5000);
  rig.sink.hooks.begin = () => Promise.reject(new CameraError('storage/disk-full', 'full'));
  const heard: string[] = [];
  rig.recorder.on({
    pressDecided: (outcome) => heard.push(outcome),
    faulted: ({ code, detail }) => heard.push(`${code} ${detail}`),
  });
  await rig.press();
  t.deepEqual(heard, ['refused-storage', 'storage/disk-full full']);
  t.is(rig.journal.outcomes.get(1), 'refused-storage');
  t.deepEqual(rig.felt, ['refused']);
  t.is(rig.shown.at(-1), 'fault');
  t.true(rig.journal.lines.includes('fault storage/disk-full'));
  delete rig.sink.hooks.begin;
  rig.recorder.storageRecovered();
  t.is(rig.shown.at(-1), 'buffering');
});

test('a card that is full at the next segment ends the recording with its last segment sealed', async (t) => {
  const rig = await new RecorderRig().start(12_000);
  rig.sink.hooks.open = ({ seq }) =>
    seq < 3 ? Promise.resolve() : Promise.reject(new CameraError('storage/disk-full', 'full'));
  await rig.press();
  await rig.wait(12_000);
  t.deepEqual(
    rig.sink.of(1).map(({ closing }) => [closing?.end, closing?.isLast]),
    [
      ['normal', false],
      ['normal', false],
      ['storage-full', true],
    ],
  );
  t.is(rig.recorder.status().mode, 'fault');
  t.true(rig.recorder.status().bufferedMs >= 10_000, 'the buffer goes on');
  t.deepEqual(rig.felt, ['started', 'refused']);
});

test('a card that fails while recording: fault, the segment is left for recovery, the next press tries again', async (t) => {
  const rig = await new RecorderRig().start(12_000);
  await rig.press();
  await rig.wait(2000);
  rig.sink.hooks.append = () => Promise.reject(new CameraError('storage/io', 'no answer'));
  await rig.wait(2000);
  t.is(rig.recorder.status().mode, 'fault');
  t.is(rig.recorder.status().rec, null);
  t.true(rig.sink.of(1).at(-1)?.isAbandoned);
  t.is(rig.recorder.status().waitingBytes, 0);
  delete rig.sink.hooks.append;
  await rig.press();
  await rig.wait(2000);
  t.is(rig.recorder.status().mode, 'recording');
  t.true(rig.framesOf(2).length > 300);
});

test('the recording light follows the last durable write', async (t) => {
  const rig = await new RecorderRig().start(5000);
  let release = (): void => undefined;
  await rig.press();
  await rig.wait(1000);
  t.is(rig.shown.at(-1), 'recording durable');
  rig.sink.hooks.append = () => new Promise((resolve) => (release = resolve));
  await rig.wait(4500);
  t.is(rig.shown.at(-1), 'recording');
  t.is(rig.journal.lines.filter((line) => line === 'fault storage/io').length, 1);
  delete rig.sink.hooks.append;
  release();
  await rig.wait(1500);
  t.is(rig.shown.at(-1), 'recording durable');
});

test('a card that stands still for longer than the queue holds: told once, a gap, and the recording goes on', async (t) => {
  const rig = await new RecorderRig(
    { queueBytesMax: 100_000, preEventMs: 0, segmentMs: 60_000 },
    { unitBytes: 300 },
  ).start(5000);
  await rig.press();
  await rig.wait(3000);
  const held: (() => void)[] = [];
  rig.sink.hooks.append = () => new Promise((resolve) => held.push(resolve));
  await rig.wait(20_000);
  t.is(rig.journal.lines.filter((line) => line === 'fault capture/queue-full').length, 1);
  t.true(rig.recorder.status().waitingBytes <= 100_000);
  delete rig.sink.hooks.append;
  for (const release of held) release();
  await rig.wait(3000);
  await rig.press(3100);
  await rig.wait(1500);
  const segments = rig.sink.of(1);
  t.is(segments.length, 2);
  const gap = rig.journal.facts.find((fact) => fact.type === 'gap');
  t.is(gap?.cause, 'capture/queue-full');
  t.is(gap?.gapMs, segments[1]?.opening.gapBeforeMs);
  const frames = rig.framesOf(1);
  const holes = frames.filter(
    (frame, index) => index > 0 && frame !== (frames[index - 1] ?? 0) + 1,
  );
  t.is(holes.length, 1);
  t.is((gap?.gapMs ?? 0) % 1000, 0, 'whole GOPs are missing');
});

test('a log that does not take a press: refused audibly, and nothing is recorded', async (t) => {
  const rig = await new RecorderRig().start(5000);
  rig.journal.onPressed = () => new Promise(() => undefined);
  rig.edge(true);
  await rig.wait(3500);
  t.deepEqual(rig.felt, ['refused']);
  t.is(rig.sink.recordings, 0);
  t.is(rig.recorder.status().mode, 'fault');
});

test('a log that fails during a recording does not end it', async (t) => {
  const rig = await new RecorderRig().start(5000);
  await rig.press();
  rig.journal.onPressed = () => Promise.reject(new Error('no'));
  await rig.press();
  t.is(rig.recorder.status().mode, 'recording');
  t.deepEqual(rig.felt, ['started', 'refused']);
});

test('facts that cannot be written are logged and keep nobody waiting', async (t) => {
  const rig = await new RecorderRig().start(5000);
  rig.journal.onRecord = () => Promise.reject(new Error('no space'));
  await rig.press();
  t.is(rig.recorder.status().mode, 'recording');
  t.true(rig.logged.some((line) => line.includes('a fact could not be written')));
});

test('edges that come faster than the log takes them are taken up to the limit, the rest is refused audibly', async (t) => {
  const rig = await new RecorderRig().start(5000);
  rig.journal.onPressed = () => rig.clock.sleep(1);
  for (let index = 0; index < 300; index += 1) rig.edge(index % 2 === 0);
  await rig.wait(3000);
  t.is(rig.journal.edges, 256);
  t.is(rig.felt.filter((kind) => kind === 'refused').length, 22);
  t.is(rig.journal.outcomes.size, 256, 'and each that was taken is decided');
});

test('with a post-event the recording goes on after the stop, and a press keeps it going', async (t) => {
  const rig = await new RecorderRig({ postEventMs: 5000, segmentMs: 60_000 }).start(5000);
  await rig.press();
  await rig.wait(1000);
  await rig.press(3100);
  t.is(rig.recorder.status().mode, 'post-event');
  await rig.wait(2000);
  await rig.press();
  t.is(rig.recorder.status().mode, 'recording');
  await rig.wait(6000);
  t.is(rig.recorder.status().mode, 'recording');
  await rig.press(3100);
  await rig.wait(6500);
  t.is(rig.recorder.status().mode, 'buffering');
  t.is(rig.sink.recordings, 1);
  t.true(rig.sink.of(1).at(-1)?.closing?.isLast);
});

test('an orderly end answers presses, keeps the open GOP, seals the last segment and leaves no timer', async (t) => {
  const rig = await new RecorderRig().start(5000);
  await rig.press();
  await rig.wait(2710);
  const closing = rig.recorder.stopAndClose(5000);
  await rig.wait(100);
  t.true(await closing);
  const frames = rig.framesOf(1);
  t.deepEqual(frames, range(1, rig.video.frames));
  t.true(rig.sink.of(1).at(-1)?.closing?.isLast);
  t.is(rig.shown.at(-1), 'idle');
  await rig.press();
  t.is(rig.journal.outcomes.get(3), 'refused-fault');
  await rig.wait(1000);
  t.is(rig.clock.timers, 0);
});

test('an end that the card does not let happen is given up at the deadline', async (t) => {
  const rig = await new RecorderRig().start(5000);
  await rig.press();
  rig.sink.hooks.append = () => new Promise(() => undefined);
  await rig.wait(1500);
  const closing = rig.recorder.stopAndClose(4000);
  await rig.wait(4100);
  t.false(await closing);
});

test('a GOP longer than a second is a fault in the log, and is recorded all the same', async (t) => {
  const rig = await new RecorderRig({}, { gopFrames: 45 }).start(10_000);
  t.is(rig.journal.lines.filter((line) => line === 'fault capture/gop-too-long').length, 1);
  await rig.press();
  await rig.wait(3000);
  const frames = rig.framesOf(1);
  t.deepEqual(frames, range(1, frames.at(-1) ?? 0));
});

test('listeners hear of a recording and its milestones, and one that throws hurts nobody', async (t) => {
  const rig = await new RecorderRig({ preEventMs: 3000 }).start(10_500);
  const heard: string[] = [];
  rig.recorder.on({
    recordingStarted: () => {
      throw new Error('deaf');
    },
  });
  const cancel = rig.recorder.on({
    modeChanged: (mode) => heard.push(`mode ${mode}`),
    pressDecided: (outcome) => heard.push(`press ${outcome}`),
    recordingStarted: ({ rec, preEvent }) =>
      heard.push(`started ${rec} with ${Math.round(preEvent.gotMs)}`),
    reached: (step, rec, latencyMs) => heard.push(`${step} ${rec} ${latencyMs}`),
    segmentSealed: ({ rec, seq }) => heard.push(`sealed ${rec}/${seq}`),
    recordingStopped: ({ rec, durationMs }) => heard.push(`stopped ${rec} ${durationMs}`),
  });
  await rig.press();
  await rig.wait(500);
  await rig.press(3100);
  await rig.wait(1500);
  cancel();
  await rig.press();
  t.deepEqual(heard, [
    'press started',
    'mode recording',
    'started 1 with 3433',
    'first-append 1 0',
    'first-durable 1 0',
    'pre-event-durable 1 0',
    'sealed 1/0',
    'press stopped',
    'mode buffering',
    'sealed 1/1',
    'stopped 1 8000',
  ]);
  t.true(rig.logged.some((line) => line.includes('deaf')));
});

test('settings take effect: a longer pre-event fills up, a shorter one counts at once', async (t) => {
  const rig = await new RecorderRig({ preEventMs: 2000 }).start(10_500);
  rig.recorder.applySettings({ preEventMs: 8000, postEventMs: 0, segmentMs: 3000 });
  await rig.wait(7000);
  await rig.press();
  await rig.wait(5000);
  t.is(rig.sink.segments[0]?.opening.preEvent?.reason, 'none');
  t.is(rig.sink.segments[0]?.fragments.length, 3);
});

test('an edge of the past, as a driver makes it up, counts from its own time', async (t) => {
  const rig = await new RecorderRig().start(5000);
  rig.edge(true);
  await rig.wait(60);
  rig.recorder.edge({ button: 'record', isPressed: false, at: monotonicMs(5020) });
  await rig.wait(5000);
  t.is(rig.recorder.status().mode, 'recording');
  t.is(rig.journal.outcomes.get(2), 'released');
});

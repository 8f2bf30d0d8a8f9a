import test from 'ava';
import fc from 'fast-check';
import { CameraError } from '../../../src/errors.js';
import { RecorderRig } from '../../support/recorder-rig.js';

// A wearer who presses at random and a camera, a card and an encoder that fail at random: what must hold all the same.

type Action =
  | { readonly type: 'wait' | 'press' | 'hold' | 'slowCard'; readonly ms: number }
  | { readonly type: 'bounce' | 'die' | 'stall' | 'appendFails' | 'beginFails' | 'function' };

const action: fc.Arbitrary<Action> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('wait' as const),
      ms: fc.integer({ min: 0, max: 6000 }),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      type: fc.constant('press' as const),
      ms: fc.integer({ min: 40, max: 2500 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc.record({
      type: fc.constant('hold' as const),
      ms: fc.integer({ min: 3000, max: 4000 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      type: fc.constant('slowCard' as const),
      ms: fc.integer({ min: 0, max: 4000 }),
    }),
  },
  {
    weight: 3,
    arbitrary: fc
      .constantFrom('bounce', 'die', 'stall', 'appendFails', 'beginFails', 'function')
      .map((type): Action => ({ type })),
  },
);

async function perform(rig: RecorderRig, action: Action): Promise<void> {
  const { hooks } = rig.sink;
  const failOnce = (name: 'begin' | 'append'): void => {
    let hasFailed = false;
    hooks[name] = () => {
      if (hasFailed) return Promise.resolve();
      hasFailed = true;
      return Promise.reject(new CameraError('storage/io', 'no answer'));
    };
  };
  switch (action.type) {
    case 'wait':
      await rig.wait(action.ms);
      return;
    case 'press':
    case 'hold':
      await rig.press(action.ms);
      return;
    case 'function':
      await rig.press(100, 'function');
      return;
    case 'bounce':
      for (const isPressed of [true, false, true, false, true, false]) {
        rig.edge(isPressed);
        await rig.wait(7);
      }
      await rig.wait(40);
      return;
    case 'slowCard': {
      const until = rig.clock.monotonicMs() + action.ms;
      hooks.append = () => rig.clock.sleep(Math.max(0, until - rig.clock.monotonicMs()));
      return;
    }
    case 'die':
      rig.video.die();
      return;
    case 'stall':
      rig.video.stall();
      return;
    case 'appendFails':
      failOnce('append');
      return;
    case 'beginFails':
      failOnce('begin');
  }
}

test('whatever fails: every edge is decided, no frame of a recording is lost or doubled, every end is told', async (t) => {
  await fc.assert(
    fc.asyncProperty(fc.array(action, { maxLength: 14 }), async (actions) => {
      const rig = new RecorderRig(
        { preEventMs: 4000, segmentMs: 3000 },
        { framesPerSecond: 10, gopFrames: 10 },
      );
      await rig.start(1500);
      for (const each of actions) await perform(rig, each);
      delete rig.sink.hooks.append;
      await rig.wait(100);
      const closing = rig.recorder.stopAndClose(8000);
      await rig.wait(9000);
      t.true(await closing, 'all is written at the end');

      t.is(rig.journal.outcomes.size, rig.journal.edges);
      const outcomes = [...rig.journal.outcomes.values()];
      const count = (outcome: string): number => outcomes.filter((each) => each === outcome).length;
      t.is(count('started'), rig.sink.recordings);
      t.is(rig.felt.filter((kind) => kind === 'marked').length, count('mark'));
      for (let rec = 1; rec <= rig.sink.recordings; rec += 1) {
        const segments = rig.sink.of(rec);
        const hasFailed = segments.some((segment) => segment.isAbandoned);
        const sealed = segments.filter((segment) => segment.closing !== undefined);
        const frames = rig.frameNumbers(hasFailed ? sealed : segments);
        t.true(
          frames.every((frame, index) => index === 0 || frame === (frames[index - 1] ?? 0) + 1),
          `frames of recording ${rec}: ${frames.join(' ')}`,
        );
        if (hasFailed) continue;
        t.deepEqual(
          segments.map(({ closing }) => closing?.isLast),
          segments.map((_, index) => index === segments.length - 1),
        );
      }
      const { waitingBytes, mode } = rig.recorder.status();
      t.is(waitingBytes, 0);
      t.is(mode, 'idle');
      t.is(rig.clock.timers, 0);
    }),
    { numRuns: 60 },
  );
});

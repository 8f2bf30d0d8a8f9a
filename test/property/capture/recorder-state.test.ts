import test from 'ava';
import fc from 'fast-check';
import {
  modeOf,
  startingRecorder,
  stepRecorder,
  type RecorderEvent,
} from '../../../src/capture/recorder-state.js';

type Kind =
  | 'press'
  | 'fall'
  | 'tap'
  | 'hold'
  | 'functionPress'
  | 'begun'
  | 'beginFailed'
  | 'videoUp'
  | 'videoLost'
  | 'videoFailed'
  | 'postEventOver'
  | 'storageFailed'
  | 'storageOk'
  | 'close';

const kinds: readonly Kind[] = [
  'press',
  'fall',
  'tap',
  'hold',
  'functionPress',
  'videoUp',
  'videoLost',
  'videoFailed',
  'postEventOver',
  'storageFailed',
  'storageOk',
  'close',
];

test('whatever happens, every press is decided once and a recording begun is stopped or abandoned once', (t) => {
  fc.assert(
    fc.property(
      fc.array(fc.constantFrom(...kinds), { maxLength: 60 }),
      fc.infiniteStream(fc.boolean()),
      fc.boolean(),
      (events, coins, hasPostEvent) => {
        let state = startingRecorder;
        let presses = 0;
        let open: number | undefined;
        let recordings = 0;
        let ends = 0;
        const decisions = new Map<number, number>();
        const feed = (event: RecorderEvent): void => {
          const step = stepRecorder(state, event, hasPostEvent);
          const changed = modeOf(step.state) !== modeOf(state);
          t.is(step.effects.filter((effect) => effect.type === 'mode').length, changed ? 1 : 0);
          state = step.state;
          for (const effect of step.effects) {
            if (effect.type === 'decide') {
              decisions.set(effect.edge, (decisions.get(effect.edge) ?? 0) + 1);
            }
            if (effect.type === 'stop' || effect.type === 'abandon') ends += 1;
            if (effect.type !== 'begin') continue;
            const isGiven = coins.next().value === true;
            if (isGiven) recordings += 1;
            feed(
              isGiven
                ? { type: 'begun', press: effect.press }
                : { type: 'beginFailed', press: effect.press, code: 'storage/io', detail: '' },
            );
          }
        };
        const next = (): number => (presses += 1);
        const release = (type: 'tap' | 'hold'): void => {
          if (open !== undefined) feed({ type, press: open });
          open = undefined;
        };
        for (const kind of events) {
          if (kind === 'press') {
            release('tap');
            open = next();
            feed({ type: 'press', press: open, hasFootage: coins.next().value === true });
          } else if (kind === 'tap' || kind === 'hold') release(kind);
          else if (kind === 'fall') feed({ type: kind, press: next(), hasFootage: true });
          else if (kind === 'functionPress') feed({ type: kind, press: next() });
          else if (kind === 'videoLost' || kind === 'videoFailed') feed({ type: kind, cause: '' });
          else if (kind === 'storageFailed') feed({ type: kind, code: 'storage/io', detail: '' });
          else feed({ type: kind } as RecorderEvent);
        }
        release('tap');
        feed({ type: 'close' });
        t.is(ends, recordings);
        for (let press = 1; press <= presses; press += 1) t.is(decisions.get(press), 1);
      },
    ),
    { numRuns: 500 },
  );
});

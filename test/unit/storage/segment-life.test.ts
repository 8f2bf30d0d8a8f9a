import test from 'ava';
import fc from 'fast-check';
import { stepLife } from '../../../src/storage/segment-life.js';
import type { LifeEffect, LifeEvent, SegmentLife } from '../../../src/storage/segment-life.js';

const DIGEST = 'd'.repeat(64);
const RECEIPT = 'e'.repeat(64);
const sealed: SegmentLife = {
  ref: { boot: 1, rec: 2, seq: 3 },
  ...{ digest: DIGEST, bytes: 100, stage: 'sealed', receipt: undefined },
};
const receipted: LifeEvent = { type: 'receipted', receipt: RECEIPT, rx: 'rx-1' };

/** Words of the effects of events, one after the other. */
function live(...events: readonly LifeEvent[]): readonly string[] {
  let state = sealed;
  return events.map((event) => {
    const step = stepLife(state, event);
    state = step.state;
    return [state.stage, ...step.effects.map(wordOf)].join(' ');
  });
}

const wordOf = (effect: LifeEffect): string =>
  effect.type === 'log' ? effect.fact.type : effect.type;

test('a segment is sealed, offered, receipted, deletable and deleted, each step with its entry', (t) => {
  t.deepEqual(
    live({ type: 'offered' }, receipted, { type: 'allowed', cause: 'age' }, { type: 'removed' }),
    ['offered offered', 'receipted receipt', 'deletable deletable remove', 'deleted deleted'],
  );
});

test('the entries name segment, manifest and receipt, and a deletion why and how much', (t) => {
  const allowed = stepLife(
    { ...sealed, stage: 'receipted', receipt: RECEIPT },
    { type: 'allowed', cause: 'space' },
  );
  const names = { seg: '1/2/3', man: DIGEST, receipt: RECEIPT };
  t.deepEqual(allowed.effects, [
    { type: 'log', fact: { type: 'deletable', ...names, cause: 'space' } },
    { type: 'remove' },
  ]);
  t.deepEqual(stepLife(allowed.state, { type: 'removed' }).effects, [
    { type: 'log', fact: { type: 'deleted', ...names, bytes: 100 } },
  ]);
});

test('a deletion that has not begun is taken back, and can be allowed anew', (t) => {
  const allowed: LifeEvent = { type: 'allowed', cause: 'age' };
  t.deepEqual(live(receipted, allowed, { type: 'withdrawn', why: 'hold' }, allowed), [
    'receipted receipt',
    'deletable deletable remove',
    'receipted kept',
    'deletable deletable remove',
  ]);
});

test('in no order of events is anything removed that has no receipt, and nothing happens twice', (t) => {
  const event = fc.constantFrom<LifeEvent>(
    { type: 'offered' },
    receipted,
    { type: 'allowed', cause: 'age' },
    { type: 'allowed', cause: 'space' },
    { type: 'withdrawn', why: 'receipt' },
    { type: 'removed' },
  );
  fc.assert(
    fc.property(fc.array(event, { maxLength: 20 }), (events) => {
      const words = live(...events);
      const entries = words.flatMap((word) => word.split(' ').slice(1));
      const first = (word: string): number => entries.indexOf(word);
      const isOnce = (word: string): boolean => entries.filter((it) => it === word).length <= 1;
      if (entries.includes('remove')) {
        t.true(first('receipt') >= 0 && first('receipt') < first('remove'));
      }
      if (entries.includes('deleted')) {
        t.true(first('remove') < first('deleted'));
        t.is(entries.at(-1), 'deleted', 'it is the end');
      }
      t.true(isOnce('offered') && isOnce('receipt') && isOnce('deleted'));
    }),
  );
});

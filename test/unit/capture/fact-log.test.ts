import test from 'ava';
import { FactLog } from '../../../src/capture/fact-log.js';
import { MemoryJournal } from '../../support/memory-journal.js';
import { MemoryLogger } from '../../support/memory-logger.js';

const FACT = { type: 'fault', code: 'hal/check-failed', detail: 'for the test' } as const;

test('facts that come at a time are with the journal together, eight of them, so that they can share a sync', async (t) => {
  const journal = new MemoryJournal();
  const answers: (() => void)[] = [];
  journal.onRecord = () => new Promise((resolve) => answers.push(resolve));
  const facts = new FactLog(journal, new MemoryLogger());
  for (let edge = 1; edge <= 19; edge += 1) facts.decided(edge, 'bounce', 0);
  facts.record(FACT);
  for (const expected of [8, 8, 4]) {
    await new Promise(setImmediate);
    t.is(answers.length, expected);
    const [first, ...others] = answers.splice(0);
    for (const answer of others) answer();
    await new Promise(setImmediate);
    t.is(answers.length, 0, 'an edge of a button waits for no more than these');
    first?.();
  }
  await facts.settled();
  t.is(journal.outcomes.size, 19);
  t.is(journal.facts.length, 1);
});

test('a fact that is refused is in the other log, and those after it are written', async (t) => {
  const journal = new MemoryJournal();
  let asked = 0;
  journal.onRecord = () => {
    asked += 1;
    return asked === 1 ? Promise.reject(new Error('no card')) : Promise.resolve();
  };
  const log = new MemoryLogger();
  const facts = new FactLog(journal, log);
  facts.decided(1, 'mark', 5);
  facts.decided(2, 'mark', 5);
  await facts.settled();
  t.deepEqual([...journal.outcomes.keys()], [2]);
  t.true(log.lines.some((line) => line.includes('no card')));
});

import test from 'ava';
import { FactLog } from '../../../src/capture/fact-log.js';
import { MemoryJournal } from '../../support/memory-journal.js';
import { MemoryLogger } from '../../support/memory-logger.js';

const FACT = { type: 'fault', code: 'hal/check-failed', detail: 'for the test' } as const;

test('facts go to the journal one by one, so that an edge of a button waits for one of them, and together when somebody waits for all', async (t) => {
  const journal = new MemoryJournal();
  const answers: (() => void)[] = [];
  journal.onRecord = () => new Promise((resolve) => answers.push(resolve));
  const facts = new FactLog(journal, new MemoryLogger());
  for (let edge = 1; edge <= 19; edge += 1) facts.decided(edge, 'bounce', 0);
  facts.record(FACT);
  const answerAll = async (): Promise<number> => {
    await new Promise(setImmediate);
    const asked = answers.splice(0);
    for (const answer of asked) answer();
    return asked.length;
  };
  t.is(await answerAll(), 1);
  t.is(await answerAll(), 1);
  const settled = facts.settled();
  for (const expected of [8, 8, 2]) t.is(await answerAll(), expected);
  await settled;
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

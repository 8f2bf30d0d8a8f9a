import test from 'ava';
import { FactLog } from '../../../src/capture/fact-log.js';
import { PressDesk } from '../../../src/capture/press-desk.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { createLogger } from '../../../src/log.js';
import { MemoryJournal } from '../../support/memory-journal.js';

function begin() {
  const clock = new SimClock();
  const journal = new MemoryJournal();
  const logged: string[] = [];
  const log = createLogger('info', { write: (line) => logged.push(line) });
  const facts = new FactLog(journal, log);
  const said: string[] = [];
  const released: string[] = [];
  const behaviour: { gesture: () => Promise<void> } = { gesture: () => Promise.resolve() };
  const desk = new PressDesk<number>(
    { clock, journal, log },
    facts,
    { debounceIntervalMs: 30, holdMs: 3000 },
    {
      moment: ({ at }) => at,
      gesture: async (button, { type, press }) => {
        if (type === 'holding') return;
        said.push(`${button} ${type} ${press} of ${desk.momentOf(press)}`);
        await behaviour.gesture();
      },
      released: (button) => released.push(button),
      done: (moment) => said.push(`done ${moment}`),
      unlogged: ({ button }, { code }) => said.push(`${button} unlogged: ${code}`),
    },
  );
  const edge = (isPressed: boolean, button: 'record' | 'function' = 'record'): void => {
    desk.edge({ button, isPressed, at: clock.monotonicMs() });
  };
  return { clock, journal, logged, facts, said, released, behaviour, desk, edge };
}

test('an edge is kept with its moment until it is decided', async (t) => {
  const { clock, journal, said, desk, edge } = begin();
  edge(true);
  await clock.advance(5);
  t.deepEqual(said, ['record press 1 of 0']);
  desk.decide(1, 'started');
  desk.decide(1, 'mark');
  desk.decide(99, 'mark');
  await clock.advance(0);
  t.deepEqual(said, ['record press 1 of 0', 'done 0']);
  t.deepEqual([...journal.outcomes], [[1, 'started']]);
  t.deepEqual(journal.latencies, [5]);
});

test('the two buttons do not disturb each other', async (t) => {
  const { clock, said, edge } = begin();
  edge(true);
  await clock.advance(10);
  edge(true, 'function');
  await clock.advance(100);
  edge(false, 'function');
  await clock.advance(3000);
  t.deepEqual(said, [
    'record press 1 of 0',
    'function press 2 of 10',
    'function tap 2 of 10',
    'done 110',
    'record hold 1 of 0',
  ]);
});

test('the next gesture waits for the answer to the one before', async (t) => {
  const { clock, said, behaviour, edge } = begin();
  behaviour.gesture = () => clock.sleep(500);
  edge(true);
  edge(true, 'function');
  await clock.advance(400);
  t.deepEqual(said, ['record press 1 of 0']);
  await clock.advance(200);
  t.deepEqual(said, ['record press 1 of 0', 'function press 2 of 0']);
});

test('a gesture that fails is logged, and the next one is dealt with', async (t) => {
  const { clock, said, logged, behaviour, edge } = begin();
  behaviour.gesture = () => Promise.reject(new Error('no idea'));
  edge(true);
  await clock.advance(0);
  behaviour.gesture = () => Promise.resolve();
  edge(true, 'function');
  await clock.advance(0);
  t.is(said.length, 2);
  t.true(logged.some((line) => line.includes('no idea')));
});

test('the log is asked for every edge at once, and each is judged in its turn when the log has it', async (t) => {
  const { clock, journal, said, edge } = begin();
  const releases: (() => void)[] = [];
  journal.onPressed = () => new Promise((resolve) => releases.push(resolve));
  edge(true);
  edge(false);
  await clock.advance(100);
  t.is(releases.length, 2, 'the second does not wait for the first');
  t.deepEqual(said, []);
  for (const release of releases) release();
  await clock.advance(100);
  t.deepEqual(said, ['record press 1 of 0', 'record tap 1 of 0', 'done 0']);
});

test('an edge that the log takes when nobody waits for it any more is refused there, too', async (t) => {
  const { clock, journal, said, edge } = begin();
  let release = (): void => undefined;
  journal.onPressed = () => new Promise((resolve) => (release = resolve));
  edge(true);
  await clock.advance(3000);
  t.deepEqual(said, ['done 0', 'record unlogged: storage/io']);
  t.is(journal.outcomes.size, 0);
  await clock.advance(1000);
  release();
  await clock.advance(0);
  t.deepEqual([...journal.outcomes], [[1, 'refused-storage']]);
  t.deepEqual(journal.latencies, [4000]);
  t.deepEqual(said, ['done 0', 'record unlogged: storage/io'], 'nothing follows from it');
});

test('an edge that the log refuses is forgotten and told', async (t) => {
  const { clock, journal, said, edge } = begin();
  journal.onPressed = () => Promise.reject(new Error('no space'));
  edge(true);
  await clock.advance(0);
  t.deepEqual(said, ['done 0', 'record unlogged: storage/io']);
});

test('facts that wait for a log that does not answer are limited, and the rest is logged', async (t) => {
  const { clock, journal, logged, facts } = begin();
  const releases: (() => void)[] = [];
  journal.onRecord = () => new Promise((resolve) => releases.push(resolve));
  for (let index = 0; index < 1002; index += 1) {
    facts.record({ type: 'fault', code: 'storage/io', detail: `${index}` });
  }
  await clock.advance(0);
  t.is(logged.length, 2);
  journal.onRecord = () => Promise.resolve();
  for (const release of releases) release();
  await facts.settled();
  t.is(journal.facts.length, 1000);
});

test('a press whose release the log refuses is not held: no tap, no hold, and it is decided', async (t) => {
  const { clock, journal, said, edge } = begin();
  edge(true);
  await clock.advance(200);
  journal.onPressed = () => Promise.reject(new Error('no space'));
  edge(false);
  await clock.advance(5000);
  t.deepEqual(said, ['record press 1 of 0', 'done 200', 'record unlogged: storage/io', 'done 0']);
  t.deepEqual([...journal.outcomes], [[1, 'refused-storage']]);
});

test('the release of a press that the log refused is a release, not a press of its own', async (t) => {
  const { clock, journal, said, edge } = begin();
  journal.onPressed = () => Promise.reject(new Error('no space'));
  edge(true);
  await clock.advance(4000);
  journal.onPressed = () => Promise.resolve();
  edge(false);
  await clock.advance(100);
  t.deepEqual(said, ['done 0', 'record unlogged: storage/io', 'done 4000']);
  t.deepEqual([...journal.outcomes], [[1, 'released']]);
  edge(true);
  await clock.advance(0);
  t.is(said.at(-1), 'record press 2 of 4100');
});

test('a release for which there is no room ends its press all the same', async (t) => {
  const { clock, journal, said, edge } = begin();
  const releases: (() => void)[] = [];
  journal.onPressed = () => new Promise((resolve) => releases.push(resolve));
  edge(true);
  await clock.advance(0);
  // The rest of the queue is filled by the other button.
  for (let index = 0; index < 255; index += 1) edge(index % 2 === 0, 'function');
  await clock.advance(200);
  edge(false);
  t.deepEqual(said, ['record unlogged: capture/queue-full']);
  journal.onPressed = () => Promise.resolve();
  for (const release of releases) release();
  await clock.advance(5000);
  t.true(said.includes('record press 1 of 0'));
  t.false(said.some((line) => /^record (tap|hold)/.test(line)));
  t.is(journal.outcomes.get(1), 'refused-storage');
});

test('a button that comes up says so, whatever its press was and whether the log has it', async (t) => {
  const { clock, journal, released, edge } = begin();
  edge(true, 'function');
  await clock.advance(4000);
  journal.onPressed = () => Promise.reject(new Error('the card is full'));
  edge(false, 'function');
  await clock.advance(100);
  t.deepEqual(released, ['function']);
});

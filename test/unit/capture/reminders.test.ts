import test from 'ava';
import fc from 'fast-check';
import {
  nextReminder,
  noReminders,
  withActive,
  withBusy,
  withSaid,
} from '../../../src/capture/reminders.js';
import { indicatorTable, stateNames, type StateName } from '../../../src/config/indicators.js';
import { monotonicMs } from '../../../src/units.js';

const TABLE = indicatorTable();
const at = monotonicMs;

test('a recording is reminded of after two minutes, a fault at once', (t) => {
  const recording = withActive(noReminders, ['recording'], at(5000));
  t.deepEqual(nextReminder(recording, TABLE, at(5000)), { name: 'recording', at: at(125_000) });
  const faulty = withActive(recording, ['recording', 'fault'], at(9000));
  t.deepEqual(nextReminder(faulty, TABLE, at(9000)), { name: 'fault', at: at(9000) });
});

test('a fault that comes and goes is said no more often than one that stays', (t) => {
  let state = withActive(noReminders, ['fault'], at(0));
  state = withSaid(state, TABLE, 'fault', at(0));
  state = withActive(state, [], at(1000));
  state = withActive(state, ['fault'], at(2000));
  t.deepEqual(nextReminder(state, TABLE, at(2000)), { name: 'fault', at: at(20_000) });
});

test('a reminder waits until what is being said is over', (t) => {
  const state = withBusy(withActive(noReminders, ['fault'], at(0)), at(0), 600);
  t.deepEqual(nextReminder(state, TABLE, at(0)), { name: 'fault', at: at(1600) });
});

test('no state that lasts goes without its reminder, however many there are and whatever else is said', (t) => {
  const rows = fc.uniqueArray(fc.constantFrom(...stateNames), { minLength: 1 });
  fc.assert(
    fc.property(rows, (names) => {
      const active = stateNames.filter((name) => names.includes(name));
      let state = withActive(noReminders, active, at(0));
      const said = new Map<StateName, number[]>();
      for (let now = 0; now <= 1_200_000;) {
        const next = nextReminder(state, TABLE, at(now));
        if (next === undefined) break;
        now = next.at;
        said.set(next.name, [...(said.get(next.name) ?? []), now]);
        state = withSaid(state, TABLE, next.name, next.at);
      }
      for (const name of active) {
        const { everyMs } = TABLE.states[name];
        if (everyMs === 0) continue;
        const times = said.get(name) ?? [];
        t.true(times.length >= Math.floor(1_200_000 / (everyMs + 15_000)), name);
        t.true(
          times.every((time, index) => index === 0 || time - (times[index - 1] ?? 0) >= everyMs),
        );
      }
    }),
    { numRuns: 50 },
  );
});

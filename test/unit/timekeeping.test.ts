import test from 'ava';
import fc from 'fast-check';
import type { TimeSource, WallTime } from '../../src/clock.js';
import {
  ANCHORS_MAX,
  EARLIEST_WALL_MS,
  judgeWall,
  startTime,
  wallTimeAt,
} from '../../src/timekeeping.js';
import type { KeptTime, TimeFact } from '../../src/timekeeping.js';
import { monotonicMs, wallTimeMs } from '../../src/units.js';

const NOON = Date.UTC(2026, 10, 24, 12);
const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const uncertainty: Readonly<Record<TimeSource, number>> = {
  gnss: 500,
  ntp: 50,
  rtc: 60_000,
  unset: 60_000,
};

/** A claim at second `s` that is `offMs` from noon plus `s` seconds. */
interface Claim {
  readonly s: number;
  readonly offMs: number;
  readonly source: TimeSource;
}

const wallOf = ({ s, offMs, source }: Claim): WallTime => ({
  ms: wallTimeMs(NOON + s * 1000 + offMs),
  source,
  uncertaintyMs: uncertainty[source],
});

function judgeAll(claims: readonly Claim[]): { state: KeptTime; facts: readonly TimeFact[] } {
  const facts: TimeFact[] = [];
  let state = startTime;
  for (const claim of claims) {
    const judged = judgeWall(state, wallOf(claim), monotonicMs(claim.s * 1000));
    state = judged.state;
    facts.push(...judged.facts);
  }
  return { state, facts };
}

const tell = (fact: TimeFact): string =>
  fact.type === 'clock-set'
    ? `${fact.from.source}>${fact.to.source} ${fact.stepMs} ${fact.isBelieved ? 'believed' : 'doubted'}`
    : `correction ${fact.before.source}>${fact.after.source} ${Math.round(fact.after.ms - fact.before.ms)}`;

/** How far the best known time of second `s` is from the truth. */
const offAt = ({ anchors }: KeptTime, s: number): number =>
  (wallTimeAt(anchors, monotonicMs(s * 1000))?.ms ?? NaN) - NOON - s * 1000;

const lies: readonly (readonly [string, number])[] = [
  ['a day forward', DAY],
  ['a day back', -DAY],
  ['an hour forward', HOUR],
  ['an hour back', -HOUR],
  ['to 1970', -NOON],
];
for (const [name, offMs] of lies) {
  test(`a clock that jumps ${name} and vouches for it as before is doubted, and nothing is dated by it`, (t) => {
    const { state, facts } = judgeAll([
      { s: 0, offMs: 0, source: 'ntp' },
      { s: 10, offMs, source: 'ntp' },
      { s: 11, offMs, source: 'ntp' },
    ]);
    const source = offMs === -NOON ? 'unset' : 'ntp';
    t.deepEqual(facts.map(tell), [`ntp>${source} ${offMs} doubted`]);
    t.true(state.isDoubted);
    t.deepEqual(
      [0, 10, 11, 100].map((s) => offAt(state, s)),
      [0, 0, 0, 0],
    );
    const back = judgeAll([
      { s: 0, offMs: 0, source: 'ntp' },
      { s: 10, offMs, source: 'ntp' },
      { s: 20, offMs: 0, source: 'ntp' },
    ]);
    t.false(back.state.isDoubted);
    t.is(back.facts.length, 2);
  });
}

test('a leap second is followed: what comes after it is dated by it, what was before is not', (t) => {
  const { state, facts } = judgeAll([
    { s: 0, offMs: 0, source: 'ntp' },
    { s: 10, offMs: -1000, source: 'ntp' },
    { s: 11, offMs: -1000, source: 'ntp' },
  ]);
  t.deepEqual(facts.map(tell), ['ntp>ntp -1000 believed']);
  t.deepEqual([offAt(state, 9), offAt(state, 10), offAt(state, 99)], [0, -1000, -1000]);
});

test('a leap second that is smeared is in the log and dates what comes after it, though no look sees a step', (t) => {
  const smeared = Array.from({ length: 60 }, (_, s): Claim => {
    return { s, offMs: -Math.min(1000, Math.max(0, s - 10) * 50), source: 'ntp' };
  });
  const { state, facts } = judgeAll(smeared);
  t.deepEqual(facts.map(tell), ['ntp>ntp -500 believed', 'ntp>ntp -500 believed']);
  t.false(state.isDoubted);
  t.is(offAt(state, 10), 0);
  for (const { s, offMs } of smeared) t.true(Math.abs(offAt(state, s) - offMs) <= 500, `${s} s`);
  t.is(offAt(state, 99), -1000);
});

test('a monotonic clock that drifts from a receiver for a whole shift does not take the dates along', (t) => {
  const drifting = Array.from({ length: 1200 }, (_, look): Claim => {
    return { s: look * 36, offMs: look * 1.8, source: 'gnss' };
  });
  const { state, facts } = judgeAll(drifting);
  t.is(facts.length, 4);
  for (const { s, offMs } of drifting) t.true(Math.abs(offAt(state, s) - offMs) <= 501, `${s} s`);
});

test('a clock chip that is a second off is not followed when satellites have told the time', (t) => {
  const { state } = judgeAll([
    { s: 0, offMs: 0, source: 'gnss' },
    { s: 10, offMs: 1000, source: 'rtc' },
  ]);
  t.false(state.isDoubted);
  t.is(offAt(state, 20), 0);
});

test('satellites date what was recorded under a wrong clock chip anew, from the start of the boot', (t) => {
  const { state, facts } = judgeAll([
    { s: 0, offMs: -2 * HOUR, source: 'rtc' },
    { s: 60, offMs: 0, source: 'gnss' },
  ]);
  t.deepEqual(facts.map(tell), ['rtc>gnss 7200000 believed', `correction rtc>gnss ${2 * HOUR}`]);
  t.deepEqual([offAt(state, 0), offAt(state, 30), offAt(state, 90)], [0, 0, 0]);
});

test('a clock that nobody ever set takes any time that somebody vouches for', (t) => {
  for (const source of ['rtc', 'ntp', 'gnss'] as const) {
    const { state, facts } = judgeAll([
      { s: 0, offMs: -NOON, source: 'rtc' },
      { s: 5, offMs: 0, source },
    ]);
    t.is(state.kept?.wall.source, source);
    t.deepEqual(facts.map(tell), [
      `unset>${source} ${NOON} believed`,
      `correction unset>${source} ${NOON}`,
    ]);
    t.is(offAt(state, 0), 0);
  }
});

test('a clock chip that was presumed and is not there leaves the clock unset, without doubt', (t) => {
  const { state } = judgeAll([
    { s: 0, offMs: 0, source: 'rtc' },
    { s: 1, offMs: 0, source: 'unset' },
  ]);
  t.is(state.kept?.wall.source, 'unset');
  t.false(state.isDoubted);
});

test('satellites that contradict network time which has just answered are not believed', (t) => {
  const { state, facts } = judgeAll([
    { s: 0, offMs: 0, source: 'ntp' },
    { s: 1, offMs: 3_000, source: 'gnss' },
  ]);
  t.deepEqual(facts.map(tell), ['ntp>gnss 3000 doubted']);
  t.is(offAt(state, 5), 0);
});

test('whatever a clock says, anchors stay few and in order, and doubt never outlives agreement', (t) => {
  const claim = fc.record({
    offMs: fc.constantFrom(0, 0, 0, 400, 1000, -1000, HOUR, -DAY, -NOON),
    source: fc.constantFrom<TimeSource[]>('gnss', 'ntp', 'rtc', 'unset'),
  });
  fc.assert(
    fc.property(fc.array(claim, { maxLength: 200 }), (claims) => {
      const { state } = judgeAll(claims.map((said, s) => ({ s, ...said })));
      t.true(state.anchors.length <= ANCHORS_MAX);
      for (const [index, { at }] of state.anchors.entries()) {
        t.true(at >= (state.anchors[index - 1]?.at ?? 0));
      }
      if (state.kept === undefined) return;
      const s = claims.length;
      const agreed = judgeWall(
        state,
        { ...state.kept.wall, ms: wallTimeMs(state.kept.wall.ms + s * 1000 - state.kept.at) },
        monotonicMs(s * 1000),
      );
      t.false(agreed.state.isDoubted);
    }),
  );
  t.is(EARLIEST_WALL_MS, Date.UTC(2026, 0, 1));
});

test('without an anchor nothing is known', (t) => {
  t.is(wallTimeAt([], monotonicMs(0)), undefined);
});

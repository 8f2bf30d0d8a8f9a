import test from 'ava';
import { OFFER_REPEAT_MS, stepDock, undocked } from '../../../../src/sync/device/dock-session.js';
import type {
  DockEffect,
  DockEvent,
  DockPhase,
  DockState,
} from '../../../../src/sync/device/dock-session.js';
import { monotonicMs } from '../../../../src/units.js';

const at = monotonicMs;

/** Plays events, each with its time, and collects the effects. */
function play(events: readonly (readonly [number, DockEvent])[], from: DockState = undocked) {
  let state = from;
  const effects: DockEffect[] = [];
  for (const [ms, event] of events) {
    const step = stepDock(state, event, at(ms));
    state = step.state;
    effects.push(...step.effects);
  }
  return { state, effects };
}

const docked: DockEvent = { type: 'docked' };
const connected: DockEvent = { type: 'connected' };
const announced: DockEvent = { type: 'announced' };
const ticked: DockEvent = { type: 'ticked' };
const offered = (segments: number): DockEvent => ({ type: 'offered', segments });

const toDraining = [
  [0, docked],
  [1, connected],
  [2, announced],
] as const;

test('docking connects, announces, then offers and says that it hands over', (t) => {
  const { state, effects } = play(toDraining);
  t.is(state.phase, 'draining');
  t.deepEqual(effects, ['connect', 'announce', 'tell', 'offer']);
});

test('an empty catalog means drained, and that is told', (t) => {
  const { state, effects } = play([[3, offered(0)]], play(toDraining).state);
  t.is(state.phase, 'drained');
  t.deepEqual(effects, ['tell']);
});

test('the last receipt of an offer brings the next offer at once', (t) => {
  const draining = play([...toDraining, [3, offered(2)]]).state;
  t.deepEqual(play([[4, { type: 'receipted', open: 1 }]], draining).effects, []);
  t.deepEqual(play([[4, { type: 'receipted', open: 0 }]], draining).effects, ['offer']);
});

test('the offer is repeated only after ten seconds in which nothing was wanted', (t) => {
  const draining = play(toDraining).state;
  t.deepEqual(play([[2 + OFFER_REPEAT_MS - 1, ticked]], draining).effects, []);
  t.deepEqual(play([[2 + OFFER_REPEAT_MS, ticked]], draining).effects, ['offer']);
  const heard = play([[5000, { type: 'heard' }]], draining).state;
  t.deepEqual(play([[2 + OFFER_REPEAT_MS, ticked]], heard).effects, []);
  t.deepEqual(play([[5000 + OFFER_REPEAT_MS, ticked]], heard).effects, ['offer']);
});

test('one silence brings one offer, not one for every tick', (t) => {
  const draining = play(toDraining).state;
  const late = 2 + OFFER_REPEAT_MS;
  t.deepEqual(
    play(
      [
        [late, ticked],
        [late + 1, ticked],
        [late + 500, ticked],
      ],
      draining,
    ).effects,
    ['offer'],
  );
});

test('drained, the catalog is still looked at, and what was sealed since is offered', (t) => {
  const drained = play([[3, offered(0)]], play(toDraining).state).state;
  const { state, effects } = play(
    [
      [20_000, ticked],
      [20_001, offered(1)],
    ],
    drained,
  );
  t.is(state.phase, 'draining');
  t.deepEqual(effects, ['offer', 'tell']);
});

test('without a broker the attempts get further apart', (t) => {
  const failed: DockEvent = { type: 'connectFailed', random: 0 };
  const first = play([
    [0, docked],
    [10, failed],
  ]);
  t.deepEqual(play([[1009, ticked]], first.state).effects, []);
  t.deepEqual(play([[1010, ticked]], first.state).effects, ['connect']);
  const second = play(
    [
      [1010, ticked],
      [1011, failed],
      [3010, ticked],
    ],
    first.state,
  );
  t.deepEqual(second.effects, ['connect']);
  t.deepEqual(play([[3011, ticked]], second.state).effects, ['connect']);
});

test('while an attempt is under way no tick starts another', (t) => {
  t.deepEqual(
    play([
      [0, docked],
      [60_000, ticked],
    ]).effects,
    ['connect'],
  );
});

test('a lost connection is announced anew when it is back, without connecting itself', (t) => {
  const lost = play([[3, { type: 'disconnected' }]], play(toDraining).state);
  t.is(lost.state.phase, 'connecting');
  t.deepEqual(lost.effects, []);
  t.deepEqual(play([[60_000, ticked]], lost.state).effects, []);
  t.deepEqual(play([[60_001, connected]], lost.state).effects, ['announce']);
});

test('an announcement that failed is repeated', (t) => {
  const failed = play([
    [0, docked],
    [1, connected],
    [2, { type: 'announceFailed' }],
  ]);
  t.deepEqual(play([[1001, ticked]], failed.state).effects, []);
  const again = play([[1002, ticked]], failed.state);
  t.deepEqual(again.effects, ['announce']);
  t.deepEqual(play([[5000, ticked]], again.state).effects, []);
});

test('a receiver that starts anew hears everything again', (t) => {
  const event: DockEvent = { type: 'receiverStarted' };
  const draining = play(toDraining).state;
  t.deepEqual(play([[5, event]], draining).effects, ['announce']);
  const drained = play([[3, offered(0)]], draining).state;
  t.deepEqual(
    play(
      [
        [5, event],
        [6, announced],
      ],
      drained,
    ).effects,
    ['announce', 'tell', 'offer'],
  );
});

test('undocking closes the connection from every phase, once', (t) => {
  const event: DockEvent = { type: 'undocked' };
  for (const count of [1, 2, 3]) {
    const { state } = play(toDraining.slice(0, count));
    const out = play(
      [
        [9, event],
        [10, event],
      ],
      state,
    );
    t.is(out.state.phase, 'undocked');
    t.deepEqual(out.effects, ['disconnect']);
  }
});

test('late answers of an earlier step change nothing', (t) => {
  const late: readonly DockEvent[] = [
    connected,
    { type: 'connectFailed', random: 0 },
    { type: 'disconnected' },
    announced,
    { type: 'announceFailed' },
    { type: 'receiverStarted' },
    { type: 'heard' },
    offered(3),
    { type: 'receipted', open: 0 },
    ticked,
  ];
  for (const event of late) {
    const step = stepDock(undocked, event, at(5));
    t.deepEqual(step, { state: undocked, effects: [] }, event.type);
  }
  const expected: readonly (readonly [DockPhase, DockEvent])[] = [
    ['connecting', announced],
    ['connecting', { type: 'heard' }],
    ['connecting', offered(0)],
    ['announcing', connected],
    ['announcing', { type: 'receiverStarted' }],
    ['announcing', offered(0)],
    ['draining', docked],
    ['draining', announced],
    ['draining', { type: 'announceFailed' }],
  ];
  for (const [phase, event] of expected) {
    const state: DockState = { ...undocked, phase };
    t.deepEqual(stepDock(state, event, at(0)), { state, effects: [] }, `${phase} ${event.type}`);
  }
});

import test from 'ava';
import fc from 'fast-check';
import {
  acceptEdge,
  nextDeadline,
  passTime,
  restingButton,
  type ButtonState,
  type Gesture,
  type NumberedEdge,
  type PressTiming,
} from '../../../src/capture/gestures.js';
import { monotonicMs } from '../../../src/units.js';

const TIMING: PressTiming = { debounceIntervalMs: 30, holdMs: 3000 };

function play(edges: readonly NumberedEdge[]): { gestures: Gesture[]; state: ButtonState } {
  const gestures: Gesture[] = [];
  let state = restingButton;
  const pass = (until: number): void => {
    for (
      let due = nextDeadline(state, TIMING);
      due !== undefined && due <= until;
      due = nextDeadline(state, TIMING)
    ) {
      const step = passTime(state, due, TIMING);
      state = step.state;
      gestures.push(...step.gestures);
    }
  };
  for (const edge of edges) {
    pass(edge.at);
    const step = acceptEdge(state, edge, TIMING);
    state = step.state;
    gestures.push(...step.gestures);
  }
  pass((edges.at(-1)?.at ?? 0) + 10_000);
  return { gestures, state };
}

/** Presses with bounces of 1 to 30 ms at both ends. */
const presses = fc.array(
  fc.record({
    pauseMs: fc.integer({ min: 100, max: 5000 }),
    heldMs: fc.integer({ min: 100, max: 6000 }),
    bouncesDown: fc.array(fc.integer({ min: 1, max: 29 }), { maxLength: 6 }),
    bouncesUp: fc.array(fc.integer({ min: 1, max: 29 }), { maxLength: 6 }),
  }),
  { maxLength: 12 },
);

test('10,000 bouncing presses: each is one press, none is lost, none is doubled', (t) => {
  let total = 0;
  fc.assert(
    fc.property(presses, (plan) => {
      const edges: NumberedEdge[] = [];
      let now = 0;
      const change = (
        isPressed: boolean,
        bounces: readonly number[],
        canBeSwallowed: boolean,
      ): void => {
        // Each bounce is a contact that opens and closes again, so the edges come in pairs after the first.
        let at = now;
        // The first contact may be over before its level is read; sysfs then gives one edge, with the level after it.
        const isSwallowed = canBeSwallowed && (bounces[0] ?? 0) % 3 === 1;
        if (!isSwallowed) edges.push({ edge: edges.length + 1, isPressed, at: monotonicMs(at) });
        for (const gap of bounces) {
          at += gap / 2;
          edges.push({ edge: edges.length + 1, isPressed: !isPressed, at: monotonicMs(at) });
          at += gap / 2;
          edges.push({ edge: edges.length + 1, isPressed, at: monotonicMs(at) });
        }
      };
      for (const press of plan) {
        now += press.pauseMs + 200;
        // Without its first contact a press is up to a bounce shorter or longer: around three seconds that would decide.
        const isClear = Math.abs(press.heldMs - 3000) > 30;
        change(true, press.bouncesDown, isClear);
        now += Math.max(press.heldMs, 220);
        change(false, press.bouncesUp, isClear);
      }
      const { gestures } = play(edges);
      const count = (type: Gesture['type']): number =>
        gestures.filter((gesture) => gesture.type === type).length;
      t.is(count('press'), plan.length);
      t.is(count('release'), plan.length);
      const holds = plan.filter((press) => Math.max(press.heldMs, 220) >= 3000).length;
      t.is(count('hold'), holds);
      t.is(count('tap'), plan.length - holds);
      total += plan.length;
    }),
    { numRuns: 2500 },
  );
  t.true(total >= 10_000, `${total} presses`);
});

const anyEdges = fc
  .array(fc.tuple(fc.integer({ min: 0, max: 4000 }), fc.boolean()), { maxLength: 40 })
  .map((rows) => {
    let now = 0;
    return rows.map(([gap, isPressed], index) => {
      now += gap;
      return { edge: index + 1, isPressed, at: monotonicMs(now) };
    });
  });

test('whatever the edges, each is named once, and each press ends in one tap or one hold', (t) => {
  fc.assert(
    fc.property(anyEdges, (edges) => {
      const { gestures, state } = play(edges);
      const named = gestures.flatMap((gesture) =>
        gesture.type === 'press'
          ? [gesture.press]
          : gesture.type === 'release' || gesture.type === 'bounce'
            ? [gesture.edge]
            : [],
      );
      t.deepEqual(
        [...named].sort((a, b) => a - b),
        edges.map((edge) => edge.edge),
      );
      const begun = gestures.flatMap((gesture) =>
        gesture.type === 'press' ? [gesture.press] : [],
      );
      const ended = gestures.flatMap((gesture) =>
        gesture.type === 'tap' || gesture.type === 'hold' ? [gesture.press] : [],
      );
      t.deepEqual(
        [...ended].sort((a, b) => a - b),
        begun,
      );
      t.is(state.unsettled, undefined);
      t.is(nextDeadline(state, TIMING), undefined);
    }),
    { numRuns: 500 },
  );
});

test('edges that the log refused move the button and are never named; the others are, each once', (t) => {
  const refused = fc.array(fc.boolean(), { minLength: 40, maxLength: 40 });
  fc.assert(
    fc.property(anyEdges, refused, (all, isRefused) => {
      const edges = all.map((it, index) => (isRefused[index] ? { ...it, edge: null } : it));
      const { gestures, state } = play(edges);
      const of = (...types: readonly Gesture['type'][]): number[] =>
        gestures
          .filter(({ type }) => types.includes(type))
          .map((it) => ('press' in it ? it.press : it.edge))
          .sort((a, b) => a - b);
      t.deepEqual(
        of('press', 'release', 'bounce'),
        edges.flatMap(({ edge }) => edge ?? []),
      );
      t.deepEqual(of('tap', 'hold', 'lost'), of('press'));
      t.is(nextDeadline(state, TIMING), undefined);
      t.is(state.down !== undefined, play(all).state.down !== undefined);
    }),
    { numRuns: 500 },
  );
});

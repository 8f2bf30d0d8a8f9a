import test from 'ava';
import { judgeEdge, judgeLevel, startDebounce } from '../../../../src/hal/drivers/debounce.js';
import type { ButtonEdge, DebounceState } from '../../../../src/hal/drivers/debounce.js';
import type { Edge } from '../../../../src/hal/ports/gpio.js';
import { monotonicMs } from '../../../../src/units.js';

const INTERVAL_MS = 30;

type Step = readonly [at: number, direction: 'down' | 'up'];
type Verdict = 'counts' | 'bounce';

/** Feeds edges to a button at rest; gives each edge's verdict and the state at the end. */
function judge(steps: readonly Step[]): { verdicts: Verdict[]; state: DebounceState } {
  let state = startDebounce(false);
  const verdicts = steps.map(([at, direction]): Verdict => {
    const judged = judgeEdge(
      state,
      { isActive: direction === 'down', at: monotonicMs(at) },
      INTERVAL_MS,
      true,
    );
    state = judged.state;
    return judged.edge.isBounce ? 'bounce' : 'counts';
  });
  return { verdicts, state };
}

const cases: readonly [title: string, steps: readonly [...Step, Verdict][], isPressed: boolean][] =
  [
    [
      'a clean press and release both count',
      [
        [0, 'down', 'counts'],
        [100, 'up', 'counts'],
      ],
      false,
    ],
    [
      'a press that bounces counts once, at its first edge',
      [
        [0, 'down', 'counts'],
        [2, 'up', 'bounce'],
        [5, 'down', 'bounce'],
      ],
      true,
    ],
    [
      'a release that bounces counts once',
      [
        [0, 'down', 'counts'],
        [100, 'up', 'counts'],
        [103, 'down', 'bounce'],
        [104, 'up', 'bounce'],
      ],
      false,
    ],
    [
      'each bounce starts the interval anew',
      [
        [0, 'down', 'counts'],
        [29, 'up', 'bounce'],
        [58, 'down', 'bounce'],
        [87, 'up', 'bounce'],
        [117, 'down', 'counts'],
      ],
      true,
    ],
    [
      'an edge exactly one interval later counts',
      [
        [0, 'down', 'counts'],
        [30, 'up', 'counts'],
        [59.9, 'down', 'bounce'],
      ],
      false,
    ],
    ['a release whose press was lost counts', [[0, 'up', 'counts']], false],
    [
      'a second press whose release was lost counts',
      [
        [0, 'down', 'counts'],
        [500, 'down', 'counts'],
      ],
      true,
    ],
  ];

for (const [title, steps, isPressed] of cases) {
  test(title, (t) => {
    const { verdicts, state } = judge(steps.map(([at, direction]) => [at, direction]));
    t.deepEqual(
      verdicts,
      steps.map(([, , verdict]) => verdict),
    );
    t.is(state.isPressed, isPressed);
  });
}

test('an edge is passed on with its direction and time, bounce or not', (t) => {
  const first = judgeEdge(
    startDebounce(false),
    { isActive: true, at: monotonicMs(7.25) },
    INTERVAL_MS,
    true,
  );
  t.deepEqual(first.edge, { isPressed: true, at: monotonicMs(7.25), isBounce: false });
  const second = judgeEdge(first.state, { isActive: false, at: monotonicMs(8) }, INTERVAL_MS, true);
  t.deepEqual(second.edge, { isPressed: false, at: monotonicMs(8), isBounce: true });
});

test('the level that agrees with the state says nothing', (t) => {
  t.is(judgeLevel(startDebounce(false), false, monotonicMs(50)), undefined);
  t.is(judgeLevel(startDebounce(true), true, monotonicMs(50)), undefined);
});

test('a release that was taken for a bounce is made up for, with its own time', (t) => {
  const { state } = judge([
    [0, 'down'],
    [10, 'up'],
  ]);
  const expected: ButtonEdge = { isPressed: false, at: monotonicMs(10), isBounce: false };
  const judged = judgeLevel(state, false, monotonicMs(40));
  t.deepEqual(judged?.edge, expected);
  t.false(judged?.state.isPressed);
});

test('a release that never came is made up for, with the time it was noticed', (t) => {
  const { state } = judge([[0, 'down']]);
  t.deepEqual(judgeLevel(state, false, monotonicMs(250))?.edge, {
    isPressed: false,
    at: monotonicMs(250),
    isBounce: false,
  });
});

test('an edge that may have come before the contact was quiet is a bounce, unless the kernel says when it came', (t) => {
  const down = judgeEdge(startDebounce(false), edgeAt(0, true), INTERVAL_MS, true);
  const late = (at: number, hasKernelTime: boolean, wasSeenQuiet: boolean): boolean =>
    judgeEdge(down.state, { ...edgeAt(at, false), hasKernelTime }, INTERVAL_MS, wasSeenQuiet).edge
      .isBounce;
  t.true(late(45, false, false));
  t.false(late(45, true, false));
  t.false(late(45, false, true));
  t.false(late(100, false, false), 'so late that it is a thumb');
});

const edgeAt = (at: number, isActive: boolean): Edge => ({ isActive, at: monotonicMs(at) });

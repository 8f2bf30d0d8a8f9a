import test from 'ava';
import {
  acceptEdge,
  nextDeadline,
  passTime,
  restingButton,
  type Gesture,
  type NumberedEdge,
  type PressTiming,
} from '../../../src/capture/gestures.js';
import { monotonicMs } from '../../../src/units.js';

const TIMING: PressTiming = { debounceIntervalMs: 30, holdMs: 3000 };

type Row = readonly [at: number, what: 'down' | 'up' | 'wait'];

/** Plays edges, numbered from 1, with a timer for each deadline; returns `time gesture number`. */
function play(rows: readonly Row[]): string[] {
  const seen: string[] = [];
  let state = restingButton;
  let edge = 0;
  const say = (at: number, gestures: readonly Gesture[]): void => {
    for (const gesture of gestures) {
      if (gesture.type === 'holding') continue;
      seen.push(`${at} ${gesture.type} ${'press' in gesture ? gesture.press : gesture.edge}`);
    }
  };
  for (const [at, what] of rows) {
    for (
      let due = nextDeadline(state, TIMING);
      due !== undefined && due <= at;
      due = nextDeadline(state, TIMING)
    ) {
      const step = passTime(state, due, TIMING);
      state = step.state;
      say(due, step.gestures);
    }
    if (what === 'wait') continue;
    edge += 1;
    const step = acceptEdge(
      state,
      { edge, isPressed: what === 'down', at: monotonicMs(at) },
      TIMING,
    );
    state = step.state;
    say(at, step.gestures);
  }
  return seen;
}

const cases: Record<string, readonly [readonly Row[], readonly string[]]> = {
  'a press counts at once, its release when the contact is quiet': [
    [
      [0, 'down'],
      [200, 'up'],
      [1000, 'wait'],
    ],
    ['0 press 1', '230 tap 1', '230 release 2'],
  ],
  'a press of three seconds is a hold at three seconds, and its release says nothing more': [
    [
      [0, 'down'],
      [5000, 'up'],
      [6000, 'wait'],
    ],
    ['0 press 1', '3000 hold 1', '5030 release 2'],
  ],
  'a release just before three seconds makes a tap, although it settles after them': [
    [
      [0, 'down'],
      [2990, 'up'],
      [4000, 'wait'],
    ],
    ['0 press 1', '3020 tap 1', '3020 release 2'],
  ],
  'a contact that bounces for 30 ms on both edges makes one press': [
    [
      [0, 'down'],
      [3, 'up'],
      [8, 'down'],
      [25, 'up'],
      [29, 'down'],
      [300, 'up'],
      [310, 'down'],
      [320, 'up'],
      [900, 'wait'],
    ],
    [
      '0 press 1',
      '8 bounce 2',
      '25 bounce 3',
      '29 bounce 4',
      '59 bounce 5',
      '310 bounce 6',
      '320 bounce 7',
      '350 tap 1',
      '350 release 8',
    ],
  ],
  'a tap shorter than the debounce interval is a tap, not a hold': [
    [
      [0, 'down'],
      [20, 'up'],
      [5000, 'wait'],
    ],
    ['0 press 1', '50 tap 1', '50 release 2'],
  ],
  'a contact that opens for a moment does not end a hold': [
    [
      [0, 'down'],
      [1500, 'up'],
      [1504, 'down'],
      [4000, 'wait'],
    ],
    ['0 press 1', '1504 bounce 2', '1534 bounce 3', '3000 hold 1'],
  ],
  'a hold waits for a contact that opened at its end': [
    [
      [0, 'down'],
      [2990, 'up'],
      [2996, 'down'],
      [4000, 'wait'],
    ],
    ['0 press 1', '2996 bounce 2', '3026 bounce 3', '3026 hold 1'],
  ],
  'a release without a press is a press and a tap': [
    [
      [0, 'up'],
      [1000, 'wait'],
    ],
    ['0 press 1', '30 tap 1'],
  ],
  'a press whose first contact was so short that only its end came is one press': [
    [
      [0, 'up'],
      [2, 'down'],
      [7, 'up'],
      [15, 'down'],
      [200, 'up'],
      [900, 'wait'],
    ],
    ['0 press 1', '7 bounce 2', '15 bounce 3', '45 bounce 4', '230 tap 1', '230 release 5'],
  ],
  'a press whose first contact was so short that only its end came can become a hold': [
    [
      [0, 'up'],
      [2, 'down'],
      [4000, 'wait'],
    ],
    ['0 press 1', '32 bounce 2', '3000 hold 1'],
  ],
  'a press that comes again while the button is down is a bounce': [
    [
      [0, 'down'],
      [1000, 'down'],
      [4000, 'wait'],
    ],
    ['0 press 1', '1030 bounce 2', '3000 hold 1'],
  ],
  'two quick presses are two': [
    [
      [0, 'down'],
      [80, 'up'],
      [160, 'down'],
      [240, 'up'],
      [900, 'wait'],
    ],
    ['0 press 1', '110 tap 1', '110 release 2', '160 press 3', '270 tap 3', '270 release 4'],
  ],
  'a release soon after a release is the end of a bounce that came late': [
    [
      [0, 'down'],
      [100, 'up'],
      [145, 'up'],
      [1000, 'wait'],
    ],
    ['0 press 1', '130 tap 1', '130 release 2', '145 bounce 3'],
  ],
  'a release long after a release is a press whose beginning was lost': [
    [
      [0, 'down'],
      [100, 'up'],
      [200, 'up'],
      [1000, 'wait'],
    ],
    ['0 press 1', '130 tap 1', '130 release 2', '200 press 3', '230 tap 3'],
  ],
  'a press after a release that came alone and was quiet is another one': [
    [
      [0, 'up'],
      [40, 'down'],
      [5000, 'wait'],
    ],
    ['0 press 1', '30 tap 1', '40 press 2', '3040 hold 2'],
  ],
  'an edge that is delivered again with its old time is a bounce': [
    [
      [0, 'down'],
      [20, 'up'],
      [50, 'wait'],
      [20, 'up'],
      [4000, 'wait'],
    ],
    ['0 press 1', '50 tap 1', '50 release 2', '20 bounce 3'],
  ],
  'an edge that comes after the hold was due finds the hold done': [
    [
      [0, 'down'],
      [3500, 'up'],
      [4000, 'wait'],
    ],
    ['0 press 1', '3000 hold 1', '3530 release 2'],
  ],
};

for (const [name, [rows, expected]] of Object.entries(cases)) {
  test(name, (t) => {
    t.deepEqual(play(rows), expected);
  });
}

test('an edge that arrives before the timer of the hold makes it a hold all the same', (t) => {
  const pressed = acceptEdge(
    restingButton,
    { edge: 1, isPressed: true, at: monotonicMs(0) },
    TIMING,
  );
  const late = acceptEdge(
    pressed.state,
    { edge: 2, isPressed: false, at: monotonicMs(3200) },
    TIMING,
  );
  t.deepEqual(late.gestures.at(-1), { type: 'hold', press: 1 });
});

test('a button at rest waits for nothing', (t) => {
  t.is(nextDeadline(restingButton, TIMING), undefined);
});

test('a hold is as long as it is asked to be', (t) => {
  const press = { edge: 1, isPressed: true, at: monotonicMs(0) };
  const longer: PressTiming = { ...TIMING, holdMs: 5000 };
  const { state } = acceptEdge(restingButton, press, longer);
  const types = passTime(state, monotonicMs(4999), longer).gestures.map(({ type }) => type);
  t.false(types.includes('hold'));
  t.deepEqual(passTime(state, monotonicMs(5000), longer).gestures.at(-1), {
    type: 'hold',
    press: 1,
  });
});

const edgeOf = (edge: number, isPressed: boolean, at: number, isBounce = false): NumberedEdge => ({
  edge,
  isPressed,
  at: monotonicMs(at),
  isBounce,
});

/** What edges mean that are handed on in one go, as after a pause of the process. */
function playLate(edges: readonly NumberedEdge[]): string[] {
  let state = restingButton;
  const seen: string[] = [];
  const say = ({ gestures }: { readonly gestures: readonly Gesture[] }): void => {
    const told = gestures.filter(({ type }) => type !== 'holding');
    seen.push(...told.map((it) => `${it.type} ${'press' in it ? it.press : it.edge}`));
  };
  for (const edge of edges) {
    const step = acceptEdge(state, edge, TIMING);
    state = step.state;
    say(step);
  }
  say(passTime(state, monotonicMs((edges.at(-1)?.at ?? 0) + 500), TIMING));
  return seen;
}

test('a bounce that was seen late does not end the press and begin another', (t) => {
  const edges = [edgeOf(1, true, 0), edgeOf(2, false, 5), edgeOf(3, true, 45, true)];
  t.deepEqual(playLate([...edges, edgeOf(4, false, 200)]), [
    'press 1',
    'bounce 2',
    'bounce 3',
    'tap 1',
    'release 4',
  ]);
});

test('a late contact after a press that has ended is a bounce; its driver delivers it again when it stays closed', (t) => {
  let state = restingButton;
  const seen: string[] = [];
  const take = (step: ReturnType<typeof acceptEdge>): void => {
    state = step.state;
    seen.push(...step.gestures.map((it) => `${it.type} ${'press' in it ? it.press : it.edge}`));
  };
  take(acceptEdge(state, edgeOf(1, true, 0), TIMING));
  take(acceptEdge(state, edgeOf(2, false, 200), TIMING));
  take(passTime(state, monotonicMs(240), TIMING));
  take(acceptEdge(state, edgeOf(3, true, 250, true), TIMING));
  t.deepEqual(seen, ['press 1', 'tap 1', 'release 2', 'bounce 3']);
  take(acceptEdge(state, edgeOf(4, true, 250), TIMING));
  t.is(seen.at(-1), 'press 4');
});

test('a hold that is due while a late bounce settles is still a hold', (t) => {
  const edges = [edgeOf(1, true, 0), edgeOf(2, false, 2_980), edgeOf(3, true, 3_020, true)];
  t.deepEqual(playLate([...edges, edgeOf(4, false, 3_400)]), [
    'press 1',
    'bounce 2',
    'bounce 3',
    'hold 1',
    'release 4',
  ]);
});

test('each second before a hold is told, then the hold, then the long one', (t) => {
  const seen: string[] = [];
  let { state } = acceptEdge(restingButton, edgeOf(1, true, 0), TIMING);
  for (const at of [999, 1000, 2000, 2999, 3000, 7999, 8000, 20_000]) {
    const step = passTime(state, monotonicMs(at), { ...TIMING, longHoldMs: 8000 });
    state = step.state;
    seen.push(
      ...step.gestures.map((it) => `${at} ${it.type}${'seconds' in it ? ` ${it.seconds}` : ''}`),
    );
  }
  t.deepEqual(seen, ['1000 holding 1', '2000 holding 2', '3000 hold', '8000 longHold']);
});

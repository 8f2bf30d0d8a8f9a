import { monotonicMs, type MonotonicMs } from '../units.js';

/** How long a contact must be quiet, and how long a press is held to be a hold. */
export interface PressTiming {
  readonly debounceIntervalMs: number;
  readonly holdMs: number;
  /** A hold that goes on for this long; none where it is left out. */
  readonly longHoldMs?: number;
}

/**
 * An edge of one button; `edge` is the number that the journal gave it, null when the journal refused it. Such an edge
 * moves the button, so that the ones after it mean what they should, but no gesture follows from it.
 */
export interface NumberedEdge {
  readonly edge: number | null;
  readonly isPressed: boolean;
  readonly at: MonotonicMs;
  /** True when the contact was not, or may not have been, quiet before it, whatever `at` says: it settles nothing. */
  readonly isBounce?: boolean;
}

/** What the edges of one button mean. `press` is the number of the edge that the press began with. */
export type Gesture =
  /** The button went down. */
  | { readonly type: 'press'; readonly press: number; readonly at: MonotonicMs }
  /** It came up before it was a hold. */
  | { readonly type: 'tap'; readonly press: number }
  /** It came up before it was a hold, by an edge that the journal refused: nothing may follow from it. */
  | { readonly type: 'lost'; readonly press: number }
  /** It has been down for `seconds`, which is not yet a hold, and the contact is quiet. */
  | { readonly type: 'holding'; readonly press: number; readonly seconds: number }
  /** It has been down for the time of a hold, or of a long one. */
  | { readonly type: 'hold' | 'longHold'; readonly press: number }
  /** This edge was the end of a press. */
  | { readonly type: 'release'; readonly edge: number }
  /** This edge was a contact that bounced. */
  | { readonly type: 'bounce'; readonly edge: number };

/**
 * A release right after the last release tells of no press that was lost: no thumb presses and lets go within this time.
 * It is the end of a bounce that came late, because sysfs gives edges the time at which somebody looked.
 */
const LATE_BOUNCE_MS = 100;

/** One button. Starts with `restingButton`. */
export interface ButtonState {
  /** The press that is going on. */
  readonly down?: {
    readonly press: number | null;
    readonly at: MonotonicMs;
    /** Steps of a hold that it has reached: see `stepsOf`. */
    readonly steps: number;
    readonly isHeld: boolean;
    /** True while all that is known of the press is a release: whether it is over shows when the contact is quiet. */
    readonly isOnlyRelease?: boolean;
  };
  /** The newest edge whose meaning is open until the contact has been quiet. */
  readonly unsettled?: NumberedEdge;
  /** When the contact will have been quiet for the debounce interval. */
  readonly settlesAt?: MonotonicMs;
  /** The newest edge, whatever it meant. */
  readonly newest?: NumberedEdge;
}

export const restingButton: ButtonState = {};

export interface GestureStep {
  readonly state: ButtonState;
  readonly gestures: readonly Gesture[];
}

interface HoldStep {
  readonly afterMs: number;
  readonly type: 'holding' | 'hold' | 'longHold';
}

const SECOND_MS = 1000;

/** What a press reaches by lasting, in order: each second before the hold, the hold, and the long one. */
function stepsOf({ holdMs, longHoldMs }: PressTiming): readonly HoldStep[] {
  const seconds = Math.ceil(holdMs / SECOND_MS) - 1;
  return [
    ...Array.from({ length: seconds }, (_, index) => {
      return { afterMs: (index + 1) * SECOND_MS, type: 'holding' } as const;
    }),
    { afterMs: holdMs, type: 'hold' },
    ...(longHoldMs === undefined ? [] : [{ afterMs: longHoldMs, type: 'longHold' } as const]),
  ];
}

/** When `passTime` must be called next, unless an edge comes before; undefined when only an edge can say more. */
export function nextDeadline(
  { down, unsettled, settlesAt }: ButtonState,
  timing: PressTiming,
): MonotonicMs | undefined {
  const step = down && unsettled === undefined ? stepsOf(timing)[down.steps] : undefined;
  const deadlines = [down && step ? down.at + step.afterMs : Infinity, settlesAt ?? Infinity];
  const next = Math.min(...deadlines);
  return next === Infinity ? undefined : monotonicMs(next);
}

/**
 * Takes an edge. A press counts at its first contact, a release when the contact has been quiet for
 * `debounceIntervalMs`; every other edge of a bouncing contact is a bounce. A release without a press is a press whose
 * beginning the system swallowed: it ends when the contact has been quiet, unless the contact closes before. A release soon
 * after a release is a bounce, and so is an edge that a driver delivers again, with the time it had.
 * Every edge with a number is named by exactly one gesture of this or a later step: by `press`, `release` or `bounce`.
 * Every `press` is followed by exactly one `tap`, `lost` or `hold`.
 */
export function acceptEdge(
  before: ButtonState,
  edge: NumberedEdge,
  timing: PressTiming,
): GestureStep {
  const { state, gestures } = passTime(before, settledUntil(before, edge), timing);
  const { debounceIntervalMs } = timing;
  const { down, unsettled, settlesAt, newest } = state;
  if (newest?.isPressed === edge.isPressed && edge.at <= newest.at) {
    return { state, gestures: [...gestures, ...bounce(edge)] };
  }
  if (settlesAt === undefined && down === undefined) {
    // Where such a press was one after all, its driver says so when the contact is quiet, with the same time.
    if (edge.isPressed && edge.isBounce) return { state, gestures: [...gestures, ...bounce(edge)] };
    const isLate = newest?.isPressed === false && edge.at - newest.at < LATE_BOUNCE_MS;
    if (!edge.isPressed && isLate) {
      return { state: { ...state, newest: edge }, gestures: [...gestures, ...bounce(edge)] };
    }
    const step = beginPress(edge, debounceIntervalMs);
    return { state: { ...step.state, newest: edge }, gestures: [...gestures, ...step.gestures] };
  }
  return {
    state: {
      ...state,
      unsettled: edge,
      settlesAt: monotonicMs(edge.at + debounceIntervalMs),
      newest: edge,
    },
    gestures: unsettled ? [...gestures, ...bounce(unsettled)] : gestures,
  };
}

/** An edge that comes late, when the process was held up, must not make the contact look quiet before it. */
function settledUntil({ settlesAt }: ButtonState, { at, isBounce }: NumberedEdge): MonotonicMs {
  const isOpen = isBounce === true && settlesAt !== undefined;
  return isOpen ? monotonicMs(Math.min(at, settlesAt - 1)) : at;
}

/** Lets time pass up to `now`: holds are reached and contacts settle. */
export function passTime(before: ButtonState, now: MonotonicMs, timing: PressTiming): GestureStep {
  let state = before;
  const gestures: Gesture[] = [];
  for (;;) {
    const deadline = nextDeadline(state, timing);
    if (deadline === undefined || deadline > now) return { state, gestures };
    const { newest } = state;
    const step =
      deadline === state.settlesAt
        ? settle(state, timing.debounceIntervalMs)
        : reachStep(state, timing);
    state = newest ? { ...step.state, newest } : step.state;
    gestures.push(...step.gestures);
  }
}

const bounce = ({ edge }: NumberedEdge): Gesture[] =>
  edge === null ? [] : [{ type: 'bounce', edge }];

const release = ({ edge }: NumberedEdge): Gesture[] =>
  edge === null ? [] : [{ type: 'release', edge }];

function beginPress(edge: NumberedEdge, debounceIntervalMs: number): GestureStep {
  const { edge: press, at, isPressed } = edge;
  const gestures: Gesture[] = press === null ? [] : [{ type: 'press', press, at }];
  const settlesAt = monotonicMs(at + debounceIntervalMs);
  const down = {
    press,
    at,
    steps: 0,
    isHeld: false,
    ...(isPressed ? {} : { isOnlyRelease: true }),
  };
  return { state: { down, settlesAt }, gestures };
}

function reachStep({ down, ...state }: ButtonState, timing: PressTiming): GestureStep {
  const step = down && stepsOf(timing)[down.steps];
  if (down === undefined || step === undefined) return { state, gestures: [] };
  const { press, steps } = down;
  const { type, afterMs } = step;
  const isHeld = down.isHeld || type === 'hold';
  const reached = { ...state, down: { ...down, steps: steps + 1, isHeld } };
  if (press === null) return { state: reached, gestures: [] };
  const gesture: Gesture =
    type === 'holding' ? { type, press, seconds: afterMs / SECOND_MS } : { type, press };
  return { state: reached, gestures: [gesture] };
}

function withoutDoubt({ press, at, steps, isHeld }: NonNullable<ButtonState['down']>) {
  return { press, at, steps, isHeld };
}

/** The contact is quiet: the newest edge counts when it left the level changed. */
function settle({ down, unsettled }: ButtonState, debounceIntervalMs: number): GestureStep {
  if (unsettled === undefined) {
    if (!down?.isOnlyRelease) return { state: down ? { down } : {}, gestures: [] };
    return { state: {}, gestures: down.press === null ? [] : [{ type: 'tap', press: down.press }] };
  }
  if (unsettled.isPressed === (down !== undefined)) {
    // A press of which a release came first is a press like any other from here on.
    const rest = down ? { down: withoutDoubt(down) } : {};
    return { state: rest, gestures: bounce(unsettled) };
  }
  if (down === undefined) return beginPress(unsettled, debounceIntervalMs);
  const { press, isHeld } = down;
  const gestures = release(unsettled);
  if (press !== null && !isHeld) {
    gestures.unshift({ type: unsettled.edge === null ? 'lost' : 'tap', press });
  }
  return { state: {}, gestures };
}

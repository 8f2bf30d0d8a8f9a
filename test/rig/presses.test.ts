import test from 'ava';
import type { ExecutionContext } from 'ava';
import { acceptEdge, passTime, restingButton } from '../../src/capture/gestures.js';
import type { Gesture } from '../../src/capture/gestures.js';
import { Button } from '../../src/hal/drivers/button.js';
import type { ButtonEdge } from '../../src/hal/drivers/debounce.js';
import { OnoffGpio } from '../../src/hal/linux/onoff-gpio.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import { monotonicMs } from '../../src/units.js';
import { randomFrom } from '../support/random.js';
import { BOUNCE_GAP_MS_MAX, isHandFair, quantile, round } from './bouncing-hand.js';
import type { Round } from './bouncing-hand.js';
import { RIG_LINES, openRig } from './rig.js';

// Presses of a bouncing contact, in real time, from the wire to the gesture: faster ones than any thumb makes.

/** `PRESSES=1000` takes two minutes. */
const PRESSES = Number(process.env['PRESSES'] ?? 100);
/** Presses that may be void, see `isFair`; with more of them the machine is too busy to say anything. */
const VOID_MAX = PRESSES / 10;
/** The interval that every board has for its buttons. */
const TIMING = { debounceIntervalMs: 30, holdMs: 1_000 };
/** A press is 25 to 55 ms long, shorter than any thumb's; presses follow each other up to eight times a second. */
const HAND = { presses: 50, heldMs: 25, pauseMs: 75 };
/** An edge that is this late is as good as another one: it comes after a gap within a bounce, and the interval is over. */
const LATE_MS_MAX = TIMING.debounceIntervalMs - BOUNCE_GAP_MS_MAX;
/** How often it is looked whether this thread is held up. */
const HEARTBEAT_MS = 5;

/** All gestures of the edges that the button has delivered. */
function gesturesOf(edges: readonly ButtonEdge[]): readonly Gesture[] {
  let state = restingButton;
  const all: Gesture[] = [];
  for (const [edge, { isPressed, at }] of edges.entries()) {
    const step = acceptEdge(state, { edge, isPressed, at }, TIMING);
    state = step.state;
    all.push(...step.gestures);
  }
  all.push(...passTime(state, monotonicMs(Infinity), TIMING).gestures);
  return all;
}

/** Times at which this thread was found to have been held up, and for how long. */
type Delays = readonly { readonly at: number; readonly ms: number }[];

/**
 * Whether the machine let both sides do what they should between two times: the hand kept the gaps of its bounces, and
 * this thread was there to see them.
 */
function isFair(steps: Round['steps'], times: readonly number[], delays: Delays): boolean {
  const from = times[0] ?? NaN;
  const to = (times.at(-1) ?? NaN) + HAND.pauseMs;
  return (
    isHandFair(steps, times, LATE_MS_MAX) &&
    !delays.some(({ at, ms }) => at > from && at - ms < to && ms > LATE_MS_MAX)
  );
}

interface Tally {
  readonly latenciesMs: number[];
  void: number;
}

/** Counts the presses of a round: each one once, with a tap at its end; void ones are left out. */
function count(
  t: ExecutionContext,
  { steps, presses }: Round,
  times: readonly number[],
  gestures: readonly Gesture[],
  delays: Delays,
  tally: Tally,
): void {
  const begun = gestures.flatMap((gesture) => (gesture.type === 'press' ? [gesture] : []));
  const taps = new Set(gestures.flatMap((it) => (it.type === 'tap' ? [it.press] : [])));
  for (const [index, first] of presses.entries()) {
    const next = presses[index + 1] ?? steps.length;
    const from = times[first] ?? NaN;
    const to = times[next] ?? Infinity;
    const own = begun.filter(({ at }) => at >= from && at < to);
    const [press] = own;
    if (own.length === 1 && press !== undefined && taps.has(press.press)) {
      tally.latenciesMs.push(press.at - from);
    } else if (!isFair(steps.slice(first, next), times.slice(first, next), delays)) {
      tally.void += 1;
    } else {
      t.fail(`a press counted ${own.length} times, the seed is above`);
    }
  }
}

test('hundreds of presses with up to 30 ms of bounce: none lost, none doubled', async (t) => {
  const rig = await openRig();
  t.teardown(() => rig.close());
  const clock = new SystemClock();
  const seed = Number(process.env['SEED'] ?? Date.now() % 2 ** 32);
  t.log(`seed ${seed}`);
  const random = randomFrom(seed);
  const spec = { ...RIG_LINES.record, debounceIntervalMs: TIMING.debounceIntervalMs };
  const line = await new OnoffGpio(clock).openInput(spec);
  const button = await Button.open(line, spec, clock, (error) => {
    t.fail(String(error));
  });
  t.teardown(() => button.close());
  const edges: ButtonEdge[] = [];
  button.watch((edge) => edges.push(edge));
  const delays: { at: number; ms: number }[] = [];
  let beatAt = clock.monotonicMs();
  const stopHeart = clock.every(HEARTBEAT_MS, () => {
    const at = clock.monotonicMs();
    if (at - beatAt > HEARTBEAT_MS) delays.push({ at, ms: at - beatAt - HEARTBEAT_MS });
    beatAt = at;
  });
  t.teardown(stopHeart);
  const originMs = Number(process.hrtime.bigint()) / 1e6 - clock.monotonicMs();
  const tally: Tally = { latenciesMs: [], void: 0 };
  let driven = 0;
  while (tally.latenciesMs.length < PRESSES && tally.void <= VOID_MAX) {
    edges.length = 0;
    const plan = round(random, { ...HAND, activeLow: spec.activeLow });
    const times = (await rig.play(spec.line, plan.steps)).map((at) => at - originMs);
    await clock.sleep(HAND.pauseMs * 2);
    driven += plan.steps.length;
    count(t, plan, times, gesturesOf(edges), delays, tally);
  }
  t.true(tally.void <= VOID_MAX, `${tally.void} presses void: this machine is too busy`);
  const sorted = [...tally.latenciesMs].sort((a, b) => a - b);
  const figures = [0.5, 0.95, 1].map((share) => quantile(sorted, share).toFixed(1)).join(' / ');
  const heldUpMs = Math.max(0, ...delays.map(({ ms }) => ms));
  t.log(`${sorted.length} presses counted once each, ${driven} edges driven, ${tally.void} void`);
  t.log(`this thread was held up for at most ${heldUpMs.toFixed(1)} ms`);
  t.log(`contact to gesture p50 / p95 / max: ${figures} ms`);
});

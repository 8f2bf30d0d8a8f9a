import test from 'ava';
import type { ExecutionContext } from 'ava';
import { acceptEdge, passTime, restingButton } from '../../src/capture/gestures.js';
import type { Gesture } from '../../src/capture/gestures.js';
import { Button } from '../../src/hal/drivers/button.js';
import type { ButtonEdge } from '../../src/hal/drivers/debounce.js';
import { OnoffGpio } from '../../src/hal/linux/onoff-gpio.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import { monotonicMs } from '../../src/units.js';
import { RIG_LINES, openRig } from './rig.js';
import type { LevelStep } from './rig.js';

// A thousand presses of a bouncing contact, in real time, from the wire to the gesture.

const PRESSES = 1_000;
const PRESSES_A_ROUND = 50;
/** Presses that may be void, see `isFair`; with more of them the machine is too busy to say anything. */
const VOID_MAX = 100;
/** The interval that every board has for its buttons. */
const TIMING = { debounceIntervalMs: 30, holdMs: 1_000 };
/** A contact bounces for up to this long, with up to this between two of its edges. */
const BOUNCE_MS_MAX = 30;
const BOUNCE_GAP_MS_MAX = 10;
/** Quiet after the bounce of a press: a press is 25 to 55 ms long, shorter than any thumb's. */
const HELD_MS = 25;
/** Quiet after the bounce of a release: presses follow each other up to eight times a second. */
const PAUSE_MS = 75;
/** An edge that is this late is as good as another one: it comes after a gap within a bounce, and the interval is over. */
const LATE_MS_MAX = TIMING.debounceIntervalMs - BOUNCE_GAP_MS_MAX;
/** How often it is looked whether this thread is held up. */
const HEARTBEAT_MS = 5;

interface ContactStep extends LevelStep {
  /** Whether the contact was quiet before. */
  readonly isFirst: boolean;
}

interface Round {
  readonly steps: readonly ContactStep[];
  /** Index in the steps of the first contact of each press. */
  readonly presses: readonly number[];
}

/** Numbers from 0 to 1 that a seed repeats (mulberry32, public domain). */
function randomFrom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** The edges with which a contact ends at `isHigh`, within 0 to 30 ms. */
function bounce(random: () => number, isHigh: boolean): ContactStep[] {
  const spanMs = random() * BOUNCE_MS_MAX;
  const gaps: number[] = [];
  for (let atMs = 0; atMs < spanMs || gaps.length % 2 === 1;) {
    const gapMs = random() * BOUNCE_GAP_MS_MAX;
    atMs += gapMs;
    gaps.push(gapMs);
  }
  return [0, ...gaps].map((afterMs, index) => ({
    afterMs,
    isHigh: index % 2 === 0 ? isHigh : !isHigh,
    isFirst: index === 0,
  }));
}

function round(random: () => number, activeLow: boolean): Round {
  const steps: ContactStep[] = [];
  const presses: number[] = [];
  const add = (quietMs: number, [first, ...rest]: readonly ContactStep[]): void => {
    if (first !== undefined) steps.push({ ...first, afterMs: quietMs }, ...rest);
  };
  for (let press = 0; press < PRESSES_A_ROUND; press += 1) {
    presses.push(steps.length);
    add(PAUSE_MS, bounce(random, !activeLow));
    add(HELD_MS, bounce(random, activeLow));
  }
  return { steps, presses };
}

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
 * this thread was there to see them. A hand that is held up within a bounce has really pressed twice.
 */
function isFair(steps: Round['steps'], times: readonly number[], delays: Delays): boolean {
  const isHandFair = steps.every(
    ({ isFirst }, index) =>
      isFirst || (times[index] ?? NaN) - (times[index - 1] ?? NaN) < LATE_MS_MAX,
  );
  const from = times[0] ?? NaN;
  const to = (times.at(-1) ?? NaN) + PAUSE_MS;
  return isHandFair && !delays.some(({ at, ms }) => at > from && at - ms < to && ms > LATE_MS_MAX);
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

const quantile = (sorted: readonly number[], share: number): string =>
  (sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN).toFixed(1);

test('a thousand presses with up to 30 ms of bounce: none lost, none doubled', async (t) => {
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
    const plan = round(random, spec.activeLow);
    const times = (await rig.play(spec.line, plan.steps)).map((at) => at - originMs);
    await clock.sleep(PAUSE_MS * 2);
    driven += plan.steps.length;
    count(t, plan, times, gesturesOf(edges), delays, tally);
  }
  t.true(tally.void <= VOID_MAX, `${tally.void} presses void: this machine is too busy`);
  const sorted = [...tally.latenciesMs].sort((a, b) => a - b);
  const figures = [0.5, 0.95, 1].map((share) => quantile(sorted, share)).join(' / ');
  const heldUpMs = Math.max(0, ...delays.map(({ ms }) => ms));
  t.log(`${sorted.length} presses counted once each, ${driven} edges driven, ${tally.void} void`);
  t.log(`this thread was held up for at most ${heldUpMs.toFixed(1)} ms`);
  t.log(`contact to gesture p50 / p95 / max: ${figures} ms`);
});

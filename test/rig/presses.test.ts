import { monitorEventLoopDelay } from 'node:perf_hooks';
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
/** Rounds can be repeated; see `isInSpec`. */
const PRESSES_A_ROUND = 50;
const ROUNDS_VOID_MAX = 10;
const TIMING = { debounceIntervalMs: 30, holdMs: 1_000 };
/** A contact bounces for up to this long (the usual figure for cheap tactile switches is below 10 ms). */
const BOUNCE_MS_MAX = 30;
/** Quiet after the bounce of a press: a press is 25 to 55 ms long, shorter than any thumb's. */
const HELD_MS = 25;
/** Quiet after the bounce of a release: presses follow each other up to eight times a second. */
const PAUSE_MS = 75;
/** A loop that is held up for longer takes the pause between two presses away: the time stamps of sysfs are its own. */
const LOOP_DELAY_MS_MAX = PAUSE_MS - TIMING.debounceIntervalMs;

interface Press {
  /** Index in the steps of the first contact. */
  readonly first: number;
}

interface ContactStep extends LevelStep {
  /** Whether the contact was quiet before. */
  readonly isFirst: boolean;
}

interface Round {
  readonly steps: readonly ContactStep[];
  readonly presses: readonly Press[];
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

/** The edges with which a contact ends at `isHigh`: 1 to 9 of them within 0 to 30 ms. */
function bounce(random: () => number, isHigh: boolean): ContactStep[] {
  const spanMs = random() * BOUNCE_MS_MAX;
  const pairs = Math.floor(random() * 5);
  const times = Array.from({ length: pairs * 2 }, () => random() * spanMs).sort((a, b) => a - b);
  return [0, ...times].map((atMs, index, all) => ({
    afterMs: atMs - (all[index - 1] ?? 0),
    isHigh: index % 2 === 0 ? isHigh : !isHigh,
    isFirst: index === 0,
  }));
}

function round(random: () => number, activeLow: boolean): Round {
  const steps: ContactStep[] = [];
  const presses: Press[] = [];
  const add = (quietMs: number, [first, ...rest]: readonly ContactStep[]): void => {
    if (first !== undefined) steps.push({ ...first, afterMs: quietMs }, ...rest);
  };
  for (let press = 0; press < PRESSES_A_ROUND; press += 1) {
    const first = steps.length;
    add(PAUSE_MS, bounce(random, !activeLow));
    add(HELD_MS, bounce(random, activeLow));
    presses.push({ first });
  }
  return { steps, presses };
}

/**
 * Whether the machine let the hand do what it was told: a hand that was held up within a bounce for the length of the
 * debounce interval has really pressed twice. Such a round says nothing, and is done again.
 */
function isInSpec({ steps }: Round, times: readonly number[]): boolean {
  return steps.every(({ isFirst }, index) => {
    const gapMs = (times[index] ?? NaN) - (times[index - 1] ?? NaN);
    return isFirst || gapMs < TIMING.debounceIntervalMs;
  });
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

const quantile = (sorted: readonly number[], share: number): string =>
  (sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN).toFixed(1);

function checkRound(
  t: ExecutionContext,
  { presses }: Round,
  times: readonly number[],
  gestures: readonly Gesture[],
): readonly number[] {
  const starts = gestures.flatMap((gesture) => (gesture.type === 'press' ? [gesture.at] : []));
  const taps = gestures.filter(({ type }) => type === 'tap').length;
  t.is(taps, presses.length, 'every press is a tap');
  return presses.map(({ first }, index) => {
    const from = times[first] ?? NaN;
    const to = times[presses[index + 1]?.first ?? Infinity] ?? Infinity;
    const own = starts.filter((at) => at >= from && at < to);
    if (own.length !== 1) t.fail(`press ${index} counted ${own.length} times`);
    return (own[0] ?? NaN) - from;
  });
}

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
  const originMs = Number(process.hrtime.bigint()) / 1e6 - clock.monotonicMs();
  const latenciesMs: number[] = [];
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  t.teardown(() => delay.disable());
  let delayMsMax = 0;
  let voidRounds = 0;
  let driven = 0;
  while (latenciesMs.length < PRESSES && voidRounds <= ROUNDS_VOID_MAX) {
    edges.length = 0;
    delay.reset();
    const plan = round(random, spec.activeLow);
    const times = (await rig.play(spec.line, plan.steps)).map((at) => at - originMs);
    await clock.sleep(PAUSE_MS * 2);
    delayMsMax = Math.max(delayMsMax, delay.max / 1e6);
    if (!isInSpec(plan, times) || delay.max / 1e6 > LOOP_DELAY_MS_MAX) {
      voidRounds += 1;
      continue;
    }
    driven += plan.steps.length;
    latenciesMs.push(...checkRound(t, plan, times, gesturesOf(edges)));
  }
  t.is(latenciesMs.length, PRESSES, `${voidRounds} rounds were void: this machine is too busy`);
  const sorted = [...latenciesMs].sort((a, b) => a - b);
  const figures = [0.5, 0.95, 1].map((share) => quantile(sorted, share)).join(' / ');
  t.log(`${driven} edges driven, ${voidRounds} rounds of ${PRESSES_A_ROUND} done again`);
  t.log(`event loop held up for at most ${delayMsMax.toFixed(1)} ms`);
  t.log(`contact to gesture p50 / p95 / max: ${figures} ms`);
});

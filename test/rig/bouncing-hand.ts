import type { LevelStep } from './rig.js';

// A hand on a button whose contact bounces, with every time from a seed.

/** A contact bounces for up to this long, with up to this between two of its edges. */
const BOUNCE_MS_MAX = 30;
export const BOUNCE_GAP_MS_MAX = 10;

export interface ContactStep extends LevelStep {
  /** Whether the contact was quiet before. */
  readonly isFirst: boolean;
}

export interface Round {
  readonly steps: readonly ContactStep[];
  /** Index in the steps of the first contact of each press. */
  readonly presses: readonly number[];
  /** Index in the steps of the first loss of contact at the end of each press. */
  readonly releases: readonly number[];
}

export interface Hand {
  /** Whether the line is low while the button is down. */
  readonly activeLow: boolean;
  readonly presses: number;
  /** Quiet after the bounce of a press. */
  readonly heldMs: number;
  /** Quiet after the bounce of a release. */
  readonly pauseMs: number;
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

/** The levels of as many presses as the hand makes. */
export function round(random: () => number, hand: Hand): Round {
  const steps: ContactStep[] = [];
  const presses: number[] = [];
  const releases: number[] = [];
  const add = (quietMs: number, [first, ...rest]: readonly ContactStep[]): void => {
    if (first !== undefined) steps.push({ ...first, afterMs: quietMs }, ...rest);
  };
  for (let press = 0; press < hand.presses; press += 1) {
    presses.push(steps.length);
    add(hand.pauseMs, bounce(random, !hand.activeLow));
    releases.push(steps.length);
    add(hand.heldMs, bounce(random, hand.activeLow));
  }
  return { steps, presses, releases };
}

/** Whether the hand kept the gaps of its bounces. One that is held up within a bounce has really pressed twice. */
export function isHandFair(
  steps: readonly ContactStep[],
  times: readonly number[],
  lateMsMax: number,
): boolean {
  return steps.every(
    ({ isFirst }, index) =>
      isFirst || (times[index] ?? NaN) - (times[index - 1] ?? NaN) < lateMsMax,
  );
}

export const quantile = (sorted: readonly number[], share: number): number =>
  sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? NaN;

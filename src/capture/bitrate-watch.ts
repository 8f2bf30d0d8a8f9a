import type { MonotonicMs } from '../units.js';

/** Long enough for five GOPs, so that the size of single IDRs does not count. */
export const BITRATE_WINDOW_MS = 5000;
/** Twice of what was asked: buffer and queue have room for half as much again for a while, not for that. */
const FACTOR_MAX = 2;
/**
 * A hundredth of what was asked: a still picture of a bright wall takes more. What is below is a black or frozen picture, or an
 * encoder that lost its settings.
 */
const FACTOR_MIN = 0.01;
/** The first seconds of a run belong to the rate control, which has no past yet. */
const SETTLING_MS = 5000;

/** What an encoder has sent lately. Starts with `beginBitrate`. */
export interface BitrateState {
  /** When the window began; undefined until the run has settled. */
  readonly since: MonotonicMs | undefined;
  readonly settlesAt: number | undefined;
  readonly bytes: number;
  /** Whether the newest window was out of bounds: it is told once until one is within them. */
  readonly isOut: boolean;
}

export const beginBitrate: BitrateState = {
  since: undefined,
  settlesAt: undefined,
  bytes: 0,
  isOut: false,
};

/** Counts an access unit. `told`: kbit/s of a window that is the first one out of bounds. */
export function stepBitrate(
  state: BitrateState,
  unit: { readonly bytes: number; readonly at: MonotonicMs },
  askedKbps: number,
): { readonly state: BitrateState; readonly told: number | undefined } {
  const settlesAt = state.settlesAt ?? unit.at + SETTLING_MS;
  if (unit.at < settlesAt) return { state: { ...state, settlesAt }, told: undefined };
  const since = state.since ?? unit.at;
  const lengthMs = unit.at - since;
  const bytes = state.bytes + unit.bytes;
  if (lengthMs < BITRATE_WINDOW_MS) {
    return { state: { ...state, settlesAt, since, bytes }, told: undefined };
  }
  const kbps = (state.bytes * 8) / lengthMs;
  const isOut = kbps > askedKbps * FACTOR_MAX || kbps < askedKbps * FACTOR_MIN;
  return {
    state: { settlesAt, since: unit.at, bytes: unit.bytes, isOut },
    told: isOut && !state.isOut ? Math.round(kbps) : undefined,
  };
}

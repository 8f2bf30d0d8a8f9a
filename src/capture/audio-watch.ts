import type { MonotonicMs } from '../units.js';

/** A microphone that gives no frame for this long, while there are pictures, is lost: 94 frames. */
const AUDIO_SILENCE_MS = 2000;
/**
 * The most that one picture adds to a silence: three pictures at 15 frames a second. A process that was held up reads
 * its pictures before the frames that have been waiting beside them; that is not a silence of the microphone.
 */
const PICTURE_GAP_MS_MAX = 200;
/**
 * Waits before a lost microphone is tried again. A new try costs the pictures of a new start of the encoder, about
 * 0.4 s, so it is never made while something is being recorded, and less and less often.
 */
const RETRY_DELAYS_MS = [60_000, 300_000] as const;
const SLOW_RETRY_MS = 1_800_000;

/** The microphone as the feed sees it. */
export interface AudioWatchState {
  /** False without a microphone: nothing else ever happens then. */
  readonly isWanted: boolean;
  /** Whether the present run has its branch. */
  readonly isInRun: boolean;
  readonly isLost: boolean;
  /** How long there have been pictures and no frame, since the newest frame or the first picture of the run. */
  readonly silentMs: number;
  /** Newest picture of the run. */
  readonly pictureAt: MonotonicMs | undefined;
  /** Losses since there was a frame. */
  readonly losses: number;
  /** When a lost one may be tried again. */
  readonly retryAt: number;
  /** What the branch said when it ended. */
  readonly cause: string | undefined;
}

export const watchAudio = (isWanted: boolean): AudioWatchState => ({
  isWanted,
  isInRun: false,
  isLost: false,
  silentMs: 0,
  pictureAt: undefined,
  losses: 0,
  retryAt: 0,
  cause: undefined,
});

/** A run starts: with the microphone (`isInRun`), unless that is lost and not due yet. */
export const audioRunStarts = (state: AudioWatchState, now: MonotonicMs): AudioWatchState => ({
  ...state,
  isInRun: state.isWanted && (!state.isLost || now >= state.retryAt),
  silentMs: 0,
  pictureAt: undefined,
  cause: undefined,
});

/** A frame has come: whatever was wrong is over. */
export const audioHeard = (state: AudioWatchState): AudioWatchState => ({
  ...state,
  isInRun: true,
  isLost: false,
  silentMs: 0,
  losses: 0,
});

/** The branch has ended; the pictures will show whether the run did too. */
export const audioBranchEnded = (state: AudioWatchState, cause: string): AudioWatchState => ({
  ...state,
  cause: cause === '' ? 'the microphone has ended' : cause,
});

/** The branch failed: no try before the next delay is over. */
export function audioFailed(state: AudioWatchState, now: MonotonicMs): AudioWatchState {
  const delayMs = RETRY_DELAYS_MS[state.losses] ?? SLOW_RETRY_MS;
  const losses = state.losses + 1;
  return { ...state, isInRun: false, isLost: true, losses, retryAt: now + delayMs };
}

/** At a picture: for how long there have been pictures without sound, and whether that is a loss now. */
export function audioAtPicture(
  state: AudioWatchState,
  now: MonotonicMs,
): { readonly state: AudioWatchState; readonly lost?: string } {
  if (!state.isInRun) return { state };
  const passedMs = state.pictureAt === undefined ? 0 : now - state.pictureAt;
  const silentMs = state.silentMs + Math.min(passedMs, PICTURE_GAP_MS_MAX);
  if (silentMs < AUDIO_SILENCE_MS) return { state: { ...state, silentMs, pictureAt: now } };
  const cause = state.cause ?? `no sound for ${AUDIO_SILENCE_MS} ms`;
  return { state: audioFailed(state, now), lost: cause };
}

/** Whether the run should be started anew for the sake of the microphone. */
export const isAudioRetryDue = (state: AudioWatchState, now: MonotonicMs): boolean =>
  state.isWanted && state.isLost && !state.isInRun && now >= state.retryAt;

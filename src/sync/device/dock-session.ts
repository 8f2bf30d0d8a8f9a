import { monotonicMs } from '../../units.js';
import type { MonotonicMs } from '../../units.js';
import { backoffMs } from '../backoff.js';

/** The offer is said again when no receiver has asked for anything for so long: the one retry timer of the device. */
export const OFFER_REPEAT_MS = 10_000;
/** A birth that the broker did not take is said again after this; the publish itself took its own time-out. */
const ANNOUNCE_RETRY_MS = 1_000;

/**
 * `undocked`: nothing to do. `connecting`: no broker yet, or lost. `announcing`: saying who is there.
 * `draining`: handing segments over. `drained`: every sealed segment has its receipt.
 */
export type DockPhase = 'undocked' | 'connecting' | 'announcing' | 'draining' | 'drained';

export interface DockState {
  readonly phase: DockPhase;
  /** When the pending step is tried again; undefined while it is under way or none is needed. */
  readonly retryAt: MonotonicMs | undefined;
  /** Failed connections in a row. */
  readonly failures: number;
  /** When a receiver last asked for something, or an offer went out. */
  readonly heardAt: MonotonicMs;
}

export type DockEvent =
  | { readonly type: 'docked' }
  | { readonly type: 'undocked' }
  | { readonly type: 'connected' }
  /** `random` in [0, 1) for the back-off. */
  | { readonly type: 'connectFailed'; readonly random: number }
  /** The connection is down; it comes back by itself as `connected`. */
  | { readonly type: 'disconnected' }
  | { readonly type: 'announced' }
  | { readonly type: 'announceFailed' }
  /** A receiver has started anew and knows nothing of us. */
  | { readonly type: 'receiverStarted' }
  /** A receiver asked for something or acknowledged something. */
  | { readonly type: 'heard' }
  /** The catalog was looked at and its oldest `segments` offered; 0 = there were none. */
  | { readonly type: 'offered'; readonly segments: number }
  /** A receipt was kept; `open` offered segments still lack theirs. */
  | { readonly type: 'receipted'; readonly open: number }
  | { readonly type: 'ticked' };

/**
 * `connect` and `disconnect` the broker; `announce` = subscribe, then birth; `offer` = look into the catalog and offer
 * what is pending; `tell` = publish the state. Each may be carried out any number of times.
 */
export type DockEffect = 'connect' | 'disconnect' | 'announce' | 'offer' | 'tell';

interface Step {
  readonly state: DockState;
  readonly effects: readonly DockEffect[];
}

export const undocked: DockState = {
  phase: 'undocked',
  retryAt: undefined,
  failures: 0,
  heardAt: monotonicMs(0),
};

const stay = (state: DockState): Step => ({ state, effects: [] });

const after = (at: MonotonicMs, delayMs: number): MonotonicMs => monotonicMs(at + delayMs);

const announce = (state: DockState): Step => ({
  state: { ...state, phase: 'announcing', retryAt: undefined, failures: 0 },
  effects: ['announce'],
});

/**
 * What happens while the camera stands in its dock. Pure. An event that does not fit the phase changes nothing, so a
 * late answer of an earlier step does no harm.
 */
export function stepDock(state: DockState, event: DockEvent, at: MonotonicMs): Step {
  const { phase } = state;
  switch (event.type) {
    case 'docked':
      return phase === 'undocked'
        ? { state: { ...undocked, phase: 'connecting' }, effects: ['connect'] }
        : stay(state);
    case 'undocked':
      return phase === 'undocked' ? stay(state) : { state: undocked, effects: ['disconnect'] };
    case 'connected':
      return phase === 'connecting' ? announce(state) : stay(state);
    case 'connectFailed': {
      if (phase !== 'connecting') return stay(state);
      const failures = state.failures + 1;
      return stay({ ...state, failures, retryAt: after(at, backoffMs(failures, event.random)) });
    }
    case 'disconnected':
      return phase === 'undocked' || phase === 'connecting'
        ? stay(state)
        : stay({ ...state, phase: 'connecting', retryAt: undefined });
    case 'announced':
      return phase === 'announcing'
        ? { state: { ...state, phase: 'draining', heardAt: at }, effects: ['tell', 'offer'] }
        : stay(state);
    case 'announceFailed':
      return phase === 'announcing'
        ? stay({ ...state, retryAt: after(at, ANNOUNCE_RETRY_MS) })
        : stay(state);
    case 'receiverStarted':
      return phase === 'draining' || phase === 'drained' ? announce(state) : stay(state);
    case 'heard':
      return phase === 'draining' ? stay({ ...state, heardAt: at }) : stay(state);
    case 'offered':
      return offered(state, event.segments);
    case 'receipted':
      return phase === 'draining' && event.open === 0
        ? { state: { ...state, heardAt: at }, effects: ['offer'] }
        : stay(state);
    case 'ticked':
      return ticked(state, at);
  }
}

/** The phase follows the catalog; the state is told when it changes. */
function offered(state: DockState, segments: number): Step {
  if (state.phase !== 'draining' && state.phase !== 'drained') return stay(state);
  const phase = segments > 0 ? 'draining' : 'drained';
  return { state: { ...state, phase }, effects: phase === state.phase ? [] : ['tell'] };
}

function ticked(state: DockState, at: MonotonicMs): Step {
  switch (state.phase) {
    case 'undocked':
      return stay(state);
    case 'connecting':
    case 'announcing': {
      if (state.retryAt === undefined || at < state.retryAt) return stay(state);
      const effect = state.phase === 'connecting' ? 'connect' : 'announce';
      return { state: { ...state, retryAt: undefined }, effects: [effect] };
    }
    case 'draining':
    case 'drained':
      // Drained, this finds what was sealed since.
      return at - state.heardAt >= OFFER_REPEAT_MS
        ? { state: { ...state, heardAt: at }, effects: ['offer'] }
        : stay(state);
  }
}

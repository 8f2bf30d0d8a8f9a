import type { MonotonicMs } from '../../units.js';
import type { LeafBitmap } from '../leaf-bitmap.js';

/**
 * Missing leaves the device may send beyond the last one seen: 4 MiB under way, a quarter of a second at 16 MB/s. Well
 * below what brokers queue for a slow subscriber (mosquitto 1,000 messages, RabbitMQ 200).
 */
export const CREDIT_LEAVES = 64;
/** An ack for every quarter of the credit keeps the device from ever waiting for one. */
const ACK_LEAVES = CREDIT_LEAVES / 4;
/** With fewer leaves than that to acknowledge, this much silence is the end of what is under way. */
export const ACK_SILENCE_MS = 200;
/** Nothing for so long: the tail, an ack or the want was lost. */
export const STALL_MS = 2_000;
/** Wants in a row that brought nothing new. At 30 % loss that is one transfer in 170,000; the offer then brings it back. */
export const WANTS_FRUITLESS_MAX = 10;

/**
 * `listing`: the leaf list and the attachments are asked for, no credit yet. `filling`: chunks come in. `complete`: all
 * leaves are stored. `abandoned`: the device answers with nothing useful; its next offer starts again.
 */
export type TransferStage = 'listing' | 'filling' | 'complete' | 'abandoned';

/** One segment on its way in, as the receiver sees it. */
export interface TransferState {
  readonly stage: TransferStage;
  /** Of the newest want; chunks, leaves and attachments of any other are stale. */
  readonly epoch: number;
  /** Leaves stored and verified. */
  readonly have: LeafBitmap;
  /** One past the highest leaf that arrived in this epoch. Delivery keeps the order: a gap below it is lost, not late. */
  readonly seen: number;
  /** One past the last leaf that was missing when the want was sent. */
  readonly end: number;
  /** Chunks since the last ack. */
  readonly unacked: number;
  /** When something last came in or was asked for. */
  readonly progressAt: MonotonicMs;
  readonly wants: number;
  readonly stalls: number;
  /** Wants since something new was stored. */
  readonly fruitless: number;
}

/** What became of a chunk of this epoch. */
export type ChunkOutcome = 'stored' | 'repeated' | 'spoiled';

export type TransferEvent =
  /**
   * Something of this transfer came in that changes nothing by itself: a part of the listing, or a chunk of an older
   * want. On a slow link the chunks of the new want queue behind those of the old one: that is no silence.
   */
  | { readonly type: 'heard' }
  /** Leaf list and attachments are proved; `have` of the leaves are on disk already. */
  | { readonly type: 'listed'; readonly have: LeafBitmap }
  | { readonly type: 'chunkArrived'; readonly index: number; readonly outcome: ChunkOutcome }
  /** The device, the broker or the connection is back: what was under way is lost. */
  | { readonly type: 'resumed' }
  | { readonly type: 'ticked' };

/** `want` and `ack` are built from the state returned beside them. */
export type TransferEffect = 'want' | 'ack';

interface Step {
  readonly state: TransferState;
  readonly effects: readonly TransferEffect[];
}

/** A transfer and its first want. `epoch` is above every epoch that this device was ever sent. */
export const beginTransfer = (have: LeafBitmap, epoch: number, at: MonotonicMs): Step => ({
  state: {
    stage: 'listing',
    epoch,
    have,
    seen: 0,
    end: have.size,
    unacked: 0,
    progressAt: at,
    wants: 1,
    stalls: 0,
    fruitless: 1,
  },
  effects: ['want'],
});

/** One past the last leaf the device may send: `CREDIT_LEAVES` missing ones from `seen` on. 0 without a proved list. */
export function creditEnd({ stage, have, seen }: TransferState): number {
  if (stage !== 'filling') return 0;
  let end = seen;
  for (let left = CREDIT_LEAVES; left > 0 && end < have.size; end += 1) {
    if (!have.has(end)) left -= 1;
  }
  return end;
}

/** The next state of a transfer. Pure. Nothing happens any more once it is complete or abandoned. */
export function stepTransfer(state: TransferState, event: TransferEvent, at: MonotonicMs): Step {
  if (state.stage === 'complete' || state.stage === 'abandoned') return { state, effects: [] };
  switch (event.type) {
    case 'heard':
      return { state: { ...state, progressAt: at }, effects: [] };
    case 'listed':
      return listed(state, event.have, at);
    case 'chunkArrived':
      return chunkArrived(state, event.index, event.outcome, at);
    case 'resumed':
      return wantAgain({ ...state, fruitless: 0 }, at);
    case 'ticked':
      return ticked(state, at);
  }
}

function listed(state: TransferState, have: LeafBitmap, at: MonotonicMs): Step {
  if (have.isFull) return { state: { ...state, have, stage: 'complete' }, effects: [] };
  return wantAgain({ ...state, have, stage: 'filling', fruitless: 0 }, at);
}

function chunkArrived(
  state: TransferState,
  index: number,
  outcome: ChunkOutcome,
  at: MonotonicMs,
): Step {
  const isNew = outcome === 'stored';
  const have = isNew ? state.have.with(index) : state.have;
  const next: TransferState = {
    ...state,
    have,
    seen: Math.max(state.seen, index + 1),
    unacked: state.unacked + 1,
    progressAt: at,
    fruitless: isNew ? 0 : state.fruitless,
  };
  if (have.isFull) return { state: { ...next, stage: 'complete' }, effects: [] };
  // The pass is over and something is still missing: ask for the gaps at once.
  if (next.seen >= state.end) return wantAgain(next, at);
  return next.unacked >= ACK_LEAVES ? acknowledge(next) : { state: next, effects: [] };
}

function ticked(state: TransferState, at: MonotonicMs): Step {
  const silenceMs = at - state.progressAt;
  if (silenceMs >= STALL_MS) return wantAgain({ ...state, stalls: state.stalls + 1 }, at);
  return silenceMs >= ACK_SILENCE_MS && state.unacked > 0
    ? acknowledge(state)
    : { state, effects: [] };
}

const acknowledge = (state: TransferState): Step => ({
  state: { ...state, unacked: 0 },
  effects: ['ack'],
});

function wantAgain(state: TransferState, at: MonotonicMs): Step {
  if (state.fruitless >= WANTS_FRUITLESS_MAX) {
    return { state: { ...state, stage: 'abandoned' }, effects: [] };
  }
  return {
    state: {
      ...state,
      epoch: state.epoch + 1,
      seen: state.have.firstMissing,
      end: state.have.missingEnd,
      unacked: 0,
      progressAt: at,
      wants: state.wants + 1,
      fruitless: state.fruitless + 1,
    },
    effects: ['want'],
  };
}

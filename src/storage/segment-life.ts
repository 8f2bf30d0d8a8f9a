import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import type { LogFact } from './device-log.js';

/** How far a segment is. It only ever goes forward, but that a deletion which has not begun can be taken back. */
export type Stage = 'sealed' | 'offered' | 'receipted' | 'deletable' | 'deleted';

/** Why footage may go: its time after the receipt is over, or the card needs the space. */
export type DeletionCause = 'age' | 'space';

export interface SegmentLife {
  readonly ref: SegmentRef;
  /** Hex SHA-256 of the manifest's payload. */
  readonly digest: string;
  readonly bytes: number;
  readonly stage: Stage;
  /** Hex SHA-256 of the receipt's payload; undefined before there is one. */
  readonly receipt: string | undefined;
}

export type LifeEvent =
  | { readonly type: 'offered' }
  /** A receipt was verified; `receipt` is its digest, `rx` the receiver. */
  | { readonly type: 'receipted'; readonly receipt: string; readonly rx: string }
  /** Policy wants it gone, its receipt was checked again just now, and nobody holds it. */
  | { readonly type: 'allowed'; readonly cause: DeletionCause }
  /** The deletion is taken back while the ciphertext is whole. */
  | { readonly type: 'withdrawn'; readonly why: 'hold' | 'receipt' }
  /** No file of it is left, durably. */
  | { readonly type: 'removed' };

export type LifeEffect =
  /** Enter the fact into the log and the new stage into the catalog, in one transaction, before the next effect. */
  | { readonly type: 'log'; readonly fact: LogFact }
  /** Remove the files; answered by `removed`. */
  | { readonly type: 'remove' };

export interface LifeStep {
  readonly state: SegmentLife;
  readonly effects: readonly LifeEffect[];
}

/**
 * The life of a segment: sealed, offered, receipted, deletable, deleted. Every step has its entry in the log. An event
 * that does not fit, or comes a second time, changes nothing and has no effect: so each of them can be repeated after a
 * crash. Without a receipt there is no way to `deletable`, and without that none to `deleted`.
 */
export function stepLife(state: SegmentLife, event: LifeEvent): LifeStep {
  const seg = formatSegmentRef(state.ref);
  const { digest: man, bytes, receipt, stage } = state;
  switch (event.type) {
    case 'offered':
      if (stage !== 'sealed') return same(state);
      return entered({ ...state, stage: 'offered' }, { type: 'offered', seg, man });
    case 'receipted': {
      // A receiver that knew the segment already may say so before the offer is in the catalog.
      if (stage !== 'sealed' && stage !== 'offered') return same(state);
      const { rx } = event;
      const next = { ...state, stage: 'receipted', receipt: event.receipt } as const;
      return entered(next, { type: 'receipt', seg, man, rx, receipt: event.receipt });
    }
    case 'allowed': {
      if (stage !== 'receipted' || receipt === undefined) return same(state);
      const { cause } = event;
      const fact = { type: 'deletable', seg, man, receipt, cause } as const;
      const { state: next, effects } = entered({ ...state, stage: 'deletable' }, fact);
      return { state: next, effects: [...effects, { type: 'remove' }] };
    }
    case 'withdrawn':
      if (stage !== 'deletable' || receipt === undefined) return same(state);
      return entered(
        { ...state, stage: 'receipted' },
        { type: 'kept', seg, man, receipt, why: event.why },
      );
    case 'removed':
      if (stage !== 'deletable' || receipt === undefined) return same(state);
      return entered({ ...state, stage: 'deleted' }, { type: 'deleted', seg, man, receipt, bytes });
  }
}

const same = (state: SegmentLife): LifeStep => ({ state, effects: [] });

const entered = (state: SegmentLife, fact: LogFact): LifeStep => ({
  state,
  effects: [{ type: 'log', fact }],
});

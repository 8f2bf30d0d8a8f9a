import type { Want } from '../messages.js';
import { parseTopic } from '../topics.js';
import type { OfferBook, OfferedSegment } from './offer-book.js';
import type { PinnedReceiver } from './receipt-check.js';

/**
 * Wants of one receiver that may be lost between two that arrive: at one in two seconds half an hour of them, and after
 * ten seconds without a good one an offer starts the count anew. Without a limit one forged want with the highest epoch
 * would make all wants after it stale.
 */
export const EPOCH_JUMP_MAX = 1_024;

/** Why a want is not answered. */
export type WantFault =
  | 'other-session'
  | 'unknown-receiver'
  | 'unknown-key'
  | 'stale-want'
  | 'epoch-jump'
  | 'foreign-inbox';

export type WantVerdict =
  | { readonly segment: OfferedSegment; readonly fault?: never }
  | { readonly segment?: never; readonly fault: WantFault };

/** What a want is judged by. */
export interface WantContext {
  readonly device: string;
  readonly sid: string;
  readonly receivers: readonly PinnedReceiver[];
  readonly offers: OfferBook;
  /** The newest epoch of each receiver since the newest offer; a receiver that is missing may begin anywhere. */
  readonly epochs: ReadonlyMap<string, number>;
}

/**
 * A want is not signed: whoever may write to `dn/want` can ask for ciphertext. So it must come in the name of a pinned
 * receiver, for a segment on offer in this session, newer than the last one of that receiver but not by more than
 * `EPOCH_JUMP_MAX`, and the chunks must go to that receiver's inbox of this very device, where nothing else listens by the
 * broker's access rules.
 */
export function checkWant(want: Want, context: WantContext): WantVerdict {
  if (want.sid !== context.sid) return { fault: 'other-session' };
  if (!context.receivers.some(({ rx }) => rx === want.rx)) return { fault: 'unknown-receiver' };
  const to = parseTopic(want.to);
  const isItsInbox =
    to?.kind === 'inbox' && to.device === context.device && to.receiver === want.rx;
  if (!isItsInbox) return { fault: 'foreign-inbox' };
  const segment = context.offers.find(want.key);
  if (segment === undefined) return { fault: 'unknown-key' };
  const newest = context.epochs.get(want.rx);
  if (want.epoch <= (newest ?? 0)) return { fault: 'stale-want' };
  if (newest !== undefined && want.epoch > newest + EPOCH_JUMP_MAX) return { fault: 'epoch-jump' };
  return { segment };
}

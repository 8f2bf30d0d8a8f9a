import type { Want } from '../messages.js';
import { parseTopic } from '../topics.js';
import type { OfferBook, OfferedSegment } from './offer-book.js';
import type { PinnedReceiver } from './receipt-check.js';

/** Why a want is not answered. */
export type WantFault =
  'other-session' | 'unknown-receiver' | 'unknown-key' | 'stale-want' | 'foreign-inbox';

export type WantVerdict =
  | { readonly segment: OfferedSegment; readonly fault?: never }
  | { readonly segment?: never; readonly fault: WantFault };

/** What a want is judged by. */
export interface WantContext {
  readonly device: string;
  readonly sid: string;
  readonly receivers: readonly PinnedReceiver[];
  readonly offers: OfferBook;
  /** The newest epoch of each receiver. */
  readonly epochs: ReadonlyMap<string, number>;
}

/**
 * A want is not signed: whoever may write to `dn/want` can ask for ciphertext. So it must come in the name of a pinned
 * receiver, for a segment on offer in this session, newer than the last one of that receiver, and the chunks must go to
 * an inbox of this very device, where nothing else listens by the broker's access rules.
 */
export function checkWant(want: Want, context: WantContext): WantVerdict {
  if (want.sid !== context.sid) return { fault: 'other-session' };
  if (!context.receivers.some(({ rx }) => rx === want.rx)) return { fault: 'unknown-receiver' };
  const to = parseTopic(want.to);
  if (to?.kind !== 'inbox' || to.device !== context.device) return { fault: 'foreign-inbox' };
  const segment = context.offers.find(want.key);
  if (segment === undefined) return { fault: 'unknown-key' };
  if (want.epoch <= (context.epochs.get(want.rx) ?? 0)) return { fault: 'stale-want' };
  return { segment };
}

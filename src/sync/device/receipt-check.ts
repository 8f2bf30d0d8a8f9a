import { hasErrorCode } from '../../errors.js';
import type { Envelope } from '../../evidence/dsse.js';
import { openReceipt } from '../../evidence/receipt.js';
import { parseSegmentRef } from '../../units.js';
import type { OfferBook, OfferedSegment } from './offer-book.js';

/** A receiver whose receipts the device believes. */
export interface PinnedReceiver {
  readonly rx: string;
  /** Raw Ed25519 key of its receipts, 32 bytes. */
  readonly publicKey: Buffer;
}

/** Why a receipt frees nothing. `repeated`: it did before; receivers say a receipt again for every offer of the segment. */
export type ReceiptFault =
  | 'wrong-key'
  | 'malformed'
  | 'other-device'
  | 'repeated'
  | 'not-offered'
  | 'other-manifest'
  | 'other-root';

export type ReceiptVerdict =
  | { readonly segment: OfferedSegment; readonly fault?: never }
  | { readonly segment?: never; readonly fault: ReceiptFault };

/**
 * What a receipt is worth: it counts only when a pinned receiver signed it under its own name, for this device, for a
 * segment on offer, with the digest of its manifest and the root and size of its ciphertext. Never throws for a receipt
 * that came from outside.
 */
export function checkReceipt(
  envelope: Envelope,
  device: string,
  receivers: readonly PinnedReceiver[],
  offers: OfferBook,
): ReceiptVerdict {
  let fault: ReceiptFault = 'wrong-key';
  for (const { rx, publicKey } of receivers) {
    try {
      const receipt = openReceipt(envelope, publicKey);
      if (receipt.rx !== rx) continue;
      if (receipt.device !== device) return { fault: 'other-device' };
      const ref = parseSegmentRef(receipt.seg);
      const segment = ref && offers.findRef(ref);
      if (segment === undefined) {
        return { fault: ref !== undefined && offers.wasClosed(ref) ? 'repeated' : 'not-offered' };
      }
      if (receipt.man !== segment.digest) return { fault: 'other-manifest' };
      const { root, size } = segment.file;
      return receipt.root === root && receipt.size === size ? { segment } : { fault: 'other-root' };
    } catch (error) {
      // Another pinned key may still open it; only a receipt that is none at all is called malformed.
      if (hasErrorCode(error, 'evidence/malformed')) fault = 'malformed';
      else if (!hasErrorCode(error, 'evidence/bad-signature')) throw error;
    }
  }
  return { fault };
}

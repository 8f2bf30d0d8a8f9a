import { randomBytes } from 'node:crypto';
import type { Clock } from '../../clock.js';
import { isCameraError } from '../../errors.js';
import type { Envelope } from '../../evidence/dsse.js';
import { openReceipt, sealReceipt } from '../../evidence/receipt.js';
import type { Signer } from '../../evidence/signer.js';
import { formatSegmentRef } from '../../units.js';
import type { AdmittedSegment } from './admission.js';

const NONCE_BYTES = 16;

/** The receiver's name and the key of its receipts. */
export interface ReceiverKey {
  readonly rx: string;
  readonly signer: Signer;
}

/**
 * The receipt for a segment that `IncomingSegment.seal` has made durable. Never call it before: the device frees the
 * space on it.
 */
export const issueReceipt = (segment: AdmittedSegment, key: ReceiverKey, clock: Clock): Envelope =>
  sealReceipt(
    {
      device: segment.device,
      seg: formatSegmentRef(segment.ref),
      man: segment.digest,
      root: segment.manifest.file.root,
      size: segment.manifest.file.size,
      log: null,
      stores: [{ id: key.rx, kind: 'fs', durable: true }],
      rx: key.rx,
      ts: Math.round(clock.wallTime().ms),
      nonce: randomBytes(NONCE_BYTES).toString('hex'),
    },
    key.signer,
  );

/** True when a stored receipt is by the present key and name; after a change of key the devices would refuse it. */
export function isOwnReceipt(receipt: Envelope, { rx, signer }: ReceiverKey): boolean {
  try {
    return openReceipt(receipt, signer.publicKey).rx === rx;
  } catch (error) {
    if (isCameraError(error)) return false;
    throw error;
  }
}

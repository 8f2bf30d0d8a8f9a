import { isCameraError } from '../errors.js';
import { formatSegmentRef } from '../units.js';
import type { SegmentRef } from '../units.js';
import { decodePayload, parseEnvelopeFile } from './dsse.js';
import type { Envelope } from './dsse.js';
import { parseCanonical } from './jcs.js';
import { MEDIA_TYPES } from './documents.js';
import type { Manifest } from './manifest.js';
import { openReceipt, readReceipt } from './receipt.js';
import type { Receipt } from './receipt.js';
import { keyIdOf } from './public-key.js';
import { findReceiver, listReceiverKeys } from './trust.js';
import type { Trust } from './trust.js';
import type { Problem, ProblemKind } from './verdict.js';
import { kindOf } from './verify-session.js';

/** What a receipt must be about. */
export interface ReceiptClaim {
  readonly ref: SegmentRef;
  /** How problems name the receipt. */
  readonly file: string;
  /** The manifest beside it and its digest; undefined when there is none that counts. */
  readonly manifest: Manifest | undefined;
  readonly digest: string | undefined;
}

/**
 * What a receipt is worth: `good` was signed by a receiver of the trust file for this very segment; of `unchecked` the
 * trust file does not know the receiver, and nothing in it contradicts.
 */
export interface ReceiptResult {
  readonly state: 'good' | 'unchecked' | 'bad';
  readonly problems: readonly Problem[];
}

/** What of a receipt is not of this segment; undefined when it fits. */
function misfit(
  receipt: Receipt,
  { ref, manifest, digest }: ReceiptClaim,
): { what: ProblemKind; message: string } | undefined {
  const seg = formatSegmentRef(ref);
  if (receipt.seg !== seg) {
    return { what: 'wrong-place', message: `is the receipt of segment ${receipt.seg}` };
  }
  if (manifest === undefined) return undefined;
  if (receipt.device !== manifest.device) {
    return { what: 'wrong-place', message: `is the receipt of ${receipt.device}` };
  }
  const { root, size } = manifest.file;
  if (receipt.man === digest && receipt.root === root && receipt.size === size) return undefined;
  return { what: 'contradiction', message: 'vouches for other bytes than the manifest' };
}

/**
 * The key a receipt must be checked with: of the receiver that it names, or of its key id, so that one changed byte cannot
 * make a known receiver look like a stranger. Throws `evidence/malformed` for a body that has not its one form.
 */
function receiverKeyFor(envelope: Envelope, trust: Trust): Buffer | undefined {
  const claim = parseCanonical(decodePayload(envelope));
  const isNamed = typeof claim === 'object' && claim !== null && 'rx' in claim;
  const named = isNamed && typeof claim.rx === 'string' ? findReceiver(trust, claim.rx) : undefined;
  const ids = envelope.signatures.map(({ keyid }) => keyid);
  return named ?? listReceiverKeys(trust).find((key) => ids.includes(keyIdOf(key)));
}

/**
 * Judges `<seq>.receipt`. A receipt says that a receiver held a copy: it adds nothing to what a manifest proves, but one
 * that was changed, forged or moved here is `not-ok` like any other file. Never throws for bad content.
 */
export function verifyReceipt(text: string, claim: ReceiptClaim, trust: Trust): ReceiptResult {
  const fail = (what: ProblemKind, message: string): ReceiptResult => ({
    state: 'bad',
    problems: [{ state: 'not-ok', file: claim.file, what, message: `${claim.file} ${message}` }],
  });
  try {
    const envelope = parseEnvelopeFile(text);
    if (envelope.payloadType !== MEDIA_TYPES.receipt) {
      return fail('malformed', `is a ${envelope.payloadType}`);
    }
    const key = receiverKeyFor(envelope, trust);
    const receipt = key === undefined ? readReceipt(envelope) : openReceipt(envelope, key);
    const wrong = misfit(receipt, claim);
    if (wrong !== undefined) return fail(wrong.what, wrong.message);
    return { state: key === undefined ? 'unchecked' : 'good', problems: [] };
  } catch (error) {
    if (!isCameraError(error)) throw error;
    return fail(kindOf(error), `is not as it was signed: ${error.message}`);
  }
}

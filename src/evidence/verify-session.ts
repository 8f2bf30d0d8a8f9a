import { isCameraError } from '../errors.js';
import { decodePayload, parseEnvelopeFile } from './dsse.js';
import type { Envelope } from './dsse.js';
import { keyIdOf } from './public-key.js';
import { openSessionKey } from './session-key.js';
import { findDevice, listDeviceKeys } from './trust.js';
import type { Trust } from './trust.js';
import { sessionFileOf } from './verdict.js';
import type { Problem, ProblemKind } from './verdict.js';

/** A session key whose certificate holds. */
export interface TrustedSession {
  readonly device: string;
  readonly boot: number;
  readonly key: string;
  readonly publicKey: Buffer;
}

export type SessionResult =
  | { readonly isGood: true; readonly session: TrustedSession }
  | { readonly isGood: false; readonly problem: Problem };

/** The kind of problem an error of the evidence formats is. */
export const kindOf = (error: unknown): ProblemKind =>
  isCameraError(error) && error.code === 'evidence/bad-signature' ? 'bad-signature' : 'malformed';

/** The device a certificate claims to be of, before anything is verified. */
function claimedDevice(envelope: Envelope): string | undefined {
  try {
    const claim: unknown = JSON.parse(decodePayload(envelope).toString('utf8'));
    if (typeof claim !== 'object' || claim === null || !('device' in claim)) return undefined;
    return typeof claim.device === 'string' ? claim.device : undefined;
  } catch {
    return undefined; // Not JSON: the signature or the shape will say so.
  }
}

/**
 * The key a certificate must be checked with. Found by the device it names, by the key id of its signature, or by the
 * device its manifest names, so that one changed byte cannot make a known camera look like a stranger.
 */
function deviceKeyFor(
  envelope: Envelope,
  trust: Trust,
  boot: number,
  expectedDevice: string | undefined,
): Buffer | undefined {
  const claimed = claimedDevice(envelope);
  const keyIds = envelope.signatures.map(({ keyid }) => keyid);
  return (
    (claimed === undefined ? undefined : findDevice(trust, claimed, boot)) ??
    listDeviceKeys(trust).find((key) => keyIds.includes(keyIdOf(key))) ??
    (expectedDevice === undefined ? undefined : findDevice(trust, expectedDevice, boot))
  );
}

/**
 * Checks `<boot>/session.dsse` against the trust file. `expectedDevice` is the device that other documents name.
 * Never throws for bad content.
 */
export function verifySession(
  boot: number,
  text: string | undefined,
  trust: Trust,
  expectedDevice: string | undefined,
): SessionResult {
  const file = sessionFileOf(boot);
  const failed = (state: Problem['state'], what: ProblemKind, message: string): SessionResult => ({
    isGood: false,
    problem: { state, file, what, message: `${file} ${message}` },
  });
  if (text === undefined) {
    return failed('not-feasible', 'missing', 'is missing: without it no signature can be checked');
  }
  try {
    const envelope = parseEnvelopeFile(text);
    const deviceKey = deviceKeyFor(envelope, trust, boot, expectedDevice);
    if (deviceKey === undefined) {
      const device = claimedDevice(envelope) ?? 'a device';
      return failed('not-feasible', 'unknown-device', `is of ${device}, unknown to the trust file`);
    }
    const { certificate, publicKey } = openSessionKey(envelope, deviceKey);
    const { device, key } = certificate;
    if (findDevice(trust, device, boot)?.equals(deviceKey) !== true) {
      return failed('not-ok', 'contradiction', `is about ${device}, signed by another device`);
    }
    if (certificate.boot !== boot) {
      return failed('not-ok', 'wrong-place', `is the certificate of boot ${certificate.boot}`);
    }
    return { isGood: true, session: { device, boot, key, publicKey } };
  } catch (error) {
    if (!isCameraError(error)) throw error;
    return failed('not-ok', kindOf(error), `is not as it was signed: ${error.message}`);
  }
}

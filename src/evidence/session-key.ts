import { z } from 'zod';
import { CameraError } from '../errors.js';
import { MEDIA_TYPES, openAs, readAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import { decodePayload } from './dsse.js';
import type { Envelope } from './dsse.js';
import { count, counter, deviceId, keyId } from './fields.js';
import { keyInForce } from './key-rotation.js';
import type { DeviceKeyChain } from './key-rotation.js';
import { fromSpkiBase64, keyIdOf, toSpkiBase64 } from './public-key.js';
import type { Signer } from './signer.js';

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('session-key'),
  device: deviceId,
  boot: counter,
  /** Key id of the session key. */
  key: keyId,
  /** The session key: base64 SPKI, the middle of a PEM file. */
  spki: z.string().max(80),
  /** Monotonic milliseconds of the boot. */
  issued_mono: count,
});

/** What the device key says about the key that signs everything else during one boot. */
export type SessionKey = z.infer<typeof schema>;

const kind: DocumentKind<SessionKey> = {
  name: 'session certificate',
  type: MEDIA_TYPES.sessionKey,
  schema,
};

export interface SessionKeyFacts {
  readonly device: string;
  readonly boot: number;
  readonly issuedMonoMs: number;
}

/** The certificate of `session`, signed by the device key. */
export const sealSessionKey = (
  facts: SessionKeyFacts,
  session: Signer,
  deviceKey: Signer,
): Envelope =>
  sealAs(
    kind,
    {
      v: 1,
      type: 'session-key',
      device: facts.device,
      boot: facts.boot,
      key: session.keyId,
      spki: toSpkiBase64(session.publicKey),
      issued_mono: facts.issuedMonoMs,
    },
    deviceKey,
  );

/** The certificate and the raw session key in it. */
export interface OpenedSessionKey {
  readonly certificate: SessionKey;
  readonly publicKey: Buffer;
}

/**
 * Verifies with the device key, or with that of its keys that was in force in the boot of the certificate. Throws `evidence/bad-signature` or `evidence/malformed`; the latter also when the key
 * id in the certificate is not that of its key.
 */
export function openSessionKey(
  envelope: Envelope,
  deviceKeys: Buffer | DeviceKeyChain,
): OpenedSessionKey {
  const deviceKey = Buffer.isBuffer(deviceKeys)
    ? deviceKeys
    : keyInForce(deviceKeys, readAs(kind, decodePayload(envelope)).boot);
  const certificate = openAs(kind, envelope, [deviceKey]);
  const publicKey = fromSpkiBase64(certificate.spki);
  if (keyIdOf(publicKey) !== certificate.key) {
    throw new CameraError('evidence/malformed', 'session certificate names another key');
  }
  return { certificate, publicKey };
}

import { CameraError } from '../../errors.js';
import type { DeviceKeyChain } from '../../evidence/key-rotation.js';
import { payloadDigest } from '../../evidence/dsse.js';
import type { Envelope } from '../../evidence/dsse.js';
import { openManifest, readManifest } from '../../evidence/manifest.js';
import type { Manifest } from '../../evidence/manifest.js';
import { openSessionKey } from '../../evidence/session-key.js';
import { formatSegmentRef, sameSegment } from '../../units.js';
import type { SegmentRef } from '../../units.js';
import { SEGMENT_LEAVES_MAX } from '../messages.js';
import type { Offer, OfferItem } from '../messages.js';

/** An offered segment whose signatures hold: device key → session certificate → manifest. */
export interface AdmittedSegment {
  readonly device: string;
  readonly key: number;
  readonly ref: SegmentRef;
  readonly envelope: Envelope;
  readonly manifest: Manifest;
  /** SHA-256 of the manifest's payload, hex. */
  readonly digest: string;
  /** Verified certificates of the boot that recorded the segment and of the boot that sealed it, by boot. */
  readonly certificates: ReadonlyMap<number, Envelope>;
  /** Session key of the boot that recorded it: signs the heads. Undefined when the device has lost its certificate. */
  readonly headsPublicKey: Buffer | undefined;
}

/**
 * Judges one item of an offer before a single byte of it is asked for. Throws `evidence/bad-signature`,
 * `evidence/malformed`, or `sync/refused` when the documents hold but speak of something else than the offer.
 */
export function admit(
  device: string,
  deviceKeys: Buffer | DeviceKeyChain,
  { key, ref, manifest: envelope }: OfferItem,
  offered: Offer['certificates'],
): AdmittedSegment {
  const refuse = (why: string): CameraError =>
    new CameraError('sync/refused', `${device} ${formatSegmentRef(ref)}: ${why}`);
  const certificates = new Map<number, Envelope>();
  const findSession = (boot: number): Buffer | undefined => {
    const certificate = offered.get(boot);
    if (certificate === undefined) return undefined;
    const session = openSessionKey(certificate, deviceKeys);
    if (session.certificate.device !== device || session.certificate.boot !== boot) {
      throw refuse('a certificate is for another device or boot');
    }
    certificates.set(boot, certificate);
    return session.publicKey;
  };
  // Recovery seals what an earlier boot recorded: unverified yet, the manifest only says which key to try.
  const sealedBy = findSession(readManifest(envelope).sealed_by);
  if (sealedBy === undefined) throw refuse('no certificate for the boot that sealed it');
  const manifest = openManifest(envelope, sealedBy);
  if (manifest.device !== device || !sameSegment(manifest, ref)) {
    throw refuse('the manifest is of another segment');
  }
  const { file } = manifest;
  if (file.n > SEGMENT_LEAVES_MAX) throw refuse(`more than ${SEGMENT_LEAVES_MAX} leaves`);
  if (file.head > file.leaf) throw refuse('its head is larger than a leaf');
  return {
    device,
    key,
    ref,
    envelope,
    manifest,
    digest: payloadDigest(envelope),
    headsPublicKey: findSession(ref.boot),
    certificates,
  };
}

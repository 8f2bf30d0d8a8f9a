import { z } from 'zod';
import { CameraError } from '../errors.js';
import { MEDIA_TYPES, openAs, readAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import { addSignature, decodePayload } from './dsse.js';
import type { Envelope } from './dsse.js';
import { counter, deviceId, keyId } from './fields.js';
import { fromSpkiBase64, keyIdOf, toSpkiBase64 } from './public-key.js';
import type { Signer } from './signer.js';

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('key-rotate'),
  device: deviceId,
  /** The first boot that the new key certifies; the old one certifies none from it on. */
  from_boot: counter.min(1),
  old: keyId,
  old_spki: z.string().max(80),
  new: keyId,
  new_spki: z.string().max(80),
});

/** A device key takes the place of another. Signed by both: the old one says who follows, the new one that it is there. */
export type KeyRotation = z.infer<typeof schema>;

const kind: DocumentKind<KeyRotation> = {
  name: 'key rotation',
  type: MEDIA_TYPES.rotation,
  schema,
};

/** A key of a device, and the first boot that it certifies; 0 for the first key. */
export interface DeviceKeyLink {
  readonly publicKey: Buffer;
  readonly fromBoot: number;
}

/** All keys that a device has had, oldest first, `fromBoot` rising. */
export type DeviceKeyChain = readonly DeviceKeyLink[];

/** The key in force in a boot, or the newest. Throws RangeError for an empty chain. */
export function keyInForce(chain: DeviceKeyChain, boot = Infinity): Buffer {
  const link = chain.findLast(({ fromBoot }) => fromBoot <= boot) ?? chain[0];
  if (link === undefined) throw new RangeError('a device without a key');
  return link.publicKey;
}

/** Signs that `fresh` follows `old` from a boot on. */
export const sealRotation = (
  device: string,
  fromBoot: number,
  old: Signer,
  fresh: Signer,
): Envelope =>
  addSignature(
    sealAs(
      kind,
      {
        ...{ v: 1, type: 'key-rotate', device, from_boot: fromBoot },
        ...{ old: old.keyId, old_spki: toSpkiBase64(old.publicKey) },
        ...{ new: fresh.keyId, new_spki: toSpkiBase64(fresh.publicKey) },
      },
      old,
    ),
    fresh,
  );

/** A rotation that nobody vouches for. Throws `evidence/malformed`. */
export const readRotation = (envelope: Envelope): KeyRotation =>
  readAs(kind, decodePayload(envelope));

/**
 * Verifies that both keys signed. Says nothing of whether the old one is the device's. Throws `evidence/malformed`, also for a
 * key that follows itself, and `evidence/bad-signature`.
 */
export function openRotation(envelope: Envelope): KeyRotation & { readonly publicKey: Buffer } {
  const claim = readRotation(envelope);
  const keys = [fromSpkiBase64(claim.old_spki), fromSpkiBase64(claim.new_spki)] as const;
  const ids = keys.map(keyIdOf);
  if (ids[0] !== claim.old || ids[1] !== claim.new || ids[0] === ids[1]) {
    throw new CameraError('evidence/malformed', 'key rotation names other keys than it holds');
  }
  const signedBy = new Set(envelope.signatures.map(({ keyid }) => keyid));
  if (!ids.every((id) => signedBy.has(id))) {
    throw new CameraError('evidence/bad-signature', 'key rotation is not signed by both keys');
  }
  return { ...openAs(kind, envelope, keys), publicKey: keys[1] };
}

/**
 * The keys of a device from the first one trusted through its rotations. Throws `evidence/malformed` or `evidence/bad-signature`
 * when one of them is of another device, does not follow the key before it, or does not come later.
 */
export function chainOf(
  device: string,
  firstKey: Buffer,
  rotations: readonly Envelope[],
): DeviceKeyChain {
  const chain: DeviceKeyLink[] = [{ publicKey: firstKey, fromBoot: 0 }];
  for (const envelope of rotations) {
    const rotation = openRotation(envelope);
    const last = chain.at(-1);
    const follows = last !== undefined && keyIdOf(last.publicKey) === rotation.old;
    if (!follows || rotation.device !== device || rotation.from_boot <= last.fromBoot) {
      const message = `the rotation to ${rotation.new} does not follow the key before it`;
      throw new CameraError('evidence/malformed', message);
    }
    if (!fromSpkiBase64(rotation.old_spki).equals(last.publicKey)) {
      throw new CameraError('evidence/malformed', 'two keys with one key id');
    }
    chain.push({ publicKey: rotation.publicKey, fromBoot: rotation.from_boot });
  }
  return chain;
}

import { z } from 'zod';
import { CameraError } from '../errors.js';
import { formatEnvelope, parseEnvelope } from './dsse.js';
import type { Envelope } from './dsse.js';
import { deviceId } from './fields.js';
import { chainOf, keyInForce, readRotation } from './key-rotation.js';
import type { DeviceKeyChain } from './key-rotation.js';
import { fromSpkiBase64, keyIdOf } from './public-key.js';

/** A fleet is thousands of cameras, not millions. */
const PARTIES_MAX = 100_000;

/** What a fleet key may sign. */
export const FLEET_ROLES = ['command', 'config'] as const;
export type FleetRole = (typeof FLEET_ROLES)[number];

const isSpki = (text: string): boolean => {
  try {
    return fromSpkiBase64(text).length > 0;
  } catch {
    return false;
  }
};
const spki = z.string().max(80).refine(isSpki, 'not an Ed25519 public key in base64 SPKI');

/** A rotation a month for twenty years. */
const ROTATIONS_MAX = 240;
const ROTATION_TEXT_MAX = 2000;

interface DeviceEntry {
  readonly device: string;
  /** The first key that is trusted. */
  readonly spki: string;
  /** How it came from that one to the present one: signed rotations, oldest first, each the text of its envelope. */
  readonly rotations?: readonly string[] | undefined;
}

const chainIn = ({ device: id, spki: first, rotations = [] }: DeviceEntry): DeviceKeyChain =>
  chainOf(
    id,
    fromSpkiBase64(first),
    rotations.map((text) => parseEnvelope(text)),
  );

function hasChain(entry: DeviceEntry): boolean {
  try {
    return chainIn(entry).length > 0;
  } catch {
    return false;
  }
}

const deviceEntry = z
  .strictObject({
    device: deviceId,
    spki,
    rotations: z.array(z.string().max(ROTATION_TEXT_MAX)).max(ROTATIONS_MAX).optional(),
  })
  .refine((entry) => entry.rotations === undefined || hasChain(entry), 'rotations do not follow');

const isUnique = (ids: readonly string[]): boolean => new Set(ids).size === ids.length;

const schema = z.strictObject({
  v: z.literal(1),
  devices: z
    .array(deviceEntry)
    .max(PARTIES_MAX)
    .refine(
      (devices) => isUnique(devices.map((entry) => entry.device)),
      'a device stands there twice',
    ),
  receivers: z
    .array(z.strictObject({ rx: deviceId, spki }))
    .max(PARTIES_MAX)
    .refine(
      (receivers) => isUnique(receivers.map(({ rx }) => rx)),
      'a receiver stands there twice',
    ),
  /** Who may tell cameras what to do. */
  fleet: z
    .array(
      z.strictObject({
        id: deviceId,
        spki,
        roles: z.array(z.enum(FLEET_ROLES)).min(1).refine(isUnique, 'a role stands there twice'),
      }),
    )
    .max(PARTIES_MAX)
    .refine((fleet) => isUnique(fleet.map(({ id }) => id)), 'a fleet key stands there twice')
    .optional(),
});

/**
 * Whose keys a verifier believes: one device key per camera with those that followed it, one receipt key per receiver, and the keys of fleet managers.
 * Not signed: it is the root.
 */
export type Trust = z.infer<typeof schema>;

export const emptyTrust = (): Trust => ({ v: 1, devices: [], receivers: [] });

/** Reads a trust file. Throws `evidence/malformed` when it is anything else, or names a party twice. */
export function parseTrust(text: string): Trust {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new CameraError('evidence/malformed', 'trust file is not JSON', { cause });
  }
  const result = schema.safeParse(value);
  if (!result.success) {
    const [issue] = result.error.issues;
    const path = issue?.path.map(String).join('.') ?? '';
    throw new CameraError(
      'evidence/malformed',
      `trust file: ${path} ${issue?.message ?? ''}`.trim(),
    );
  }
  return result.data;
}

/** Indented: people read and merge trust files. */
export const formatTrust = (trust: Trust): string => `${JSON.stringify(trust, undefined, 2)}\n`;

/** All keys of a device, oldest first, or undefined for a stranger. */
export function findDeviceChain(trust: Trust, device: string): DeviceKeyChain | undefined {
  const entry = trust.devices.find((candidate) => candidate.device === device);
  return entry && chainIn(entry);
}

/** The raw device key in force in a boot, without one the present one, or undefined for a stranger. */
export function findDevice(trust: Trust, device: string, boot?: number): Buffer | undefined {
  const chain = findDeviceChain(trust, device);
  return chain && keyInForce(chain, boot);
}

/** The raw keys that a device has had; none for a stranger. */
export const listKeysOf = (trust: Trust, device: string): Buffer[] =>
  (findDeviceChain(trust, device) ?? []).map(({ publicKey }) => publicKey);

/** The raw keys of all devices, also those that were replaced. */
export const listDeviceKeys = (trust: Trust): Buffer[] =>
  trust.devices.flatMap((entry) => chainIn(entry).map(({ publicKey }) => publicKey));

/** The raw receipt key, or undefined for a stranger. */
export function findReceiver(trust: Trust, rx: string): Buffer | undefined {
  const entry = trust.receivers.find((candidate) => candidate.rx === rx);
  return entry && fromSpkiBase64(entry.spki);
}

/** The raw receipt keys of all receivers. */
export const listReceiverKeys = (trust: Trust): Buffer[] =>
  trust.receivers.map(({ spki: key }) => fromSpkiBase64(key));

/** A copy with this device's key added or replaced, its rotations forgotten. Throws `evidence/malformed` for a bad id or key. */
export const withDevice = (trust: Trust, device: string, key: string): Trust =>
  parseTrust(
    JSON.stringify({
      ...trust,
      devices: [...trust.devices.filter((entry) => entry.device !== device), { device, spki: key }],
    }),
  );

/**
 * A copy in which a device that is trusted already is followed through those of `rotations` that come after its newest key;
 * the same when none does, and for a stranger. Throws `evidence/malformed` or `evidence/bad-signature` when they do not follow.
 */
export function withRotations(trust: Trust, device: string, rotations: readonly Envelope[]): Trust {
  const entry = trust.devices.find((candidate) => candidate.device === device);
  if (entry === undefined) return trust;
  const { rotations: known = [] } = entry;
  const newest = keyIdOf(keyInForce(chainIn(entry)));
  const at = rotations.findIndex((envelope) => readRotation(envelope).old === newest);
  if (at < 0) return trust;
  const more = rotations.slice(at).map((envelope) => formatEnvelope(envelope));
  const followed = { ...entry, rotations: [...known, ...more] };
  chainIn(followed);
  const others = trust.devices.filter((candidate) => candidate.device !== device);
  return parseTrust(JSON.stringify({ ...trust, devices: [...others, followed] }));
}

/** A copy with this receiver's key added or replaced. Throws `evidence/malformed` for a bad id or key. */
export const withReceiver = (trust: Trust, rx: string, key: string): Trust =>
  parseTrust(
    JSON.stringify({
      ...trust,
      receivers: [...trust.receivers.filter((entry) => entry.rx !== rx), { rx, spki: key }],
    }),
  );

/** A fleet key: who, its raw key, and what it may sign. */
export interface FleetKey {
  readonly id: string;
  readonly publicKey: Buffer;
  readonly roles: readonly FleetRole[];
}

/** The fleet key of that name, or undefined for a stranger. */
export function findFleetKey(trust: Trust, id: string): FleetKey | undefined {
  const entry = trust.fleet?.find((candidate) => candidate.id === id);
  return entry && { id, publicKey: fromSpkiBase64(entry.spki), roles: entry.roles };
}

/** A copy with this fleet key added or replaced. Throws `evidence/malformed` for a bad id, key or role. */
export const withFleetKey = (
  trust: Trust,
  id: string,
  key: string,
  roles: readonly string[],
): Trust =>
  parseTrust(
    JSON.stringify({
      ...trust,
      fleet: [...(trust.fleet ?? []).filter((entry) => entry.id !== id), { id, spki: key, roles }],
    }),
  );

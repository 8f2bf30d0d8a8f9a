import { z } from 'zod';
import { CameraError } from '../errors.js';
import { deviceId } from './fields.js';
import { fromSpkiBase64 } from './public-key.js';

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

const isUnique = (ids: readonly string[]): boolean => new Set(ids).size === ids.length;

const schema = z.strictObject({
  v: z.literal(1),
  devices: z
    .array(z.strictObject({ device: deviceId, spki }))
    .max(PARTIES_MAX)
    .refine(
      (devices) => isUnique(devices.map(({ device }) => device)),
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
 * Whose keys a verifier believes: one device key per camera, one receipt key per receiver, and the keys of fleet managers.
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

/** The raw device key, or undefined for a stranger. */
export function findDevice(trust: Trust, device: string): Buffer | undefined {
  const entry = trust.devices.find((candidate) => candidate.device === device);
  return entry && fromSpkiBase64(entry.spki);
}

/** The raw keys of all devices. */
export const listDeviceKeys = (trust: Trust): Buffer[] =>
  trust.devices.map(({ spki: key }) => fromSpkiBase64(key));

/** The raw receipt key, or undefined for a stranger. */
export function findReceiver(trust: Trust, rx: string): Buffer | undefined {
  const entry = trust.receivers.find((candidate) => candidate.rx === rx);
  return entry && fromSpkiBase64(entry.spki);
}

/** A copy with this device's key added or replaced. Throws `evidence/malformed` for a bad id or key. */
export const withDevice = (trust: Trust, device: string, key: string): Trust =>
  parseTrust(
    JSON.stringify({
      ...trust,
      devices: [...trust.devices.filter((entry) => entry.device !== device), { device, spki: key }],
    }),
  );

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

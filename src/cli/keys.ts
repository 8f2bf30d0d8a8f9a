import path from 'node:path';
import { parseConfig } from '../config/config.js';
import type { Config } from '../config/config.js';
import { originOf } from '../evidence/checkpoint.js';
import type { Envelope } from '../evidence/dsse.js';
import { readRotation } from '../evidence/key-rotation.js';
import { formatNoteKey } from '../evidence/signed-note.js';
import type { Signer } from '../evidence/signer.js';
import { keyIdOf, toSpkiBase64 } from '../evidence/public-key.js';
import { generateIdentity, parseRecipient } from '../evidence/age-recipients.js';
import {
  FLEET_ROLES,
  emptyTrust,
  findDevice,
  formatTrust,
  parseTrust,
  withDevice,
  withFleetKey,
  withReceiver,
  withRotations,
} from '../evidence/trust.js';
import type { Trust } from '../evidence/trust.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openMachine } from '../hal/machine.js';
import { DeviceKeys } from '../storage/device-keys.js';
import { KeyFile, spkiOf } from '../storage/keys.js';
import { ID_PATTERN } from '../units.js';
import { readConfigFile, writeConfigFile } from './config-file.js';
import { findText, getText, getTexts } from './options.js';
import type { Options } from './options.js';
import { printJson, say } from './output.js';
import type { Output } from './output.js';
import { dataPaths, receiverIdPath, receiverKeyPath } from './paths.js';

/** A trust file of the largest fleet a verifier takes: 100,000 entries of about 130 bytes, and room. */
const TRUST_BYTES_MAX = 32 * 1024 * 1024;
const RECEIVER_ID_BYTES_MAX = 128;

/** What the camera and its keys are called, for people and for the next command. */
export interface CameraIdentity {
  readonly device: string;
  readonly spki: string;
  readonly recipients: readonly string[];
  /** Path of the age identity, when this command made one. */
  readonly identity: string | undefined;
}

/** Makes the keys of a camera and its first configuration. Throws `keys/exists`; nothing is replaced. */
export async function initCamera(
  fs: FileSystem,
  options: { data: string; device: string; recipients: readonly string[]; identity?: string },
): Promise<CameraIdentity> {
  checkId(options.device, '--device');
  const paths = dataPaths(options.data);
  const key = new KeyFile(fs, paths.deviceKey);
  if (await fs.exists(paths.deviceKey)) {
    throw new CameraError('keys/exists', `there is a key in ${paths.deviceKey}`);
  }
  await fs.makeDirectory(path.dirname(paths.config));
  const { recipients, identity } = await readers(fs, paths.root, options);
  const config = { deviceId: options.device, recipients, receivers: [] };
  parseConfig(config);
  const signer = await key.make();
  await writeConfigFile(fs, paths.config, config);
  return { device: options.device, spki: spkiOf(signer), recipients, identity };
}

/** Who can read: those given, or a new identity for a desk on which nobody else exists yet. */
async function readers(
  fs: FileSystem,
  data: string,
  options: { recipients: readonly string[]; identity?: string },
): Promise<{ recipients: readonly string[]; identity: string | undefined }> {
  if (options.recipients.length > 0) {
    for (const text of options.recipients) parseRecipient(text);
    return { recipients: options.recipients, identity: undefined };
  }
  const file = path.resolve(options.identity ?? path.join(data, 'operator', 'identity.txt'));
  if (await fs.exists(file)) throw new CameraError('keys/exists', `there is a file ${file}`);
  const { identity, recipient } = generateIdentity();
  await fs.makeDirectory(path.dirname(file));
  const made = await fs.create(file);
  await made.append([Buffer.from(`# public key: ${recipient}\n${identity}\n`)]);
  await made.sync();
  await made.close();
  return { recipients: [recipient], identity: file };
}

/**
 * A trust file that knows this camera: its key in force and the way there. Whoever trusted one of its earlier keys follows
 * the rotations from that one on; everybody else trusts it from its first key on.
 */
export function withCamera(
  trust: Trust,
  device: string,
  key: Pick<Signer, 'publicKey'>,
  rotations: readonly Envelope[],
): Trust {
  const spki = toSpkiBase64(key.publicKey);
  const known = findDevice(trust, device);
  const chain = rotations.map((envelope) => readRotation(envelope));
  const ids = [...chain.map(({ old }) => old), keyIdOf(key.publicKey)];
  const isFollowed = known !== undefined && ids.includes(keyIdOf(known));
  const base = isFollowed ? trust : withDevice(trust, device, chain[0]?.old_spki ?? spki);
  return withRotations(base, device, rotations);
}

/** Makes the signing key of a receiver in its store and returns its public key. Throws `keys/exists`. */
export async function initReceiver(fs: FileSystem, store: string, rx: string): Promise<string> {
  checkId(rx, '--receiver');
  const signer = await new KeyFile(fs, receiverKeyPath(store)).make();
  await fs.writeAtomic(receiverIdPath(store), Buffer.from(`${rx}\n`));
  return spkiOf(signer);
}

/** Id and public key of the receiver that a store belongs to. Throws `keys/missing`. */
export async function readReceiver(
  fs: FileSystem,
  store: string,
): Promise<{ rx: string; spki: string }> {
  const signer = await new KeyFile(fs, receiverKeyPath(store)).load();
  const rx = (await fs.readFile(receiverIdPath(store), RECEIVER_ID_BYTES_MAX))
    .toString('utf8')
    .trim();
  return { rx, spki: spkiOf(signer) };
}

/** Reads a trust file; an absent one is empty when `isOptional`. Throws `storage/not-found`, `evidence/malformed`. */
export async function readTrust(
  fs: FileSystem,
  file: string,
  options: { isOptional?: boolean } = {},
): Promise<Trust> {
  if (options.isOptional === true && !(await fs.exists(file))) return emptyTrust();
  return parseTrust((await fs.readFile(file, TRUST_BYTES_MAX)).toString('utf8'));
}

/** Readable for everybody: there is no secret in it. Durable when it resolves. */
export async function writeTrust(fs: FileSystem, file: string, trust: Trust): Promise<void> {
  await fs.makeDirectory(path.dirname(path.resolve(file)));
  await fs.writeAtomic(file, Buffer.from(formatTrust(trust)), 0o644);
}

/** Makes the signing key of a fleet manager in a file of its own and returns its public key. Throws `keys/exists`. */
export async function initFleet(fs: FileSystem, file: string, fleet: string): Promise<string> {
  checkId(fleet, '--fleet');
  return spkiOf(await new KeyFile(fs, file).make());
}

/** A fleet manager, the key file, and what the key may sign. */
export interface FleetEnrolment {
  readonly id: string;
  readonly key: string;
  readonly roles: readonly string[];
}

export interface Enrolment {
  readonly data: string;
  readonly trust: string;
  readonly store?: string;
  readonly fleet?: FleetEnrolment;
  /** Cameras of the trust file. */
  readonly peers?: readonly string[];
}

/**
 * Adds the camera to the trust file. With a store or a fleet key, those to the trust file and to the camera's
 * configuration; with peers, their keys from the trust file to the configuration.
 */
export async function enrolCamera(
  fs: FileSystem,
  options: Enrolment,
): Promise<{ device: string; rx: string | undefined; config: Config }> {
  const paths = dataPaths(options.data);
  const { signer, rotations } = await new DeviceKeys(fs, paths.deviceKey).load();
  signer.destroy();
  let config = await readConfigFile(fs, paths.config);
  let trust = await readTrust(fs, options.trust, { isOptional: true });
  trust = withCamera(trust, config.deviceId, signer, rotations);
  const receiver = options.store === undefined ? undefined : await readReceiver(fs, options.store);
  if (receiver !== undefined) {
    trust = withReceiver(trust, receiver.rx, receiver.spki);
    const others = config.receivers.filter(({ rx }) => rx !== receiver.rx);
    config = parseConfig({ ...config, receivers: [...others, receiver] });
  }
  if (options.fleet !== undefined) {
    ({ trust, config } = await withFleet(fs, trust, config, options.fleet));
  }
  config = withPeers(trust, config, options.peers ?? []);
  await writeConfigFile(fs, paths.config, config);
  await writeTrust(fs, options.trust, trust);
  return { device: config.deviceId, rx: receiver?.rx, config };
}

async function withFleet(
  fs: FileSystem,
  trust: Trust,
  config: Config,
  { id, key, roles }: FleetEnrolment,
): Promise<{ trust: Trust; config: Config }> {
  checkId(id, '--fleet');
  const wrong = roles.find((role) => !FLEET_ROLES.some((known) => known === role));
  if (wrong !== undefined) {
    throw new CameraError('cli/usage', `--role ${wrong} is none of ${FLEET_ROLES.join(', ')}`);
  }
  const spki = spkiOf(await new KeyFile(fs, key).load());
  const others = config.fleet.filter((entry) => entry.id !== id);
  return {
    trust: withFleetKey(trust, id, spki, roles),
    config: parseConfig({ ...config, fleet: [...others, { id, spki, roles }] }),
  };
}

function withPeers(trust: Trust, config: Config, names: readonly string[]): Config {
  if (names.length === 0) return config;
  const added = names.map((device) => {
    const key = findDevice(trust, device);
    if (key !== undefined && device !== config.deviceId) {
      return { device, spki: toSpkiBase64(key) };
    }
    const fault = key === undefined ? 'is not in the trust file' : 'is this camera';
    throw new CameraError('cli/usage', `--peer ${device} ${fault}`);
  });
  const others = config.peers.filter(({ device }) => !names.includes(device));
  return parseConfig({ ...config, peers: [...others, ...added] });
}

function checkId(id: string, option: string): void {
  if (ID_PATTERN.test(id)) return;
  const rule = 'is not 1 to 64 letters, digits and hyphens, not a hyphen first';
  throw new CameraError('cli/usage', `${option} ${JSON.stringify(id)} ${rule}`);
}

export async function init(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs } = openMachine();
  const rx = findText(options, 'receiver');
  if (rx !== undefined) {
    const store = getText(options, 'store');
    const spki = await initReceiver(fs, store, rx);
    if (output.isJson) printJson(output, { ok: true, rx, spki, key: receiverKeyPath(store) });
    say(output, `receiver ${rx}: ${spki}`);
    say(output, `its private key is ${receiverKeyPath(store)}; keep it on this machine`);
    return 0;
  }
  const fleet = findText(options, 'fleet');
  if (fleet !== undefined) {
    const key = getText(options, 'key');
    const spki = await initFleet(fs, key, fleet);
    if (output.isJson) printJson(output, { ok: true, fleet, spki, key });
    say(output, `fleet manager ${fleet}: ${spki}`);
    say(output, `its private key is ${key}; whoever has it can do what its roles allow`);
    return 0;
  }
  const data = getText(options, 'data');
  const identity = findText(options, 'identity');
  const made = await initCamera(fs, {
    data,
    device: getText(options, 'device'),
    recipients: getTexts(options, 'recipient'),
    ...(identity === undefined ? {} : { identity }),
  });
  if (output.isJson) printJson(output, { ok: true, ...made, config: dataPaths(data).config });
  say(output, `camera ${made.device}: ${made.spki}`);
  say(output, `configuration: ${dataPaths(data).config}`);
  if (made.identity !== undefined) {
    say(output, `whoever has ${made.identity} can read the footage: move it off the camera`);
  }
  return 0;
}

export async function show(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs } = openMachine();
  const store = findText(options, 'store');
  if (store !== undefined) {
    const receiver = await readReceiver(fs, store);
    if (output.isJson) printJson(output, { ok: true, ...receiver });
    say(output, `receiver ${receiver.rx}: ${receiver.spki}`);
    return 0;
  }
  const paths = dataPaths(getText(options, 'data'));
  const { signer, rotations } = await new DeviceKeys(fs, paths.deviceKey).load();
  signer.destroy();
  const { deviceId, recipients, receivers, fleet, peers } = await readConfigFile(fs, paths.config);
  const noteKey = formatNoteKey({ name: originOf(deviceId), publicKey: signer.publicKey });
  const before = rotations.map((envelope) => {
    const { old, from_boot } = readRotation(envelope);
    return { keyId: old, untilBoot: from_boot };
  });
  const shown = { device: deviceId, spki: spkiOf(signer), keyId: signer.keyId, noteKey, before };
  if (output.isJson) {
    printJson(output, { ok: true, ...shown, recipients, receivers, fleet, peers });
  }
  say(output, `camera ${shown.device}: ${shown.spki} (key id ${shown.keyId})`);
  for (const recipient of recipients) say(output, `footage is readable for ${recipient}`);
  for (const { rx, spki } of receivers) say(output, `receipts are believed from ${rx}: ${spki}`);
  for (const { id, spki, roles } of fleet) {
    say(output, `fleet manager ${id} (${roles.join(', ')}): ${spki}`);
  }
  for (const peer of peers) say(output, `other camera ${peer.device}: ${peer.spki}`);
  say(output, `its log is signed by ${noteKey}`);
  for (const { keyId, untilBoot } of before) {
    say(output, `before boot ${untilBoot} its key was ${keyId}`);
  }
  return 0;
}

export async function enrol(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const store = findText(options, 'store');
  const trust = getText(options, 'trust');
  const fleet = findText(options, 'fleet');
  const peers = getTexts(options, 'peer');
  const roles = getTexts(options, 'role');
  const { device, rx } = await enrolCamera(openMachine().fs, {
    data: getText(options, 'data'),
    trust,
    peers,
    ...(store === undefined ? {} : { store }),
    ...(fleet === undefined
      ? {}
      : {
          fleet: {
            id: fleet,
            key: getText(options, 'key'),
            roles: roles.length === 0 ? ['command'] : roles,
          },
        }),
  });
  if (output.isJson) {
    const more = { ...(fleet === undefined ? {} : { fleet }), ...(peers.length > 0 && { peers }) };
    printJson(output, { ok: true, device, rx: rx ?? null, ...more, trust });
  }
  say(output, `camera ${device} is in ${trust}`);
  if (fleet !== undefined) say(output, `camera ${device} knows the fleet manager ${fleet}`);
  for (const peer of peers) say(output, `camera ${device} knows the camera ${peer}`);
  if (rx !== undefined) say(output, `camera ${device} believes receipts of ${rx}`);
  return 0;
}

export async function rotate(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs, clock } = openMachine();
  const trust = findText(options, 'trust');
  // Loaded here: it needs this file, which has to be whole by then.
  const { rotateKeys } = await import('./key-rotation.js');
  const rotated = await rotateKeys(fs, clock, {
    data: getText(options, 'data'),
    ...(trust === undefined ? {} : { trust }),
  });
  const { device, old, keyId, fromBoot } = rotated;
  if (output.isJson) printJson(output, { ok: true, ...rotated, trust: trust ?? null });
  say(output, `camera ${device} has the key ${keyId} from boot ${fromBoot} on, before it ${old}`);
  if (trust !== undefined) say(output, `${trust} follows it`);
  say(output, 'receivers and verifiers need the new trust file before the camera docks again');
  return 0;
}

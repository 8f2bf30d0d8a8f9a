import path from 'node:path';
import { parseConfig } from '../config/config.js';
import type { Config } from '../config/config.js';
import { generateIdentity, parseRecipient } from '../evidence/age-recipients.js';
import {
  emptyTrust,
  formatTrust,
  parseTrust,
  withDevice,
  withReceiver,
} from '../evidence/trust.js';
import type { Trust } from '../evidence/trust.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openMachine } from '../hal/machine.js';
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

/** Adds the camera to the trust file and, with a store, its receiver to the trust file and the camera's configuration. */
export async function enrolCamera(
  fs: FileSystem,
  options: { data: string; trust: string; store?: string },
): Promise<{ device: string; rx: string | undefined; config: Config }> {
  const paths = dataPaths(options.data);
  const signer = await new KeyFile(fs, paths.deviceKey).load();
  let config = await readConfigFile(fs, paths.config);
  let trust = await readTrust(fs, options.trust, { isOptional: true });
  trust = withDevice(trust, config.deviceId, spkiOf(signer));
  const receiver = options.store === undefined ? undefined : await readReceiver(fs, options.store);
  if (receiver !== undefined) {
    trust = withReceiver(trust, receiver.rx, receiver.spki);
    const others = config.receivers.filter(({ rx }) => rx !== receiver.rx);
    config = parseConfig({ ...config, receivers: [...others, receiver] });
    await writeConfigFile(fs, paths.config, config);
  }
  await fs.makeDirectory(path.dirname(path.resolve(options.trust)));
  await fs.writeAtomic(options.trust, Buffer.from(formatTrust(trust)), 0o644);
  return { device: config.deviceId, rx: receiver?.rx, config };
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
  const signer = await new KeyFile(fs, paths.deviceKey).load();
  const { deviceId, recipients, receivers } = await readConfigFile(fs, paths.config);
  const shown = { device: deviceId, spki: spkiOf(signer), keyId: signer.keyId };
  if (output.isJson) printJson(output, { ok: true, ...shown, recipients, receivers });
  say(output, `camera ${shown.device}: ${shown.spki} (key id ${shown.keyId})`);
  for (const recipient of recipients) say(output, `footage is readable for ${recipient}`);
  for (const { rx, spki } of receivers) say(output, `receipts are believed from ${rx}: ${spki}`);
  return 0;
}

export async function enrol(
  _args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const store = findText(options, 'store');
  const trust = getText(options, 'trust');
  const { device, rx } = await enrolCamera(openMachine().fs, {
    data: getText(options, 'data'),
    trust,
    ...(store === undefined ? {} : { store }),
  });
  if (output.isJson) printJson(output, { ok: true, device, rx: rx ?? null, trust });
  say(output, `camera ${device} is in ${trust}`);
  if (rx !== undefined) say(output, `camera ${device} believes receipts of ${rx}`);
  return 0;
}

import {
  generateIdentity,
  parseRecipient,
  recipientOf,
} from '../../src/evidence/age-recipients.js';
import { sealSessionKey } from '../../src/evidence/session-key.js';
import { formatEnvelopeFile } from '../../src/evidence/dsse.js';
import type { Signer } from '../../src/evidence/signer.js';
import type { FileSystem } from '../../src/hal/ports/file-system.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { SimFileSystem } from '../../src/hal/sim/sim-file-system.js';
import type { Logger } from '../../src/log.js';
import type { BootContext } from '../../src/storage/boot.js';
import { Catalog } from '../../src/storage/catalog.js';
import { openDatabase } from '../../src/storage/database.js';
import type { Database } from '../../src/storage/database.js';
import { DeviceLog } from '../../src/storage/device-log.js';
import { CardLayout } from '../../src/storage/layout.js';
import { fastSigner } from './fast-signer.js';

export const silent: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
  child: () => silent,
};

export const DEVICE = 'cam-1';
export const CONFIG_DIGEST = 'c0'.repeat(32);
export const FIRMWARE_DIGEST = 'f0'.repeat(32);

/** What outlives a boot: the camera's key, and who can read its footage. */
export interface DeviceFixture {
  readonly deviceKey: Signer;
  readonly identity: string;
}

export const newDevice = (): DeviceFixture => ({
  deviceKey: fastSigner(),
  identity: generateIdentity().identity,
});

export interface BootFixture {
  readonly ctx: BootContext;
  readonly clock: SimClock;
  readonly db: Database;
  readonly catalog: Catalog;
  readonly entries: DeviceLog;
}

export interface BootOptions {
  readonly device: DeviceFixture;
  readonly fs?: FileSystem;
  /** In memory by default. */
  readonly db?: Database;
  /** 1 by default. */
  readonly boot?: number;
  readonly card?: string;
  /** A new session key by default. */
  readonly signer?: Signer;
}

/** A boot with its certificate on the card, everything but the card itself. */
export async function startBoot(options: BootOptions): Promise<BootFixture> {
  const { device, fs = new SimFileSystem(), db = openDatabase(':memory:'), boot = 1 } = options;
  const { signer = fastSigner() } = options;
  const clock = new SimClock(1000);
  const layout = new CardLayout(options.card ?? '/card');
  const identity = {
    device: DEVICE,
    boot,
    signer,
    recipients: [parseRecipient(recipientOf(device.identity))],
    configDigest: CONFIG_DIGEST,
    firmwareDigest: FIRMWARE_DIGEST,
  };
  const facts = { device: DEVICE, boot, issuedMonoMs: 1000 };
  const certificate = formatEnvelopeFile(sealSessionKey(facts, signer, device.deviceKey));
  await fs.makeDirectory(layout.boot(boot));
  await fs.writeAtomic(layout.sessionCertificate(boot), Buffer.from(certificate));
  const ctx: BootContext = { identity, fs, layout, clock, log: silent };
  const catalog = new Catalog(db);
  return { ctx, clock, db, catalog, entries: new DeviceLog(db, identity, clock) };
}

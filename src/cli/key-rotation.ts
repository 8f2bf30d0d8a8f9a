import { hasErrorCode, CameraError } from '../errors.js';
import type { Clock } from '../clock.js';
import type { Signer } from '../evidence/signer.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { BootMemory, highestBootOn } from '../storage/boot-number.js';
import { CheckpointBook } from '../storage/checkpoint-book.js';
import { openDatabase } from '../storage/database.js';
import { DeviceKeys } from '../storage/device-keys.js';
import { logHead } from '../storage/device-log.js';
import { CardLayout } from '../storage/layout.js';
import { readConfigFile } from './config-file.js';
import { sendControl } from './control-client.js';
import { readTrust, withCamera, writeTrust } from './keys.js';
import { dataPaths } from './paths.js';

export interface RotatedKeys {
  readonly device: string;
  readonly old: string;
  readonly keyId: string;
  /** The first boot that the new key certifies. */
  readonly fromBoot: number;
  /** The head of the log that both keys signed; null when there is no card, or nothing on it. */
  readonly checkpoint: string | null;
}

/**
 * Gives a camera that does not run a new device key, signed by the old one, which signs nothing more. Both sign the head of
 * the log that is on the card; the camera enters the rotation when it starts next. With a trust file that one follows.
 * Rejects with `cli/already-running`, `keys/missing`, and the errors of the file system and of the database.
 */
export async function rotateKeys(
  fs: FileSystem,
  clock: Clock,
  options: { data: string; trust?: string },
): Promise<RotatedKeys> {
  const paths = dataPaths(options.data);
  const { deviceId: device } = await readConfigFile(fs, paths.config);
  const trust =
    options.trust === undefined
      ? undefined
      : await readTrust(fs, options.trust, { isOptional: true });
  await requireStopped(paths.control, clock);
  const layout = new CardLayout(paths.card);
  const remembered = (await new BootMemory(fs, paths.bootFile).recall()) ?? 0;
  const fromBoot = Math.max(remembered, await highestBootOn(fs, layout)) + 1;
  const hasLog = await fs.exists(layout.database);
  let checkpoint: string | null = null;
  const rotated = await new DeviceKeys(fs, paths.deviceKey).rotate(device, fromBoot, (...both) => {
    if (hasLog) checkpoint = signByBoth(layout.database, device, both);
  });
  rotated.signer.destroy();
  if (trust !== undefined && options.trust !== undefined) {
    const followed = withCamera(trust, device, rotated.signer, rotated.rotations);
    await writeTrust(fs, options.trust, followed);
  }
  return { device, old: rotated.oldKeyId, keyId: rotated.signer.keyId, fromBoot, checkpoint };
}

/** A running camera has the old key in memory and would certify with it. */
async function requireStopped(control: string, clock: Clock): Promise<void> {
  try {
    await sendControl(control, { verb: 'status', words: [] }, clock);
  } catch (error) {
    if (hasErrorCode(error, 'cli/not-running')) return;
    throw error;
  }
  throw new CameraError('cli/already-running', 'the camera runs with the key that shall go');
}

function signByBoth(
  database: string,
  device: string,
  keys: readonly [Signer, Signer],
): string | null {
  const db = openDatabase(database);
  try {
    const head = logHead(db);
    return head.size === 0 ? null : new CheckpointBook(db, device, () => head).make(keys);
  } finally {
    db.close();
  }
}

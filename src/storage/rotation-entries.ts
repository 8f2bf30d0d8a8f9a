import { formatEnvelope, parseEnvelope } from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { readEntry } from '../evidence/log-entry.js';
import { readRotation } from '../evidence/key-rotation.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { Database } from './database.js';
import { formatRotations, readRotations } from './device-keys.js';
import type { DeviceLog } from './device-log.js';
import type { CardLayout } from './layout.js';

/**
 * Enters the rotations of the device key that the log does not tell of yet, and puts all of them on the card, for whoever
 * trusts an older key. Rejects with the errors of both.
 */
export async function enterRotations(
  fs: FileSystem,
  layout: CardLayout,
  db: Database,
  log: DeviceLog,
  rotations: readonly Envelope[],
): Promise<void> {
  if (rotations.length === 0) return;
  const told = toldIn(db);
  for (const envelope of rotations) {
    const doc = formatEnvelope(envelope);
    if (told.has(doc)) continue;
    const rotation = readRotation(envelope);
    const { old, from_boot } = rotation;
    await log.append({ type: 'key-rotate', old, new: rotation.new, from_boot, doc });
  }
  const onCard = await readRotations(fs, layout.rotations).catch(() => []);
  if (onCard.length === rotations.length) return;
  await fs.writeAtomic(layout.rotations, Buffer.from(formatRotations(rotations)));
}

/** The rotations that the log tells of, each as the text of its envelope. */
function toldIn(db: Database): ReadonlySet<string> {
  const rows = db.all("SELECT envelope FROM entries WHERE type = 'key-rotate' ORDER BY id");
  return new Set(
    rows.flatMap((row) => {
      const entry = readEntry(parseEnvelope(String(row['envelope'])));
      return entry.type === 'key-rotate' ? [entry.doc] : [];
    }),
  );
}

import { cp, rm } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { parseRecipient, recipientOf } from '../../src/evidence/age-recipients.js';
import { parseCheckpoint } from '../../src/evidence/checkpoint.js';
import { readEntry } from '../../src/evidence/log-entry.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { openCard } from '../../src/storage/card.js';
import { readCheckpoint } from '../../src/storage/checkpoint-book.js';
import { openDatabase } from '../../src/storage/database.js';
import { readEntries } from '../../src/storage/device-log.js';
import { DEVICE, newDevice, silent } from '../support/boot-fixture.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const DIGEST = 'ab'.repeat(32);

test('a card that was put back to an older state is told in its log, with what the camera had signed; so is a new one', async (t) => {
  const root = await temporaryDirectory(t);
  const [card, image] = [path.join(root, 'card'), path.join(root, 'image')];
  const device = newDevice();
  const boot = async (): Promise<void> => {
    const opened = await openCard(
      { fs: new NodeFileSystem(), clock: new SimClock(1000), log: silent },
      {
        ...{ card, bootFile: path.join(root, 'internal', 'boot'), device: DEVICE },
        ...{ deviceKey: device.deviceKey, configDigest: DIGEST, firmwareDigest: DIGEST },
        recipients: [parseRecipient(recipientOf(device.identity))],
        ...{ reserveBytes: 1, onSealed: () => undefined },
      },
    );
    await opened.close('stopped');
  };
  const read = (): { faults: readonly string[]; checkpoint: string } => {
    const db = openDatabase(path.join(card, 'lapel.db'));
    const entries = readEntries(db, 0, 1000).map(({ envelope }) => readEntry(envelope));
    const checkpoint = readCheckpoint(db) ?? '';
    db.close();
    const faults = entries.flatMap((entry) =>
      entry.type === 'fault' ? [`${entry.code}: ${entry.detail}`] : [],
    );
    return { faults, checkpoint };
  };

  await boot();
  await boot();
  t.deepEqual(read().faults, []);
  await cp(card, image, { recursive: true });
  await boot();
  t.deepEqual(read().faults, []);
  const signed = parseCheckpoint(read().checkpoint);
  t.is(signed.size, 9);

  await rm(card, { recursive: true });
  await cp(image, card, { recursive: true });
  await boot();
  const root9 = signed.root.toString('hex');
  t.deepEqual(read().faults, [
    `storage/rolled-back: the camera signed 9 entries with the root ${root9}, the card has only 6: an older or another card`,
  ]);
  await boot();
  t.is(read().faults.length, 1, 'told once: the camera has signed this log since');

  await rm(card, { recursive: true });
  await boot();
  t.regex(read().faults.join(), /the camera signed 13 entries .* the card has only 0/);
});

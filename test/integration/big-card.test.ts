import { monitorEventLoopDelay } from 'node:perf_hooks';
import path from 'node:path';
import test from 'ava';
import { parseRecipient, recipientOf } from '../../src/evidence/age-recipients.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import { openCard } from '../../src/storage/card.js';
import type { Card } from '../../src/storage/card.js';
import { openDatabase } from '../../src/storage/database.js';
import { growTree, loadFrontier } from '../../src/storage/log-tree.js';
import {
  CONFIG_DIGEST,
  DEVICE,
  FIRMWARE_DIGEST,
  newDevice,
  silent,
} from '../support/boot-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from '../support/fake-media.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

/** Sealed, but unknown to the catalog: each costs recovery a check and a signature. */
const SEGMENTS = 100;
/** A segment that was cut: as long as five minutes at 2 Mbit/s. */
const CUT_BYTES = 75_000_000;
const PIECE_BYTES = 3_000_000;
/** Log of a hundred days of heartbeats, 900 bytes each. */
const ENTRIES = 150_000;
const ENTRY_BYTES = 850;
const OPEN_MS_MAX = 5000;
/** A piece of recovery between two turns of the loop: the buffer in front of the card holds seconds. */
const STALL_MS_MAX = 1000;

test('a card with much to recover keeps nobody from buffering: it opens at once, the rest goes on beside', async (t) => {
  t.timeout(120_000);
  const card = path.join(await temporaryDirectory(t), 'card');
  const device = newDevice();
  const open = (): Promise<Card> =>
    openCard(
      { fs: new NodeFileSystem(), clock: new SystemClock(), log: silent },
      {
        ...{ card, device: DEVICE, deviceKey: device.deviceKey, reserveBytes: 0 },
        recipients: [parseRecipient(recipientOf(device.identity))],
        ...{ configDigest: CONFIG_DIGEST, firmwareDigest: FIRMWARE_DIGEST },
        onSealed: () => undefined,
      },
    );
  const first = await open();
  const rec = await first.recordings.beginRecording();
  for (let seq = 0; seq < SEGMENTS; seq += 1) {
    const segment = await first.recordings.openSegment(fakeFacts({ rec, seq }));
    await segment.append(fakePiece(0, 200_000));
    await segment.seal(fakeEnding({ isLast: false }));
  }
  const cut = await first.recordings.openSegment(fakeFacts({ rec, seq: SEGMENTS }));
  for (let n = 0; n * PIECE_BYTES < CUT_BYTES; n += 1) await cut.append(fakePiece(n, PIECE_BYTES));
  await first.close();
  const db = openDatabase(path.join(card, 'lapel.db'));
  db.transaction(() => {
    db.run('DELETE FROM segments');
    const tree = loadFrontier(db);
    const leaf = Buffer.alloc(32);
    for (let n = 0; n < ENTRIES; n += 1) {
      const row = ['heartbeat', 'x'.repeat(ENTRY_BYTES), leaf] as const;
      db.run('INSERT INTO entries (type, envelope, leaf) VALUES (?, ?, ?)', ...row);
      growTree(db, tree, leaf);
    }
  });
  db.close();

  const started = performance.now();
  const second = await open();
  const openMs = performance.now() - started;
  const loop = monitorEventLoopDelay({ resolution: 5 });
  loop.enable();
  let isRecovered = false;
  const recovery = second.recovered.finally(() => (isRecovered = true));
  // What buffering and a press need of the card does not wait for the end of recovery.
  const edge = await second.journal.pressed({ button: 'record', isPressed: true, at: 1 });
  const pressMs = performance.now() - started;
  t.false(isRecovered, 'recovery is still going on');
  const summary = await recovery;
  loop.disable();
  const recoveryMs = performance.now() - started;
  await second.close();
  t.is(edge, 1);
  t.is(summary.indexed, SEGMENTS);
  t.is(summary.recovered.length, 1);
  t.log(
    `opened after ${Math.round(openMs)} ms, a press durable after ${Math.round(pressMs)} ms, ` +
      `recovered after ${Math.round(recoveryMs)} ms, longest stall ${Math.round(loop.max / 1e6)} ms`,
  );
  t.true(openMs < OPEN_MS_MAX, `${openMs} ms`);
  t.true(loop.max / 1e6 < STALL_MS_MAX, `${loop.max / 1e6} ms`);
});

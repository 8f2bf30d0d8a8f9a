import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import { SEED_BYTES, createSigner } from '../../../src/evidence/signer.js';
import { emptyTrust, formatTrust, withDevice } from '../../../src/evidence/trust.js';
import { startEmbeddedBroker } from '../../../src/sync/embedded-broker.js';
import { CardSegments } from '../../support/sync/card-segments.js';
import { makeDevice, sealSegment } from '../../support/sync/sealed-segment.js';
import { Station } from '../../support/sync/station.js';
import { waitUntil } from '../../support/sync/wait-until.js';
import { meddleWith } from '../../support/sync/wrapped-connection.js';

test('a receiver killed again and again goes on from what is on its disk, and signs once all is there', async (t) => {
  const broker = await startEmbeddedBroker();
  t.teardown(() => broker.close());
  const station = await Station.open(broker.url, { speed: 1 });
  t.teardown(() => station.remove());
  const owner = makeDevice('cam-1');
  const segments = [0, 1].map((seq) => sealSegment(owner, { seq, plainBytes: 12_400_000 }));
  const card = new CardSegments([owner], segments);
  const seed = randomBytes(SEED_BYTES);
  const spki = toSpkiBase64(owner.deviceKey.publicKey);
  const trust = formatTrust(withDevice(emptyTrust(), 'cam-1', spki));
  let child: ChildProcess | undefined;
  let kills = 0;
  const start = async (): Promise<void> => {
    const args = [broker.url, station.store, seed.toString('hex'), trust];
    child = fork(path.resolve('build/test/support/sync/receiver-process.js'), args);
    await once(child, 'message');
  };
  t.teardown(() => child?.kill('SIGKILL'));
  let chunks = 0;
  let killAt = 90;
  const outgoing = (topic: string, payload: Buffer): Buffer[] => {
    if (topic.includes('/in/') && (chunks += 1) === killAt) {
      kills += 1;
      child?.kill('SIGKILL');
    }
    return [payload];
  };
  await start();
  const receivers = [{ rx: 'rx1', publicKey: createSigner(seed).publicKey }];
  const uploader = station.uploader(owner, card, {
    receivers,
    wrap: (c) => meddleWith(c, { outgoing }),
  });
  uploader.dock();
  t.teardown(() => uploader.undock());
  // Kills fall into the first transfer, near its end, and into the second.
  for (const next of [220, 320, Infinity]) {
    const before = kills;
    await waitUntil('the receiver is killed', () => kills > before);
    killAt = next;
    await start();
  }
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  for (const segment of segments) {
    t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
    t.true((await station.read('cam-1', segment, '.leaves')).equals(segment.leaves));
  }
  t.is(card.receipts.size, 2);
  t.is(kills, 3);
  const leaves = segments.reduce((sum, { content }) => sum + content.file.n, 0);
  // Each kill costs what was under way and what waited in the receiver, not the transfer.
  t.true(chunks < leaves + 3 * 2 * 64, `${chunks} chunks for ${leaves} leaves`);
  t.deepEqual(await readdir(path.join(station.store, 'cam-1', '.incoming')), []);
});

import test from 'ava';
import { formatEnvelopeFile } from '../../../src/evidence/dsse.js';
import { startEmbeddedBroker } from '../../../src/sync/embedded-broker.js';
import { CardSegments } from '../../support/sync/card-segments.js';
import { makeDevice, sealSegment } from '../../support/sync/sealed-segment.js';
import { Station } from '../../support/sync/station.js';
import { waitUntil } from '../../support/sync/wait-until.js';

test('everything arrives', async (t) => {
  const broker = await startEmbeddedBroker();
  t.teardown(() => broker.close());
  const station = await Station.open(broker.url);
  t.teardown(() => station.remove());
  const owner = makeDevice('cam-1');
  const segments = [0, 1, 2].map((seq) => sealSegment(owner, { seq, plainBytes: 6_000_000 }));
  const card = new CardSegments([owner], segments);
  const receiver = station.receiver([owner]);
  await receiver.start();
  t.teardown(() => receiver.close());
  const uploader = station.uploader(owner, card);
  uploader.dock();
  t.teardown(() => uploader.undock());
  await waitUntil('drained', () => uploader.phase === 'drained');
  for (const segment of segments) {
    t.deepEqual(await station.read('cam-1', segment, '.age'), segment.ciphertext);
    t.deepEqual(await station.read('cam-1', segment, '.leaves'), segment.leaves);
    t.deepEqual(await station.read('cam-1', segment, '.heads'), segment.heads);
    t.deepEqual(await station.read('cam-1', segment, '.meta.age'), segment.meta);
    t.is(
      (await station.read('cam-1', segment, '.dsse')).toString(),
      formatEnvelopeFile(segment.manifest),
    );
  }
  t.is(card.receipts.size, 3);
  t.deepEqual(receiver.faults, {});
  t.deepEqual(uploader.faults, {});
});

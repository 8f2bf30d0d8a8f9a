import { readdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { formatEnvelopeFile, parseEnvelopeFile } from '../../../src/evidence/dsse.js';
import { openReceipt } from '../../../src/evidence/receipt.js';
import type { DockProgress } from '../../../src/sync/device/progress.js';
import { formatSegmentRef } from '../../../src/units.js';
import { brokerKinds } from '../../support/sync/brokers.js';
import { CardSegments } from '../../support/sync/card-segments.js';
import { makeDevice, sealSegment, digestOf } from '../../support/sync/sealed-segment.js';
import type { TestSegment } from '../../support/sync/sealed-segment.js';
import { Station } from '../../support/sync/station.js';
import { waitUntil } from '../../support/sync/wait-until.js';
import { meddleWith, seededRandom } from '../../support/sync/wrapped-connection.js';
import type { Meddle } from '../../support/sync/wrapped-connection.js';

async function isStored(
  t: ExecutionContext,
  station: Station,
  device: string,
  segment: TestSegment,
): Promise<void> {
  const read = (end: string): Promise<Buffer> => station.read(device, segment, end);
  t.true((await read('.age')).equals(segment.ciphertext));
  t.true((await read('.leaves')).equals(segment.leaves));
  t.true((await read('.heads')).equals(segment.heads));
  if (segment.meta !== undefined) t.true((await read('.meta.age')).equals(segment.meta));
  t.is((await read('.dsse')).toString(), formatEnvelopeFile(segment.manifest));
}

for (const kind of brokerKinds) {
  test.serial(
    `segments of two cameras arrive whole, with receipts both sides agree on (${kind.name})`,
    async (t) => {
      const broker = await kind.start(t);
      // In real time: a busy machine must not look like a stall.
      const station = await Station.open(broker.url, { version: kind.version, speed: 1 });
      t.teardown(() => station.remove());
      const owners = [makeDevice('cam-1', 3), makeDevice('cam-2', 9)];
      const receiver = station.receiver(owners);
      await receiver.start();
      t.teardown(() => receiver.close());
      const cameras = owners.map((owner) => {
        const segments = [
          sealSegment(owner, { seq: 0, plainBytes: 6_000_000 }),
          sealSegment(owner, { seq: 1, plainBytes: 1, hasMeta: false, heads: 0 }),
          sealSegment(owner, { rec: 2, seq: 0, plainBytes: 5 * 65_536 }),
        ];
        const card = new CardSegments([owner], segments);
        return { owner, segments, card, uploader: station.uploader(owner, card) };
      });
      for (const { uploader } of cameras) {
        uploader.dock();
        t.teardown(() => uploader.undock());
      }
      for (const { owner, segments, card, uploader } of cameras) {
        await waitUntil('it is drained', () => uploader.phase === 'drained');
        for (const segment of segments.filter(({ heads }) => heads.length > 0)) {
          await isStored(t, station, owner.device, segment);
        }
        for (const segment of segments) {
          const receipt = card.receipts.get(formatSegmentRef(segment.ref));
          t.truthy(receipt);
          const stored = await station.read(owner.device, segment, '.receipt');
          t.deepEqual(parseEnvelopeFile(stored.toString()), receipt);
          if (receipt === undefined) continue;
          t.like(openReceipt(receipt, station.receiverKey.publicKey), {
            device: owner.device,
            seg: formatSegmentRef(segment.ref),
            man: digestOf(segment),
            root: segment.content.file.root,
            size: segment.ciphertext.length,
            rx: 'rx1',
            log: null,
          });
        }
        const [, bare] = segments;
        if (bare !== undefined) {
          const names = await readdir(path.dirname(station.file(owner.device, bare, '')));
          t.deepEqual(names.filter((name) => name.startsWith('1.')).sort(), [
            '1.age',
            '1.dsse',
            '1.leaves',
            '1.receipt',
          ]);
        }
        t.deepEqual(uploader.faults, {});
      }
      t.deepEqual(receiver.faults, {});
    },
  );

  test.serial(
    `a third of all chunks lost, a third doubled or stale: the bytes are equal (${kind.name})`,
    async (t) => {
      const broker = await kind.start(t);
      const station = await Station.open(broker.url, { version: kind.version });
      t.teardown(() => station.remove());
      const owner = makeDevice('cam-1');
      const segment = sealSegment(owner, { plainBytes: 12_000_000 });
      const random = seededRandom(20_261_124);
      let lost = 0;
      let old: Buffer = Buffer.alloc(0);
      const incoming: Meddle = (topic, payload) => {
        if (!topic.includes('/in/')) return [payload];
        const chance = random();
        if (chance < 0.3) {
          lost += 1;
          return [];
        }
        if (chance < 0.4) old = Buffer.from(payload);
        if (chance < 0.5) return [payload, payload];
        return chance < 0.6 ? [old, payload] : [payload];
      };
      const receiver = station.receiver([owner], { wrap: (c) => meddleWith(c, { incoming }) });
      await receiver.start();
      t.teardown(() => receiver.close());
      const card = new CardSegments([owner], [segment]);
      const uploader = station.uploader(owner, card);
      uploader.dock();
      t.teardown(() => uploader.undock());
      await waitUntil('it is drained', () => uploader.phase === 'drained', 50_000);
      await isStored(t, station, 'cam-1', segment);
      t.true(lost > 30, `${lost} chunks were lost`);
      t.true((receiver.faults.repeated ?? 0) > 0 && (receiver.faults.stale ?? 0) > 0);
      t.is(receiver.faults.spoiled, undefined);
    },
  );
}

test.serial(
  'what is sealed while the camera stands drained in its dock follows by itself',
  async (t) => {
    const [kind] = brokerKinds;
    const broker = await kind?.start(t);
    const station = await Station.open(broker?.url ?? '', { speed: 20 });
    t.teardown(() => station.remove());
    const owner = makeDevice('cam-1');
    const card = new CardSegments([owner], []);
    const receiver = station.receiver([owner]);
    await receiver.start();
    t.teardown(() => receiver.close());
    const reports: DockProgress[] = [];
    const uploader = station.uploader(owner, card, { onProgress: (p) => reports.push(p) });
    uploader.dock();
    t.teardown(() => uploader.undock());
    await waitUntil('it is drained', () => uploader.phase === 'drained');
    const segment = sealSegment(owner, { plainBytes: 3_000_000 });
    card.add(segment);
    await waitUntil('the receipt is there', () => card.receipts.size === 1);
    await isStored(t, station, 'cam-1', segment);
    await waitUntil('it is drained again', () => uploader.phase === 'drained');
    const bytes = segment.ciphertext.length;
    t.deepEqual(reports.at(-1), {
      segmentsDone: 1,
      segmentsTotal: 1,
      bytesDone: bytes,
      bytesTotal: bytes,
    });
    t.true(reports.every((p) => p.bytesDone <= p.bytesTotal && p.segmentsDone <= p.segmentsTotal));
  },
);

test.serial('a segment that a later boot recovered arrives with both certificates', async (t) => {
  const [kind] = brokerKinds;
  const broker = await kind?.start(t);
  const station = await Station.open(broker?.url ?? '');
  t.teardown(() => station.remove());
  const before = makeDevice('cam-1', 3);
  const now = makeDevice('cam-1', 4, before.deviceKey);
  const segment = sealSegment(before, { sealedBy: now, heads: 3 });
  const receiver = station.receiver([now]);
  await receiver.start();
  t.teardown(() => receiver.close());
  const card = new CardSegments([before, now], [segment]);
  const uploader = station.uploader(now, card);
  uploader.dock();
  t.teardown(() => uploader.undock());
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  await isStored(t, station, 'cam-1', segment);
  for (const { boot, certificate } of [before, now]) {
    const names = await readdir(path.join(station.store, 'cam-1', String(boot)));
    t.true(names.includes('session.dsse'), certificate.payloadType);
  }
  t.deepEqual(receiver.faults, {});
});

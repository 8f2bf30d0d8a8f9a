import { readdir } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CameraError } from '../../../src/errors.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import type { FileSystem } from '../../../src/hal/ports/file-system.js';
import type { MqttConnection } from '../../../src/sync/ports.js';
import { brokerKinds } from '../../support/sync/brokers.js';
import type { BrokerKind } from '../../support/sync/brokers.js';
import { CardSegments } from '../../support/sync/card-segments.js';
import { failingAfter } from '../../support/sync/failing-file-system.js';
import { makeDevice, sealSegment } from '../../support/sync/sealed-segment.js';
import type { TestDevice, TestSegment } from '../../support/sync/sealed-segment.js';
import { Station } from '../../support/sync/station.js';
import { waitUntil } from '../../support/sync/wait-until.js';
import { meddleWith } from '../../support/sync/wrapped-connection.js';
import type { Meddle } from '../../support/sync/wrapped-connection.js';

const [embedded] = brokerKinds as readonly [BrokerKind];

interface Scene {
  readonly station: Station;
  readonly owner: TestDevice;
  readonly segment: TestSegment;
  readonly card: CardSegments;
}

/**
 * One camera with one segment of about 190 leaves: three times the credit. Tests that count chunks run at speed 1, where
 * a busy machine does not look like a stall.
 */
async function scene(
  t: ExecutionContext,
  url: string,
  { kind = embedded, speed = 5 }: { kind?: BrokerKind; speed?: number } = {},
): Promise<Scene> {
  const station = await Station.open(url, { version: kind.version, speed });
  t.teardown(() => station.remove());
  const owner = makeDevice('cam-1');
  const segment = sealSegment(owner, { plainBytes: 12_400_000 });
  return { station, owner, segment, card: new CardSegments([owner], [segment]) };
}

const isChunk = (topic: string): boolean => topic.includes('/in/');

/** Counts the chunks that pass and calls `onChunk` with the number of each. */
const counting =
  (onChunk: (count: number) => void): Meddle =>
  (topic, payload) => {
    if (isChunk(topic)) onChunk((count += 1));
    return [payload];
  };
let count = 0;

test.beforeEach(() => {
  count = 0;
});

for (const kind of brokerKinds) {
  test.serial(
    `a broker killed in mid-upload and started again: equal bytes, one receipt (${kind.name})`,
    async (t) => {
      const broker = await kind.start(t);
      const { station, owner, segment, card } = await scene(t, broker.url, { kind, speed: 1 });
      const receiver = station.receiver([owner]);
      await receiver.start();
      t.teardown(() => receiver.close());
      let killed: Promise<void> | undefined;
      const outgoing = counting((chunks) => {
        if (chunks === 80) killed = broker.kill();
      });
      const uploader = station.uploader(owner, card, { wrap: (c) => meddleWith(c, { outgoing }) });
      uploader.dock();
      t.teardown(() => uploader.undock());
      await waitUntil('the broker is killed', () => killed !== undefined);
      await killed;
      await waitUntil('the camera notices', () => uploader.phase === 'connecting');
      t.is(card.receipts.size, 0);
      await broker.restart();
      await waitUntil('it is drained', () => uploader.phase === 'drained');
      t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
      t.is(card.receipts.size, 1);
      // What was stored before the kill is not sent again. Lost is what was under way then, and what the receiver,
      // back before the camera, asked for under an older want.
      t.true(count <= segment.content.file.n + 2 * 64, `${count} chunks`);
      t.is(receiver.faults.spoiled, undefined);
    },
  );
}

test.serial('a receiver that stops in mid-upload goes on where it stopped', async (t) => {
  const broker = await embedded.start(t);
  const { station, owner, segment, card } = await scene(t, broker.url, { speed: 1 });
  let firstDone: Promise<void> | undefined;
  const first = station.receiver([owner], {
    wrap: (c) =>
      meddleWith(c, {
        incoming: counting((chunks) => {
          if (chunks === 100) firstDone = first.close();
        }),
      }),
  });
  await first.start();
  const uploader = station.uploader(owner, card);
  uploader.dock();
  t.teardown(() => uploader.undock());
  await waitUntil('the first receiver stops', () => firstDone !== undefined);
  await firstDone;
  t.is(card.receipts.size, 0);
  count = 0;
  const second = station.receiver([owner], {
    wrap: (c) => meddleWith(c, { incoming: counting(() => undefined) }),
  });
  await second.start();
  t.teardown(() => second.close());
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
  const { n } = segment.content.file;
  t.true(count <= n - 99, `${count} of ${n} chunks were sent again`);
  t.deepEqual(await readdir(path.join(station.store, 'cam-1', '.incoming')), []);
});

test.serial('a camera taken out of its dock in mid-upload goes on when it is back', async (t) => {
  const broker = await embedded.start(t);
  const { station, owner, segment, card } = await scene(t, broker.url, { speed: 1 });
  const receiver = station.receiver([owner]);
  await receiver.start();
  t.teardown(() => receiver.close());
  let undocked: Promise<void> | undefined;
  const uploader = station.uploader(owner, card, {
    wrap: (c) =>
      meddleWith(c, {
        outgoing: counting((chunks) => {
          if (chunks === 100) undocked = uploader.undock();
        }),
      }),
  });
  uploader.dock();
  await waitUntil('it is taken out', () => undocked !== undefined);
  await undocked;
  t.is(uploader.phase, 'undocked');
  t.is(card.openReaders, 0);
  t.is(card.receipts.size, 0);
  uploader.dock();
  t.teardown(() => uploader.undock());
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
  t.true(count < segment.content.file.n + 64, `${count} chunks`);
});

test.serial(
  'a camera that docks before there is a broker or a receiver drains when both are there',
  async (t) => {
    const broker = await embedded.start(t);
    const { station, owner, segment, card } = await scene(t, broker.url);
    await broker.kill();
    const uploader = station.uploader(owner, card);
    uploader.dock();
    t.teardown(() => uploader.undock());
    await station.clock.sleep(1_500);
    t.is(uploader.phase, 'connecting');
    await broker.restart();
    await waitUntil('the camera offers', () => card.offers.length > 0);
    const receiver = station.receiver([owner]);
    await receiver.start();
    t.teardown(() => receiver.close());
    await waitUntil('it is drained', () => uploader.phase === 'drained');
    t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
  },
);

test.serial(
  'a receiver whose messages are lost for good never frees anything, and the offer is repeated',
  async (t) => {
    const broker = await embedded.start(t);
    const { station, owner, segment, card } = await scene(t, broker.url);
    const outgoing: Meddle = (topic, payload) => (topic.endsWith('/dn/receipt') ? [] : [payload]);
    const receiver = station.receiver([owner], { wrap: (c) => meddleWith(c, { outgoing }) });
    await receiver.start();
    t.teardown(() => receiver.close());
    const uploader = station.uploader(owner, card);
    uploader.dock();
    t.teardown(() => uploader.undock());
    await waitUntil('it is offered again and again', () => card.offers.length >= 3);
    t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
    t.is(card.receipts.size, 0);
    t.is(uploader.phase, 'draining');
  },
);

test.serial('a receipt that the card cannot keep is asked for again', async (t) => {
  const broker = await embedded.start(t);
  const { station, owner, card } = await scene(t, broker.url);
  const receiver = station.receiver([owner]);
  await receiver.start();
  t.teardown(() => receiver.close());
  const keep = card.receipted.bind(card);
  let refusals = 2;
  card.receipted = (ref, receipt) => {
    if (refusals === 0) return keep(ref, receipt);
    refusals -= 1;
    return Promise.reject(new CameraError('storage/io', 'the card is busy'));
  };
  const uploader = station.uploader(owner, card);
  uploader.dock();
  t.teardown(() => uploader.undock());
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  t.is(refusals, 0);
  t.is(card.receipts.size, 1);
});

test.serial('a read error on the card stops the answer; the receiver asks again', async (t) => {
  const broker = await embedded.start(t);
  const { station, owner, segment, card } = await scene(t, broker.url);
  const receiver = station.receiver([owner]);
  await receiver.start();
  t.teardown(() => receiver.close());
  let reads = 0;
  card.beforeRead = () => {
    reads += 1;
    if (reads === 50 || reads === 120) throw new Error('read error');
  };
  const uploader = station.uploader(owner, card);
  uploader.dock();
  t.teardown(() => uploader.undock());
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
});

test.serial('a store that fails in mid-transfer is tried again with the next offer', async (t) => {
  const broker = await embedded.start(t);
  const { station, owner, segment, card } = await scene(t, broker.url);
  const files = new NodeFileSystem();
  let cut = failingAfter(files, 60);
  const wobbly: FileSystem = new Proxy(files, {
    get: (_, name) => Reflect.get(cut, name) as unknown,
  });
  const receiver = station.receiver([owner], { files: wobbly });
  await receiver.start();
  t.teardown(() => receiver.close());
  const uploader = station.uploader(owner, card);
  uploader.dock();
  t.teardown(() => uploader.undock());
  await waitUntil('the store fails', () => (receiver.faults['store-failed'] ?? 0) > 0);
  cut = failingAfter(files, Infinity);
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
});

test.serial(
  'a receiver without room asks for nothing, and takes the segment when there is some',
  async (t) => {
    const broker = await embedded.start(t);
    const { station, owner, card } = await scene(t, broker.url);
    const files = new NodeFileSystem();
    let freeBytes = 0;
    const full: FileSystem = {
      ...failingAfter(files, Infinity),
      freeBytes: () => Promise.resolve(freeBytes),
    };
    const receiver = station.receiver([owner], { files: full });
    await receiver.start();
    t.teardown(() => receiver.close());
    const uploader = station.uploader(owner, card);
    uploader.dock();
    t.teardown(() => uploader.undock());
    await waitUntil('it is refused', () => (receiver.faults['no-room'] ?? 0) > 0);
    t.is(card.receipts.size, 0);
    freeBytes = 10 ** 12;
    await waitUntil('it is drained', () => uploader.phase === 'drained');
    t.is(card.receipts.size, 1);
  },
);

test.serial(
  'a disk slower than the network loses nothing: credit holds the camera back',
  async (t) => {
    const kind = brokerKinds[1] ?? embedded;
    const broker = await kind.start(t);
    const { station, owner, segment, card } = await scene(t, broker.url, { kind, speed: 1 });
    const files = new NodeFileSystem();
    const slow: FileSystem = new Proxy(files, {
      get: (target, name) =>
        name === 'openWritable' ? (file: string) => slowly(target, file) : bound(target, name),
    });
    const receiver = station.receiver([owner], { files: slow });
    await receiver.start();
    t.teardown(() => receiver.close());
    let ahead = 0;
    const outgoing = counting((sent) => {
      ahead = Math.max(ahead, sent - written);
    });
    const uploader = station.uploader(owner, card, { wrap: (c) => meddleWith(c, { outgoing }) });
    uploader.dock();
    t.teardown(() => uploader.undock());
    await waitUntil('it is drained', () => uploader.phase === 'drained');
    t.true((await station.read('cam-1', segment, '.age')).equals(segment.ciphertext));
    t.is(count, segment.content.file.n);
    t.true(ahead <= 64 + 16, `${ahead} chunks ahead of the disk`);
    t.deepEqual(receiver.faults, {});
  },
);

let written = 0;
const bound = (target: NodeFileSystem, name: string | symbol): unknown => {
  const value: unknown = Reflect.get(target, name);
  return typeof value === 'function' ? (value.bind(target) as unknown) : value;
};
async function slowly(files: NodeFileSystem, file: string): ReturnType<FileSystem['openWritable']> {
  const writable = await files.openWritable(file);
  return {
    append: (parts) => writable.append(parts),
    writeAt: async (bytes, offset) => {
      await new Promise((resolve) => setTimeout(resolve, 3));
      written += 1;
      await writable.writeAt(bytes, offset);
    },
    sync: () => writable.sync(),
    close: () => writable.close(),
  };
}

test.serial('a birth that the broker refuses is repeated until it gets through', async (t) => {
  const broker = await embedded.start(t);
  const { station, owner, card } = await scene(t, broker.url);
  const receiver = station.receiver([owner]);
  await receiver.start();
  t.teardown(() => receiver.close());
  let refusals = 2;
  const wrap = (connection: MqttConnection): MqttConnection => ({
    ...meddleWith(connection, {}),
    publish: (topic, payload, options) => {
      if (!topic.endsWith('/up/birth') || refusals === 0) {
        return connection.publish(topic, payload, options);
      }
      refusals -= 1;
      return Promise.reject(new CameraError('sync/timeout', 'no answer'));
    },
  });
  const uploader = station.uploader(owner, card, { wrap });
  uploader.dock();
  t.teardown(() => uploader.undock());
  await waitUntil('it is drained', () => uploader.phase === 'drained');
  t.is(refusals, 0);
});

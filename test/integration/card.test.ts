import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { recipientOf, parseRecipient } from '../../src/evidence/age-recipients.js';
import { parseEnvelopeFile, payloadDigest } from '../../src/evidence/dsse.js';
import { openEntry } from '../../src/evidence/log-entry.js';
import type { LogEntry } from '../../src/evidence/log-entry.js';
import { openSessionKey } from '../../src/evidence/session-key.js';
import { NodeFileSystem } from '../../src/hal/linux/node-file-system.js';
import type { FileSystem } from '../../src/hal/ports/file-system.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { openCard } from '../../src/storage/card.js';
import type { Card, CardOptions } from '../../src/storage/card.js';
import { openDatabase } from '../../src/storage/database.js';
import { logHead, readEntries } from '../../src/storage/device-log.js';
import type { SealedSegment } from '../../src/storage/segment-facts.js';
import {
  CONFIG_DIGEST,
  DEVICE,
  FIRMWARE_DIGEST,
  newDevice,
  silent,
} from '../support/boot-fixture.js';
import { filesBelow, judge } from '../support/card-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from '../support/fake-media.js';
import { rejectsWith } from '../support/reject-code.js';
import { temporaryDirectory } from '../support/temporary-directory.js';

const RESERVE_BYTES = 1;

interface Bench {
  readonly root: string;
  readonly card: string;
  readonly sealed: SealedSegment[];
  readonly device: ReturnType<typeof newDevice>;
  readonly start: (options?: Partial<CardOptions>, fs?: FileSystem) => Promise<Card>;
  /** Entries of the log from an index on, each verified with the certificate of its boot. */
  readonly entries: (from: number) => Promise<readonly LogEntry[]>;
}

async function bench(t: ExecutionContext): Promise<Bench> {
  const root = await temporaryDirectory(t);
  const card = path.join(root, 'card');
  const device = newDevice();
  const sealed: SealedSegment[] = [];
  const keyOf = async (boot: number): Promise<Buffer> => {
    const text = await readFile(path.join(card, 'ev', String(boot), 'session.dsse'), 'utf8');
    return openSessionKey(parseEnvelopeFile(text), device.deviceKey.publicKey).publicKey;
  };
  return {
    root,
    card,
    sealed,
    device,
    start: (options = {}, fs = new NodeFileSystem()) =>
      openCard(
        { fs, clock: new SimClock(5000), log: silent },
        {
          card,
          device: DEVICE,
          deviceKey: device.deviceKey,
          recipients: [parseRecipient(recipientOf(device.identity))],
          configDigest: CONFIG_DIGEST,
          firmwareDigest: FIRMWARE_DIGEST,
          reserveBytes: RESERVE_BYTES,
          onSealed: (segment) => void sealed.push(segment),
          ...options,
        },
      ),
    entries: async (from) => {
      const db = openDatabase(path.join(card, 'lapel.db'), { readOnly: true });
      const stored = readEntries(db, from, 1000);
      db.close();
      const opened: LogEntry[] = [];
      for (const { envelope } of stored) {
        const boot = (JSON.parse(Buffer.from(envelope.payload, 'base64').toString()) as LogEntry)
          .boot;
        opened.push(openEntry(envelope, await keyOf(boot)));
      }
      return opened;
    },
  };
}

/** Records one recording of `seconds` fragments in a single segment. */
async function record(card: Card, seconds = 2): Promise<void> {
  const rec = await card.recordings.beginRecording();
  const segment = await card.recordings.openSegment(fakeFacts({ rec }));
  for (let n = 0; n < seconds; n += 1) await segment.append(fakePiece(n, 100_000));
  await segment.seal(fakeEnding());
}

test('a boot on an empty card is number 1, with a certificate and its first two entries', async (t) => {
  const { card: directory, device, start, entries } = await bench(t);
  const card = await start();
  await card.close();
  t.is(card.boot, 1);
  const text = await readFile(path.join(directory, 'ev/1/session.dsse'), 'utf8');
  const envelope = parseEnvelopeFile(text);
  const { certificate } = openSessionKey(envelope, device.deviceKey.publicKey);
  t.like(certificate, { device: DEVICE, boot: 1, key: card.sessionKeyId, issued_mono: 5000 });
  t.like(await entries(0), [
    {
      type: 'boot',
      boot: 1,
      fw: FIRMWARE_DIGEST,
      cfg: CONFIG_DIGEST,
      time: { source: 'ntp', uncertainty_ms: 20 },
    },
    {
      type: 'session-key',
      key: card.sessionKeyId,
      spki: certificate.spki,
      cert: payloadDigest(envelope),
    },
  ]);
});

test('every boot has a higher number and a key of its own; the log goes on', async (t) => {
  const { start, entries } = await bench(t);
  const boots: number[] = [];
  const keys = new Set<string>();
  for (let n = 0; n < 3; n += 1) {
    const card = await start();
    boots.push(card.boot);
    keys.add(card.sessionKeyId);
    await card.close();
  }
  t.deepEqual(boots, [1, 2, 3]);
  t.is(keys.size, 3);
  t.deepEqual(
    (await entries(0)).map(({ type, boot }) => `${boot} ${type}`),
    ['1 boot', '1 session-key', '2 boot', '2 session-key', '3 boot', '3 session-key'],
  );
});

test('a card records, offers, takes a receipt and counts', async (t) => {
  const { card: directory, device, start, sealed } = await bench(t);
  const card = await start();
  await record(card);
  const [pending] = await card.outgoing.pending(10);
  t.deepEqual(pending?.ref, { boot: 1, rec: 1, seq: 0 });
  t.is(sealed.length, 1);
  t.is(card.totals().segments, 1);
  t.true((await card.freeBytes()) > 0);
  t.is(await card.journal.pressed({ button: 'record', isPressed: true, at: 1 }), 1);
  await card.close();
  const ref = { boot: 1, rec: 1, seq: 0 };
  t.is((await judge(new NodeFileSystem(), directory, device, ref)).state, 'ok');
});

test('the certificate is durable before the first entry names its key, and before any segment', async (t) => {
  const { start } = await bench(t);
  const fs = new NodeFileSystem();
  const order: string[] = [];
  fs.writeAtomic = () => {
    order.push('certificate');
    return Promise.reject(new Error('the card breaks here'));
  };
  await t.throwsAsync(start({}, fs), { message: /breaks here/ });
  t.deepEqual(order, ['certificate']);
  const card = await start();
  t.is(card.boot, 2, 'the number of the boot that failed is not used again');
  await card.close();
});

test('a start that fails closes the database behind itself', async (t) => {
  const { card: directory, start } = await bench(t);
  const fs = new NodeFileSystem();
  fs.writeAtomic = () => Promise.reject(new Error('the card breaks here'));
  await t.throwsAsync(start({}, fs));
  const files = [...(await filesBelow(new NodeFileSystem(), directory)).keys()];
  // SQLite removes its log when the last connection closes in good order.
  t.deepEqual(files, ['lapel.db']);
});

test('a segment that was left open is recovered by the next boot, in the background', async (t) => {
  const { card: directory, device, start, entries } = await bench(t);
  const first = await start();
  const rec = await first.recordings.beginRecording();
  const segment = await first.recordings.openSegment(fakeFacts({ rec }));
  for (let n = 0; n < 3; n += 1) await segment.append(fakePiece(n, 100_000));
  await first.close();
  const second = await start();
  const summary = await second.recovered;
  const ref = { boot: 1, rec: 1, seq: 0 };
  t.deepEqual(summary, { recovered: [ref], indexed: 0, quarantined: [], failed: [], missing: [] });
  t.is(second.totals().pendingSegments, 1);
  await second.close();
  t.is((await entries(4))[0]?.type, 'recovered');
  t.is((await judge(new NodeFileSystem(), directory, device, ref)).state, 'ok-with-missing');
});

test('close waits for recovery, and the session key is gone afterwards', async (t) => {
  const { start } = await bench(t);
  const first = await start();
  const rec = await first.recordings.beginRecording();
  const segment = await first.recordings.openSegment(fakeFacts({ rec }));
  await segment.append(fakePiece(0, 200_000));
  await first.close();
  const second = await start();
  await second.close();
  t.is((await second.recovered).recovered.length, 1);
  await t.throwsAsync(second.journal.pressed({ button: 'record', isPressed: true, at: 1 }), {
    message: /destroyed/,
  });
});

test('close gives up what is still open, after the seals that were asked for', async (t) => {
  const { start, sealed } = await bench(t);
  const card = await start();
  const rec = await card.recordings.beginRecording();
  const [first, second] = [
    await card.recordings.openSegment(fakeFacts({ rec, seq: 0 })),
    await card.recordings.openSegment(fakeFacts({ rec, seq: 1 })),
  ];
  for (const segment of [first, second]) await segment.append(fakePiece(0, 100_000));
  const sealing = first.seal(fakeEnding({ isLast: false }));
  await card.close();
  await t.notThrowsAsync(sealing);
  t.is(sealed.length, 1);
  await rejectsWith(t, 'storage/io', () => second.append(fakePiece(1)));
  const next = await start();
  t.deepEqual((await next.recovered).recovered, [{ boot: 1, rec, seq: 1 }]);
  await next.close();
});

test('a recovery that fails is told to whoever asks and ends nothing', async (t) => {
  const { start } = await bench(t);
  const fs = new NodeFileSystem();
  const list = fs.list.bind(fs);
  let lists = 0;
  fs.list = (directory) => {
    lists += 1;
    return lists > 1 ? Promise.reject(new Error('unreadable')) : list(directory);
  };
  const card = await start({}, fs);
  await record(card);
  await t.throwsAsync(card.recovered, { message: 'unreadable' });
  await card.close();
});

for (const [what, damage] of [
  ['no database', () => Buffer.from('not a database. '.repeat(300))],
  [
    'damaged in a page',
    (db: Buffer) => Buffer.concat([db.subarray(0, 4096), Buffer.alloc(db.length - 4096, 0xff)]),
  ],
] as const) {
  test(`a database that is ${what} goes to quarantine and the catalog is made from the files`, async (t) => {
    const { card: directory, start, entries } = await bench(t);
    const first = await start();
    await record(first);
    await record(first);
    const before = first.outgoing;
    const pending = await before.pending(10);
    await first.close();
    const file = path.join(directory, 'lapel.db');
    const damaged = damage(await readFile(file));
    await writeFile(file, damaged);
    const second = await start();
    t.is(second.boot, 2, 'above the directories on the card');
    t.deepEqual(await second.recovered, {
      recovered: [],
      indexed: 2,
      quarantined: [],
      failed: [],
      missing: [],
    });
    t.deepEqual(await second.outgoing.pending(10), pending);
    await second.close();
    t.deepEqual(await readFile(path.join(directory, 'quarantine/lapel.db')), damaged);
    const log = await entries(0);
    t.deepEqual(
      log.map(({ type }) => type),
      ['boot', 'session-key', 'fault', 'segment', 'segment'],
    );
    t.like(log[2], { code: 'storage/corrupt' });
  });
}

test('a second damaged database finds a place beside the first', async (t) => {
  const { card: directory, start } = await bench(t);
  for (const text of ['first', 'second', 'third']) {
    await (await start()).close();
    await writeFile(path.join(directory, 'lapel.db'), text.repeat(300));
  }
  await (await start()).close();
  const kept = await filesBelow(new NodeFileSystem(), path.join(directory, 'quarantine'));
  t.deepEqual(
    [...kept].map(([name, content]) => `${name} ${content.toString().slice(0, 5)}`),
    ['lapel.db first', 'lapel.db.1 secon', 'lapel.db.2 third'],
  );
});

test('what a cut during the quarantine of a database left is not deleted by SQLite', async (t) => {
  const { card: directory, start, entries } = await bench(t);
  await (await start()).close();
  const file = path.join(directory, 'lapel.db');
  // The database itself has been moved already, its write-ahead log not yet.
  await new NodeFileSystem().rename(file, path.join(directory, 'moved'));
  await writeFile(`${file}-wal`, 'transactions');
  const card = await start();
  await card.close();
  t.is(card.boot, 2);
  t.is(await readFile(path.join(directory, 'quarantine/lapel.db-wal'), 'utf8'), 'transactions');
  t.deepEqual(
    (await entries(0)).map(({ type }) => type),
    ['boot', 'session-key', 'fault'],
  );
});

test('a directory with an impossible number takes no camera out of service', async (t) => {
  const { card: directory, start } = await bench(t);
  await new NodeFileSystem().makeDirectory(path.join(directory, 'ev/9999999999'));
  const card = await start();
  t.is(card.boot, 1);
  t.is((await card.recovered).quarantined.length, 1);
  await card.close();
  const next = await start();
  t.is(next.boot, 2);
  await next.close();
});

test('a card that is a file, not a directory, is an error of the file system', async (t) => {
  const { card: directory, start } = await bench(t);
  await writeFile(directory, 'x');
  await rejectsWith(t, 'storage/not-found', () => start());
});

test('the log of a card is one tree over all boots', async (t) => {
  const { card: directory, start } = await bench(t);
  for (let n = 0; n < 2; n += 1) {
    const card = await start();
    await record(card);
    await card.close();
  }
  const db = openDatabase(path.join(directory, 'lapel.db'), { readOnly: true });
  t.is(logHead(db).size, 6);
  db.close();
});

test('on a new card the numbers go on when the camera remembers them', async (t) => {
  const { root, card: directory, start } = await bench(t);
  const bootFile = path.join(root, 'internal', 'boot');
  for (let n = 1; n <= 2; n += 1) {
    const card = await start({ bootFile });
    t.is(card.boot, n);
    await card.close();
  }
  const other = await start({ bootFile, card: path.join(root, 'new-card') });
  t.is(other.boot, 3, 'two segments of one device never have one name');
  await other.close();
  const back = await start({ bootFile, card: directory });
  t.is(back.boot, 4);
  await back.close();
  t.is(await readFile(bootFile, 'utf8'), '4\n');
});

test('a memory that is damaged is told, and the card alone counts', async (t) => {
  const { root, start, entries } = await bench(t);
  const bootFile = path.join(root, 'internal', 'boot');
  await (await start({ bootFile })).close();
  for (const damage of ['', 'x\n', '-1\n', '1.5\n', '99999999999\n', '7']) {
    await writeFile(bootFile, damage);
    const before = (await entries(0)).length;
    const card = await start({ bootFile });
    await card.close();
    t.is(await readFile(bootFile, 'utf8'), `${card.boot}\n`);
    t.like((await entries(before))[2], { type: 'fault', code: 'storage/corrupt' });
  }
});

import test from 'ava';
import { CameraError } from '../../../src/errors.js';
import type { ErrorCode } from '../../../src/errors.js';
import { DeviceLog } from '../../../src/storage/device-log.js';
import { Journal } from '../../../src/storage/journal.js';
import { RecordingStore } from '../../../src/storage/recording-store.js';
import { KEPT_MAX, SecondTry, watchedDatabase } from '../../../src/storage/second-try.js';
import type { SealedSegment } from '../../../src/storage/segment-facts.js';
import { newDevice, silent, startBoot } from '../../support/boot-fixture.js';
import { fakeEnding, fakeFacts, fakePiece } from '../../support/fake-media.js';
import { failingDatabase } from '../../support/faulty-card.js';
import { rejectsWith } from '../../support/reject-code.js';
import { logOf } from '../../support/shelf.js';

const EDGE = { button: 'record', isPressed: true, at: 900 } as const;
const RETRY_MS = 5000;

async function open() {
  const boot = await startBoot({ device: newDevice() });
  const card: { fault?: ErrorCode | undefined } = {};
  const told: string[] = [];
  const db = watchedDatabase(
    failingDatabase(boot.db, () => card.fault),
    (error) => {
      secondTry.failed(error);
    },
  );
  const entries = new DeviceLog(db, boot.ctx.identity, boot.clock);
  const secondTry: SecondTry = new SecondTry(boot.clock, silent, (code, detail, late) =>
    entries.append({ type: 'fault', code, detail, late }),
  );
  secondTry.watch((fault) => told.push(fault?.code ?? 'fine'));
  const journal = new Journal(entries, secondTry);
  const words = (): readonly string[] =>
    logOf(boot.db).map((entry) => {
      const outcome = entry.type === 'press' ? ` ${entry.outcome ?? 'undecided'}` : '';
      return `${entry.type}${outcome} ${entry.mono} ${entry.late ?? ''}`.trim();
    });
  return { ...boot, card, told, entries, secondTry, journal, words };
}

test('what the card does not take waits in memory, and enters the log in order with the time it had', async (t) => {
  const { clock, card, told, journal, secondTry, words } = await open();
  card.fault = 'storage/read-only';
  await journal.record({ type: 'mode', mode: 'buffering', reason: 'pictures' });
  await clock.advance(700);
  await rejectsWith(t, 'storage/read-only', () => journal.pressed(EDGE));
  await clock.advance(2 * RETRY_MS);
  t.deepEqual(words(), []);
  t.deepEqual(secondTry.backlog, { waiting: 3, lost: 0 });
  t.is(secondTry.fault?.code, 'storage/read-only');
  card.fault = undefined;
  await clock.advance(RETRY_MS);
  // Each has the time at which it was written, and the time at which it should have been.
  t.deepEqual(words(), [
    'fault 16000 1000',
    'mode 16000 1000',
    'press undecided 16000 1700',
    'press refused-storage 16000 1700',
  ]);
  t.deepEqual(told, ['storage/read-only', 'fine'], 'one fault, told once');
  t.is(secondTry.fault, undefined);
  t.is(clock.timers, 0, 'nothing is tried when nothing waits');
});

test('an outcome that the card does not take follows its edge', async (t) => {
  const { clock, card, journal, words } = await open();
  const edge = await journal.pressed(EDGE);
  card.fault = 'storage/io';
  await journal.decided(edge, 'started', 12);
  card.fault = undefined;
  await clock.advance(RETRY_MS);
  t.deepEqual(words(), ['press undecided 1000', 'fault 6000 1000', 'press started 6000 1000']);
});

test('what does not fit into memory is counted, and the log is told how many', async (t) => {
  const { clock, card, journal, secondTry, db } = await open();
  card.fault = 'storage/disk-full';
  for (let n = 0; n < KEPT_MAX + 20; n += 1) {
    await journal.record({ type: 'stealth', isStealthy: n % 2 === 0 });
  }
  t.deepEqual(secondTry.backlog, { waiting: KEPT_MAX, lost: 21 });
  card.fault = undefined;
  await clock.advance(RETRY_MS);
  const log = logOf(db);
  t.is(log.length, KEPT_MAX + 1);
  t.like(log.at(-1), {
    type: 'fault',
    detail: `21 entries are lost: memory keeps ${KEPT_MAX} while the card takes nothing`,
  });
});

test('an entry that is wrong in itself is not tried again and holds up no other', async (t) => {
  const { clock, card, journal, secondTry, words } = await open();
  card.fault = 'storage/io';
  secondTry.keep('a bug', () => Promise.reject(new CameraError('internal/bug', 'shapeless')));
  await journal.record({ type: 'stealth', isStealthy: true });
  card.fault = undefined;
  await clock.advance(RETRY_MS);
  t.deepEqual(words(), ['fault 6000 1000', 'stealth 6000 1000']);
});

test('a segment that is sealed while the database takes nothing is entered when it does', async (t) => {
  const boot = await open();
  const { ctx, catalog, clock, card, entries, secondTry, db } = boot;
  const sealed: SealedSegment[] = [];
  const store = new RecordingStore(ctx, catalog, entries, {
    reserveBytes: 0,
    onSealed: (segment) => void sealed.push(segment),
    memory: secondTry,
  });
  const segment = await store.openSegment(fakeFacts());
  await segment.append(fakePiece(0));
  card.fault = 'storage/io';
  await segment.seal(fakeEnding());
  t.is(catalog.totals().segments, 0);
  card.fault = undefined;
  await clock.advance(RETRY_MS);
  t.is(catalog.totals().segments, 1);
  t.is(sealed.length, 1);
  t.deepEqual(
    logOf(db).map(({ type }) => type),
    ['fault', 'segment'],
  );
});

test('at the end there is one last try, and the rest is lost to the log with a word to the technician', async (t) => {
  const { card, journal, secondTry, words } = await open();
  card.fault = 'storage/io';
  await journal.record({ type: 'stealth', isStealthy: true });
  card.fault = undefined;
  await secondTry.close();
  t.is(words().length, 2);
  card.fault = 'storage/io';
  await journal.record({ type: 'stealth', isStealthy: false });
  await secondTry.close();
  t.is(words().length, 2);
  t.is(secondTry.backlog.waiting, 0);
});

test('a statement that breaks a rule of the table is no fault of the card', async (t) => {
  const { db, told } = await open();
  const watched = watchedDatabase(db, (error) => {
    t.fail(String(error));
  });
  watched.run("INSERT INTO nonces (nonce) VALUES ('a')");
  const { fault } = await open().then(({ secondTry }) => {
    const strict = watchedDatabase(db, (error) => {
      secondTry.failed(error);
    });
    t.throws(() => strict.run("INSERT INTO nonces (nonce) VALUES ('a')"));
    return secondTry;
  });
  t.is(fault, undefined);
  t.deepEqual(told, []);
});

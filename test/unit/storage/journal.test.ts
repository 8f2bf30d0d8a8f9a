import test from 'ava';
import fc from 'fast-check';
import { openEntry } from '../../../src/evidence/log-entry.js';
import type { LogEntry } from '../../../src/evidence/log-entry.js';
import { readEntries } from '../../../src/storage/device-log.js';
import { Journal } from '../../../src/storage/journal.js';
import { monotonicMs, wallTimeMs } from '../../../src/units.js';
import type { BootFixture } from '../../support/boot-fixture.js';
import { newDevice, startBoot } from '../../support/boot-fixture.js';

const entriesOf = ({ ctx, db }: BootFixture): readonly LogEntry[] =>
  readEntries(db, 0, 1000).map(({ envelope }) =>
    openEntry(envelope, ctx.identity.signer.publicKey),
  );

const open = async () => {
  const boot = await startBoot({ device: newDevice() });
  return { boot, journal: new Journal(boot.entries) };
};

test('an edge is in the log before its number is given, and again with its outcome', async (t) => {
  const { boot, journal } = await open();
  const edge = await journal.pressed({ button: 'record', isPressed: true, at: 1000.6 });
  t.is(edge, 1);
  const press = { type: 'press', edge: 1, button: 'record', pressed: true, at: 1001 };
  t.like(entriesOf(boot), [{ ...press, outcome: null, latency_ms: null }]);
  await journal.decided(edge, 'started', 12.4);
  t.like(entriesOf(boot)[1], { ...press, outcome: 'started', latency_ms: 12 });
});

test('edges are numbered in the order they happened, decided in any', async (t) => {
  const { boot, journal } = await open();
  const edges = await Promise.all([
    journal.pressed({ button: 'record', isPressed: true, at: 1 }),
    journal.pressed({ button: 'function', isPressed: false, at: 2 }),
  ]);
  t.deepEqual(edges, [1, 2]);
  await journal.decided(2, 'released', 1);
  await journal.decided(1, 'refused-storage', 2);
  t.like(entriesOf(boot).slice(2), [
    { edge: 2, button: 'function', outcome: 'released' },
    { edge: 1, button: 'record', outcome: 'refused-storage' },
  ]);
});

test('a step of less than half a millisecond back is in the log as one of 0', async (t) => {
  const { boot, journal } = await open();
  const before = { ms: wallTimeMs(1000.4), source: 'rtc', uncertaintyMs: 60_000 } as const;
  const after = { ms: wallTimeMs(1000.1), source: 'gnss', uncertaintyMs: 500 } as const;
  const at = monotonicMs(5);
  const stepMs = after.ms - before.ms;
  await journal.record({
    ...{ type: 'clock-set', at, from: before, to: after, stepMs },
    isBelieved: true,
  });
  await journal.record({ type: 'time-correction', at, before, after });
  t.like(entriesOf(boot), [
    { type: 'clock-set', step_ms: 0 },
    { type: 'time-correction', step_ms: 0 },
  ]);
});

test('an edge has one outcome; a second one and one of no edge are not written', async (t) => {
  const { boot, journal } = await open();
  const edge = await journal.pressed({ button: 'record', isPressed: true, at: 1 });
  await journal.decided(edge, 'started', 1);
  await journal.decided(edge, 'mark', 2);
  await journal.decided(99, 'mark', 2);
  t.is(entriesOf(boot).length, 2);
});

test('an edge that could not be written down gets no outcome either', async (t) => {
  const { boot, journal } = await open();
  boot.db.run('ALTER TABLE entries RENAME TO away');
  await t.throwsAsync(journal.pressed({ button: 'record', isPressed: true, at: 1 }));
  boot.db.run('ALTER TABLE away RENAME TO entries');
  await journal.decided(1, 'started', 1);
  t.is(entriesOf(boot).length, 0);
  t.is(await journal.pressed({ button: 'record', isPressed: false, at: 2 }), 2);
});

test('modes, faults and gaps are written as they are reported', async (t) => {
  const { boot, journal } = await open();
  await journal.record({ type: 'mode', mode: 'recording', reason: 'press' });
  await journal.record({ type: 'fault', code: 'capture/no-video', detail: 'no frame for 2 s' });
  await journal.record({ type: 'gap', rec: null, gapMs: 1500.5, cause: 'pipeline restart' });
  await journal.record({ type: 'gap', rec: 3, gapMs: 2, cause: 'stall' });
  t.like(entriesOf(boot), [
    { type: 'mode', mode: 'recording', reason: 'press' },
    { type: 'fault', code: 'capture/no-video', detail: 'no frame for 2 s' },
    { type: 'gap', rec: null, gap_ms: 1501, cause: 'pipeline restart' },
    { type: 'gap', rec: 3, gap_ms: 2, cause: 'stall' },
  ]);
});

test('whatever text a fault comes with, it is written: shortened, and without half characters', async (t) => {
  const { boot, journal } = await open();
  const text = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 600 }),
    fc.string({
      unit: fc.constantFrom('a', '\u{1F4F9}', '\uD83D', '\uDCF9'),
      maxLength: 600,
      size: 'max',
    }),
    fc.constant(`${'x'.repeat(499)}\u{1F4F9}`),
  );
  await fc.assert(
    fc.asyncProperty(text, text, async (code, detail) => {
      await journal.record({ type: 'fault', code, detail });
      const written = entriesOf(boot).at(-1);
      t.is(written?.type, 'fault');
      if (written?.type !== 'fault') return;
      const wellFormed = Buffer.from(detail).toString();
      t.true(wellFormed.startsWith(written.detail.replace(/\uFFFD$/, '')));
      t.is(written.detail.length, Math.min(detail.length, 500));
    }),
    { numRuns: 50 },
  );
});

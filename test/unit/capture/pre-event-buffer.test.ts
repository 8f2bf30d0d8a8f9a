import test from 'ava';
import { gapBetween90k } from '../../../src/capture/fragments.js';
import { PreEventBuffer } from '../../../src/capture/pre-event-buffer.js';
import type { Fragment } from '../../../src/capture/ports.js';
import { monotonicMs, pts90k } from '../../../src/units.js';
import { bareFragment } from '../../support/synthetic-video.js';

const MIB = 2 ** 20;

/** Fragment n of a run that began at `beganAt`: one second, its last picture 1/30 s before its end. */
const second = (n: number, run = 1, beganAt = 0, bytes = 0): Fragment =>
  bareFragment({
    run,
    start90k: pts90k(n * 90_000),
    arrivedAt: monotonicMs(beganAt + (n + 1) * 1000 - 100 / 3),
    mdat: Buffer.alloc(bytes),
  });

const filled = (count: number, ms = 30_000, bytesEach = 0, limit = 64 * MIB): PreEventBuffer => {
  const buffer = new PreEventBuffer({ ms, bytes: limit });
  for (let n = 0; n < count; n += 1) buffer.push(second(n, 1, 0, bytesEach));
  return buffer;
};

/** The newest picture is `ms` into the GOP after fragment n. */
const openAfter = (
  n: number,
  ms: number,
  run = 1,
  beganAt = 0,
): Parameters<PreEventBuffer['select']>[1] => ({
  at: monotonicMs(beganAt + (n + 1) * 1000 + ms),
  silentMs: 0,
  open: { run, start90k: pts90k((n + 1) * 90_000), newest90k: pts90k((n + 1) * 90_000 + ms * 90) },
});

test('a press gets at least what it asks for, rounded up to a GOP', (t) => {
  const preEvent = filled(60).select(10_000, openAfter(59, 400));
  t.is(preEvent.fragments.length, 10);
  t.deepEqual(
    { gotMs: preEvent.gotMs, askedMs: preEvent.askedMs, reason: preEvent.reason },
    { gotMs: 10_400, askedMs: 10_000, reason: 'none' },
  );
  t.is(Number(preEvent.fragments[0]?.start90k), 50 * 90_000);
});

test('a press right after an IDR needs the whole GOP before it', (t) => {
  t.is(filled(60).select(10_000, openAfter(59, 0)).fragments.length, 10);
  t.is(filled(60).select(10_001, openAfter(59, 0)).fragments.length, 11);
});

test('what the open GOP holds already is not taken from the buffer', (t) => {
  const preEvent = filled(60).select(300, openAfter(59, 400));
  t.deepEqual(preEvent.fragments, []);
  t.is(preEvent.gotMs, 400);
  t.is(preEvent.reason, 'none');
});

test('asking for nothing gets nothing but the open GOP', (t) => {
  const preEvent = filled(5).select(0, openAfter(4, 700));
  t.deepEqual(preEvent, { fragments: [], askedMs: 0, gotMs: 700, reason: 'none' });
});

test('soon after the start the reason is boot', (t) => {
  const preEvent = filled(4).select(30_000, openAfter(3, 500));
  t.is(preEvent.fragments.length, 4);
  t.is(preEvent.gotMs, 4500);
  t.is(preEvent.reason, 'boot');
});

test('before the first picture there is nothing, because of boot', (t) => {
  const empty = new PreEventBuffer({ ms: 30_000, bytes: MIB });
  t.true(empty.isEmpty);
  t.deepEqual(empty.select(30_000, { at: monotonicMs(0), silentMs: 0 }), {
    fragments: [],
    askedMs: 30_000,
    gotMs: 0,
    reason: 'boot',
  });
});

test('the byte limit drops the oldest, and the shortfall says memory', (t) => {
  const buffer = filled(60, 30_000, MIB, 10 * MIB);
  t.is(buffer.bytes, 10 * MIB);
  t.is(buffer.ms, 10_000);
  const preEvent = buffer.select(30_000, openAfter(59, 500));
  t.is(preEvent.fragments.length, 10);
  t.is(preEvent.reason, 'memory');
});

test('the time limit keeps what a press may ask for and no more than one GOP besides', (t) => {
  t.is(filled(100, 30_000).ms, 30_000);
  t.is(filled(100, 29_500).ms, 30_000);
  t.is(filled(100, 0).ms, 0);
});

test('fragments of an earlier run count; the gap between the runs is missing from what a press gets', (t) => {
  const buffer = filled(20);
  for (let n = 0; n < 4; n += 1) buffer.push(second(n, 2, 20_400));
  const preEvent = buffer.select(10_000, openAfter(3, 500, 2, 20_400));
  t.is(preEvent.fragments.length, 4 + 6);
  t.is(Math.round(preEvent.gotMs), 10_500);
  t.is(preEvent.reason, 'none');
  const exact = buffer.select(10_200, openAfter(3, 800, 2, 20_400));
  t.is(Math.round(exact.gotMs), 9800);
  t.is(exact.reason, 'pipeline-restart');
});

test('what lies before a long gap is too old to be recorded', (t) => {
  const buffer = filled(20);
  buffer.push(second(0, 2, 20_000 + 600_000));
  t.is(buffer.ms, 1000, 'and it is not kept either');
  const preEvent = buffer.select(30_000, openAfter(0, 500, 2, 620_000));
  t.deepEqual(
    preEvent.fragments.map((fragment) => fragment.run),
    [2],
  );
  t.is(preEvent.reason, 'pipeline-restart');
});

test('an open GOP of a new run right after the gap counts the gap as well', (t) => {
  const buffer = filled(20);
  const open = { run: 2, start90k: pts90k(0), newest90k: pts90k(45_000) };
  const at = (gapMs: number): ReturnType<typeof monotonicMs> => monotonicMs(20_000 + gapMs + 500);
  t.is(buffer.select(5000, { at: at(1000), silentMs: 0, open }).fragments.length, 4);
  t.is(buffer.select(5000, { at: at(60_000), silentMs: 0, open }).fragments.length, 0);
});

test('silence before the press counts as passed', (t) => {
  const buffer = filled(20);
  const at = monotonicMs(25_000);
  t.is(buffer.select(10_000, { at, silentMs: 5000 }).fragments.length, 5);
  t.deepEqual(buffer.select(10_000, { at, silentMs: 12_000 }).fragments, []);
});

test('a hole within a run counts by media time', (t) => {
  const before = second(0);
  const after = bareFragment({ start90k: pts90k(90_000 + 45_000) });
  t.is(gapBetween90k(before, after), 45_000);
  t.is(gapBetween90k(before, second(1)), 0);
  t.is(gapBetween90k(second(1), before), 0, 'and never less than 0');
});

test('a shorter limit takes effect at once, a longer one fills up', (t) => {
  const buffer = filled(60);
  buffer.setLimits({ ms: 10_000, bytes: MIB });
  t.is(buffer.ms, 10_000);
  buffer.setLimits({ ms: 20_000, bytes: MIB });
  t.is(buffer.select(20_000, openAfter(59, 500)).reason, 'memory');
  for (let n = 60; n < 80; n += 1) buffer.push(second(n));
  t.is(buffer.select(20_000, openAfter(79, 500)).reason, 'none');
});

import test from 'ava';
import { planRetention } from '../../../src/storage/retention-plan.js';
import type { HeldOnCard, RetentionNow } from '../../../src/storage/retention-plan.js';

const segment = (seq: number, fields: Partial<HeldOnCard> = {}): HeldOnCard => ({
  ref: { boot: 1, rec: 1, seq },
  ...{ bytes: 10, stage: 'receipted', receiptedAt: 1000, isHeld: false, isMarked: false },
  ...fields,
});

const roomy: RetentionNow = {
  ...{ wallMs: 2000, freeBytes: 1000, wantedFreeBytes: 100, retainMs: undefined },
};

const planned = (segments: readonly HeldOnCard[], now: Partial<RetentionNow>) => {
  const { deletions, kept } = planRetention(segments, { ...roomy, ...now });
  const counts = Object.entries(kept).flatMap(([reason, share]) =>
    share.segments === 0 ? [] : [`${reason} ${share.segments} ${share.bytes}`],
  );
  return { going: deletions.map(({ ref, cause }) => `${ref.seq} ${cause}`), kept: counts };
};

test('with room and no time set, everything stays', (t) => {
  t.deepEqual(planned([segment(0), segment(1)], {}), { going: [], kept: ['waiting 2 20'] });
});

test('what has had its receipt for the time set goes, to the millisecond', (t) => {
  const segments = [segment(0, { receiptedAt: 1000 }), segment(1, { receiptedAt: 1001 })];
  t.deepEqual(planned(segments, { retainMs: 1000 }).going, ['0 age']);
});

test('a clock that nobody vouches for lets nothing age, nor does a receipt whose time is lost', (t) => {
  t.deepEqual(planned([segment(0)], { retainMs: 0, wallMs: undefined }).going, []);
  t.deepEqual(planned([segment(0, { receiptedAt: undefined })], { retainMs: 0 }).going, []);
});

test('for space goes as much as is wanted, the oldest first, what is marked or beside a mark last', (t) => {
  const segments = [
    segment(0, { isMarked: true }),
    segment(1, { isMarked: true }),
    segment(2),
    segment(3),
  ];
  const now = { wantedFreeBytes: 1000 };
  t.deepEqual(planned(segments, { ...now, freeBytes: 990 }).going, ['2 space']);
  t.deepEqual(planned(segments, { ...now, freeBytes: 989 }).going, ['2 space', '3 space']);
  t.deepEqual(planned(segments, { ...now, freeBytes: 980 }).kept, ['marked 2 20']);
  const all = ['2 space', '3 space', '0 space', '1 space'];
  t.deepEqual(planned(segments, { ...now, freeBytes: 0 }).going, all);
});

test('what goes by age counts for the space; marked segments do not go by age', (t) => {
  const segments = [segment(0, { isMarked: true }), segment(1), segment(2, { receiptedAt: 1999 })];
  const now = { retainMs: 500, wantedFreeBytes: 1000 };
  t.deepEqual(planned(segments, { ...now, freeBytes: 990 }), {
    going: ['1 age'],
    kept: ['marked 1 10', 'waiting 1 10'],
  });
  t.deepEqual(planned(segments, { ...now, freeBytes: 985 }).going, ['1 age', '2 space']);
});

test('on a full card what has no receipt or is on hold stays, whatever is wanted', (t) => {
  const segments = [
    segment(0, { stage: 'sealed' }),
    segment(1, { stage: 'offered' }),
    segment(2, { isHeld: true }),
    segment(3, { isHeld: true, stage: 'sealed' }),
  ];
  const now = { freeBytes: 0, wantedFreeBytes: 1e12, retainMs: 0 };
  t.deepEqual(planned(segments, now), { going: [], kept: ['no-receipt 2 20', 'held 2 20'] });
});

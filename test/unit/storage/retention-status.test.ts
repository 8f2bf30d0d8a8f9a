import test from 'ava';
import type { CatalogTotals } from '../../../src/storage/catalog.js';
import { retentionStatus } from '../../../src/storage/retention-status.js';

/** A card with `segments` of 10 bytes, of which `offered` were offered and `receipted` have a receipt. */
const card = (segments: number, offered: number, receipted: number): CatalogTotals => ({
  segments,
  bytes: segments * 10,
  offered,
  receipted,
  pendingSegments: segments - receipted,
  pendingBytes: (segments - receipted) * 10,
  deletedSegments: 0,
});

test('only segments with a receipt may be freed, and the reason says what the others wait for', (t) => {
  const cases: readonly (readonly [CatalogTotals, number, RegExp])[] = [
    [card(0, 0, 0), 1, /^there is no footage on the card$/],
    [card(3, 3, 3), 1, /^every segment has a verified receipt$/],
    [card(3, 0, 0), 0, /^3 of 3 segments are kept.*names no receiver whose receipt counts$/],
    [card(3, 0, 0), 1, /^3 of 3 segments are kept.*not been offered yet/],
    [card(3, 2, 2), 1, /^1 of 3 segments are kept.*not been offered yet/],
    [card(3, 3, 1), 1, /^2 of 3 segments are kept.*: 2 were offered, no valid receipt has come$/],
  ];
  for (const [totals, receivers, reason] of cases) {
    const status = retentionStatus(totals, receivers);
    t.regex(status.reason, reason);
    t.is(status.deletableSegments, totals.receipted);
    t.is(status.keptSegments, totals.pendingSegments);
    t.is(status.keptBytes, totals.pendingBytes);
  }
});

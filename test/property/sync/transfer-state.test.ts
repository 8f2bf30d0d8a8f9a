import test from 'ava';
import fc from 'fast-check';
import { LeafBitmap } from '../../../src/sync/leaf-bitmap.js';
import {
  CREDIT_LEAVES,
  STALL_MS,
  beginTransfer,
  creditEnd,
  stepTransfer,
} from '../../../src/sync/receiver/transfer-state.js';
import type { TransferEvent, TransferState } from '../../../src/sync/receiver/transfer-state.js';
import { monotonicMs } from '../../../src/units.js';

/**
 * The receiver's reducer against a device that does what the protocol says, over a channel that keeps the order and
 * loses or doubles what the generator says. Acks may be lost as well: then only the stall helps.
 */
function transfer(
  leaves: number,
  losses: Iterator<number>,
): { wants: number; mostUnderWay: number } {
  let now = 0;
  let mostUnderWay = 0;
  const begun = beginTransfer(LeafBitmap.empty(leaves), 1, monotonicMs(now));
  let state: TransferState = begun.state;
  let have = LeafBitmap.empty(leaves);
  let next = 0;
  let credit = 0;
  const underWay: number[] = [];
  const isLost = (): boolean => (losses.next().value as number) < 30;
  const feed = (event: TransferEvent): void => {
    const step = stepTransfer(state, event, monotonicMs(now));
    state = step.state;
    for (const effect of step.effects) {
      if (effect === 'want') {
        have = state.have;
        next = have.firstMissing;
        credit = creditEnd(state);
        underWay.length = 0;
      } else if (!isLost()) credit = Math.max(credit, creditEnd(state));
    }
  };
  feed({ type: 'listed', have: LeafBitmap.empty(leaves) });
  while (state.stage === 'filling') {
    while (next < Math.min(credit, leaves)) {
      if (!have.has(next)) underWay.push(next);
      next += 1;
    }
    mostUnderWay = Math.max(mostUnderWay, underWay.length);
    const index = underWay.shift();
    if (index === undefined) {
      now += STALL_MS;
      feed({ type: 'ticked' });
    } else if (!isLost()) {
      feed({ type: 'chunkArrived', index, outcome: state.have.has(index) ? 'repeated' : 'stored' });
      if (isLost()) feed({ type: 'chunkArrived', index, outcome: 'repeated' });
    }
  }
  return { wants: state.stage === 'complete' ? state.wants : Infinity, mostUnderWay };
}

test('30 % of chunks and acks lost, 30 % doubled: every transfer completes, credit is never passed', (t) => {
  const noise = fc.infiniteStream(fc.nat({ max: 99 }));
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 400 }), noise, (leaves, losses) => {
      const { wants, mostUnderWay } = transfer(leaves, losses);
      t.true(wants < 60, `${wants} wants`);
      t.true(mostUnderWay <= CREDIT_LEAVES, `${mostUnderWay} under way`);
    }),
    { numRuns: 100 },
  );
});

test('without loss a transfer takes two wants, whatever its size', (t) => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 500 }), (leaves) => {
      const lossless = fc.sample(fc.constant(99), 1);
      const always = { next: () => ({ value: lossless[0] ?? 99, done: false as const }) };
      t.is(transfer(leaves, always).wants, 2);
    }),
  );
});

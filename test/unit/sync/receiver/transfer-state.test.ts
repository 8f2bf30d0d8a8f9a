import test from 'ava';
import { LeafBitmap } from '../../../../src/sync/leaf-bitmap.js';
import {
  ACK_SILENCE_MS,
  CREDIT_LEAVES,
  STALL_MS,
  WANTS_FRUITLESS_MAX,
  beginTransfer,
  creditEnd,
  stepTransfer,
} from '../../../../src/sync/receiver/transfer-state.js';
import type {
  TransferEffect,
  TransferEvent,
  TransferState,
} from '../../../../src/sync/receiver/transfer-state.js';
import { monotonicMs } from '../../../../src/units.js';

const LEAVES = 200;

function play(
  state: TransferState,
  events: readonly TransferEvent[],
  ms = 0,
): { state: TransferState; effects: TransferEffect[] } {
  const effects: TransferEffect[] = [];
  let now = state;
  for (const event of events) {
    const step = stepTransfer(now, event, monotonicMs(ms));
    now = step.state;
    effects.push(...step.effects);
  }
  return { state: now, effects };
}

const begun = beginTransfer(LeafBitmap.empty(LEAVES), 1000, monotonicMs(0));
const stored = (from: number, to: number): TransferEvent[] =>
  Array.from({ length: to - from }, (_, index) => ({
    type: 'chunkArrived',
    index: from + index,
    outcome: 'stored',
  }));
const filling = play(begun.state, [{ type: 'listed', have: LeafBitmap.empty(LEAVES) }]).state;

test('a transfer starts by asking for the leaf list, without any credit', (t) => {
  t.deepEqual(begun.effects, ['want']);
  t.like(begun.state, { stage: 'listing', epoch: 1000, wants: 1 });
  t.is(creditEnd(begun.state), 0);
});

test('the proved list brings a new want with credit', (t) => {
  t.like(filling, { stage: 'filling', epoch: 1001, wants: 2, seen: 0, end: LEAVES });
  t.is(creditEnd(filling), CREDIT_LEAVES);
});

test('leaves that are on disk already are neither asked for nor counted against the credit', (t) => {
  const bits = Buffer.alloc(25);
  bits.fill(0xff, 0, 10);
  const have = LeafBitmap.fromBits(LEAVES, bits).with(90);
  const { state } = play(begun.state, [{ type: 'listed', have }]);
  t.like(state, { seen: 80, end: LEAVES });
  t.is(creditEnd(state), 80 + CREDIT_LEAVES + 1);
});

test('a list that is all on disk completes at once', (t) => {
  const have = LeafBitmap.fromBits(LEAVES, Buffer.alloc(25, 0xff));
  const { state, effects } = play(begun.state, [{ type: 'listed', have }]);
  t.is(state.stage, 'complete');
  t.deepEqual(effects, []);
});

test('every quarter of the credit is acknowledged, and the credit moves on', (t) => {
  const quarter = CREDIT_LEAVES / 4;
  t.deepEqual(play(filling, stored(0, quarter - 1)).effects, []);
  const { state, effects } = play(filling, stored(0, quarter));
  t.deepEqual(effects, ['ack']);
  t.is(creditEnd(state), quarter + CREDIT_LEAVES);
});

test('a lost chunk does not hold the credit up', (t) => {
  const { state } = play(filling, stored(3, 19));
  t.is(state.seen, 19);
  t.is(creditEnd(state), 19 + CREDIT_LEAVES);
  t.is(state.have.firstMissing, 0);
});

test('the end of a pass with gaps asks for the gaps at once, under a new epoch', (t) => {
  const events = [...stored(0, 50), ...stored(51, LEAVES)];
  const { state, effects } = play(filling, events);
  t.is(effects.at(-1), 'want');
  t.like(state, { stage: 'filling', epoch: 1002, seen: 50, end: 51 });
  t.is(creditEnd(state), LEAVES);
  t.is(play(state, stored(50, 51)).state.stage, 'complete');
});

test('the last missing leaf completes the transfer and nothing happens afterwards', (t) => {
  const { state, effects } = play(filling, stored(0, LEAVES));
  t.is(state.stage, 'complete');
  t.false(effects.includes('want'));
  const after = play(state, [{ type: 'ticked' }, { type: 'resumed' }], 60_000);
  t.deepEqual(after, { state, effects: [] });
});

test('a short silence is acknowledged, a long one is a stall', (t) => {
  const some = play(filling, stored(0, 3), 100).state;
  t.deepEqual(play(some, [{ type: 'ticked' }], 100 + ACK_SILENCE_MS - 1).effects, []);
  const acked = play(some, [{ type: 'ticked' }], 100 + ACK_SILENCE_MS);
  t.deepEqual(acked.effects, ['ack']);
  t.deepEqual(play(acked.state, [{ type: 'ticked' }], 500).effects, []);
  const stalled = play(acked.state, [{ type: 'ticked' }], 100 + STALL_MS);
  t.deepEqual(stalled.effects, ['want']);
  t.like(stalled.state, { epoch: 1002, stalls: 1, seen: 3 });
  t.deepEqual(play(stalled.state, [{ type: 'ticked' }], 101 + STALL_MS).effects, []);
});

test('parts of the list and chunks of an older want put the stall off', (t) => {
  const part = play(begun.state, [{ type: 'heard' }], 1500).state;
  t.deepEqual(play(part, [{ type: 'ticked' }], STALL_MS).effects, []);
  t.deepEqual(play(part, [{ type: 'ticked' }], 1500 + STALL_MS).effects, ['want']);
  const stale = play(filling, [{ type: 'heard' }], 1500).state;
  t.deepEqual(play(stale, [{ type: 'ticked' }], STALL_MS).effects, []);
  t.is(stale.seen, 0);
});

test('a device that answers with nothing useful is given up', (t) => {
  let { state } = begun;
  let wants = begun.effects.length;
  for (let ms = STALL_MS; state.stage === 'listing'; ms += STALL_MS) {
    const step = play(state, [{ type: 'ticked' }], ms);
    state = step.state;
    wants += step.effects.length;
  }
  t.is(state.stage, 'abandoned');
  t.is(wants, WANTS_FRUITLESS_MAX);
});

test('spoiled chunks let the pass go on, but do not count as progress', (t) => {
  const gap = play(filling, [...stored(0, 50), ...stored(51, LEAVES)]).state;
  const spoiled: TransferEvent = { type: 'chunkArrived', index: 50, outcome: 'spoiled' };
  const rounds = Array.from({ length: WANTS_FRUITLESS_MAX }, () => spoiled);
  const { state, effects } = play(gap, rounds);
  t.is(state.stage, 'abandoned');
  t.is(effects.length, WANTS_FRUITLESS_MAX - 1);
});

test('something stored in between keeps a slow device from being given up', (t) => {
  let state = filling;
  for (let round = 0; round < WANTS_FRUITLESS_MAX * 3; round += 1) {
    state = play(state, [...stored(round, round + 1), { type: 'resumed' }]).state;
  }
  t.is(state.stage, 'filling');
});

test('a device or broker that is back is asked again', (t) => {
  const { state, effects } = play(filling, [...stored(0, 5), { type: 'resumed' }]);
  t.deepEqual(effects, ['want']);
  t.like(state, { epoch: 1002, seen: 5, unacked: 0, stalls: 0 });
});

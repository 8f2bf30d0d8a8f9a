import test from 'ava';
import fc from 'fast-check';
import { hasErrorCode } from '../../../src/errors.js';
import { admit } from '../../../src/sync/device/rate.js';
import { judgeCommand, judgePeer } from '../../../src/sync/device/trigger-check.js';
import type { TriggerVerdict } from '../../../src/sync/device/trigger-check.js';
import {
  decodeCommand,
  decodeCommandState,
  decodePeerNotice,
  encodeCommandState,
} from '../../../src/sync/trigger-messages.js';
import { monotonicMs } from '../../../src/units.js';
import type { MonotonicMs } from '../../../src/units.js';
import {
  commandBytes,
  makeCast,
  newNonce,
  noticeBytes,
  wall,
} from '../../support/sync/triggers.js';

const { fleet, peer, policy } = makeCast();
const good = { command: commandBytes(fleet), peer: noticeBytes(peer) };
const judges: Readonly<Record<keyof typeof good, (payload: Buffer) => TriggerVerdict>> = {
  command: (payload) => judgeCommand(payload, policy, wall()),
  peer: (payload) => judgePeer('cam-2', payload, policy, wall()),
};
const bytes = fc.uint8Array({ maxLength: 9_000 }).map((array) => Buffer.from(array));
const anything = fc.oneof(
  bytes,
  fc.json().map((text) => Buffer.from(text)),
);

for (const kind of ['command', 'peer'] as const) {
  const payload = good[kind];
  test(`${kind}: any bytes are judged and none of them is taken`, (t) => {
    fc.assert(
      fc.property(anything, (given) => {
        t.truthy(judges[kind](given).code);
      }),
      { numRuns: 1000 },
    );
  });

  test(`${kind}: a good one with one bit turned over, cut or doubled is never taken`, (t) => {
    t.is(judges[kind](payload).code, undefined);
    const spoiled = fc.oneof(
      fc.tuple(fc.nat(payload.length - 1), fc.nat(7)).map(([at, bit]) => {
        const copy = Buffer.from(payload);
        copy[at] = (copy[at] ?? 0) ^ (1 << bit);
        return copy;
      }),
      fc.nat(payload.length - 1).map((end) => payload.subarray(0, end)),
      fc.constant(Buffer.concat([payload, payload])),
    );
    fc.assert(
      fc.property(spoiled, (given) => {
        t.truthy(judges[kind](given).code);
      }),
      { numRuns: 2000 },
    );
  });
}

test('every decoder gives a message or sync/malformed for any bytes', (t) => {
  const decoders: readonly ((payload: Buffer) => unknown)[] = [
    decodeCommand,
    decodeCommandState,
    decodePeerNotice,
  ];
  fc.assert(
    fc.property(anything, (given) => {
      for (const decode of decoders) {
        try {
          decode(given);
        } catch (error) {
          t.true(hasErrorCode(error, 'sync/malformed'), String(error));
        }
      }
    }),
    { numRuns: 1000 },
  );
});

test('the state of a command comes back as it was sent', (t) => {
  const state = {
    sid: 'a1',
    nonce: newNonce(),
    state: 'failed',
    result: 'trigger/expired',
  } as const;
  t.like(decodeCommandState(encodeCommandState({ ...state, detail: 'late' })), {
    ...state,
    detail: 'late',
  });
  t.is(decodeCommandState(encodeCommandState(state)).detail, undefined);
});

test('no period holds more than the limit, and a sender within it is never refused', (t) => {
  const limit = { count: 3, periodMs: 100 };
  fc.assert(
    fc.property(fc.array(fc.nat(60), { maxLength: 60 }), (gaps) => {
      let at = 0;
      let times: readonly MonotonicMs[] = [];
      const admitted: number[] = [];
      for (const gap of gaps) {
        at += gap;
        const before = admitted.filter((earlier) => at - earlier < limit.periodMs).length;
        const answer = admit(times, limit, monotonicMs(at));
        ({ times } = answer);
        t.is(answer.isAdmitted, before < limit.count);
        t.true(times.length <= limit.count);
        if (answer.isAdmitted) admitted.push(at);
      }
    }),
  );
});

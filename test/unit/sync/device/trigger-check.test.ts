import test from 'ava';
import { sealDocument } from '../../../../src/evidence/dsse.js';
import { formatEnvelope } from '../../../../src/evidence/dsse.js';
import {
  CLOCK_SKEW_MS,
  COMMAND_LIFE_MS_MAX,
  PEER_LIFE_MS_MAX,
  UNCERTAINTY_MS_MAX,
  judgeCommand,
  judgePeer,
} from '../../../../src/sync/device/trigger-check.js';
import type { TriggerCode } from '../../../../src/sync/device/trigger-check.js';
import { COMMAND_BYTES_MAX, PEER_NOTICE_BYTES_MAX } from '../../../../src/sync/trigger-messages.js';
import { makeDevice } from '../../../support/sync/sealed-segment.js';
import {
  NOW,
  commandBytes,
  makeCast,
  newNonce,
  noticeBytes,
  startFor,
  wall,
} from '../../../support/sync/triggers.js';

const cast = makeCast();
const { fleet, clerk, receiver, peer, stranger, policy } = cast;
const nonce = newNonce();

test('a start that a fleet key signed for this camera is taken, with who signed it', (t) => {
  const { fact, code } = judgeCommand(commandBytes(fleet, { nonce }), policy, wall());
  t.is(code, undefined);
  t.deepEqual(fact, { kind: 'command', op: 'start', by: 'fleet-1', key: fleet.keyId, nonce });
});

const envelope = startFor(fleet);
const [signature] = envelope.signatures;
const text = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));
const commands: readonly [what: string, payload: Buffer, code: TriggerCode][] = [
  ['of 4,097 bytes', Buffer.alloc(COMMAND_BYTES_MAX + 1, 0x20), 'trigger/too-large'],
  ['that is no JSON', Buffer.from('start!'), 'trigger/unsigned'],
  ['that is a bare document', text({ v: 1, type: 'cmd', op: 'start' }), 'trigger/unsigned'],
  ['without a signature', text({ ...envelope, signatures: [] }), 'trigger/unsigned'],
  [
    'whose signature is of another document',
    Buffer.from(
      formatEnvelope({
        ...startFor(fleet),
        signatures: signature === undefined ? [] : [signature],
      }),
    ),
    'trigger/unsigned',
  ],
  ['of an unknown key', commandBytes(stranger), 'trigger/unknown-key'],
  ['of a fleet key without the role', commandBytes(clerk), 'trigger/wrong-role'],
  ['of a receiver', commandBytes(receiver), 'trigger/wrong-role'],
  ['of another camera', commandBytes(peer.deviceKey), 'trigger/wrong-role'],
  [
    'for another camera',
    commandBytes(fleet, { target: { device: 'cam-9' } }),
    'trigger/other-device',
  ],
  ['to stop', commandBytes(fleet, { op: 'stop' }), 'trigger/forbidden'],
  [
    'that lives for longer than ten minutes',
    commandBytes(fleet, { expires: NOW + COMMAND_LIFE_MS_MAX + 1 }),
    'trigger/malformed',
  ],
  ['that expires before it is issued', commandBytes(fleet, { expires: NOW }), 'trigger/malformed'],
  [
    'of another kind of document',
    Buffer.from(
      formatEnvelope(sealDocument({ v: 1 }, 'application/vnd.lapel.config.v1+json', fleet)),
    ),
    'trigger/malformed',
  ],
  [
    'with a field too many',
    Buffer.from(
      formatEnvelope(
        sealDocument(
          { v: 1, type: 'cmd', op: 'start' },
          'application/vnd.lapel.cmd.v1+json',
          fleet,
        ),
      ),
    ),
    'trigger/malformed',
  ],
];
for (const [what, payload, code] of commands) {
  test(`a command ${what} is ${code}`, (t) => {
    t.is(judgeCommand(payload, policy, wall()).code, code);
  });
}

test('where commands are off, a good one is forbidden and a forged one is still called forged', (t) => {
  const off = { ...policy, obeysCommands: false };
  t.is(judgeCommand(commandBytes(fleet), off, wall()).code, 'trigger/forbidden');
  t.is(judgeCommand(commandBytes(stranger), off, wall()).code, 'trigger/unknown-key');
});

test('a command counts from when it was issued until it expires, with what the clocks may be off', (t) => {
  const payload = commandBytes(fleet);
  const at = (ms: number, uncertaintyMs = 0): TriggerCode | undefined =>
    judgeCommand(payload, policy, wall(ms, uncertaintyMs)).code;
  const last = NOW + 20_000 + CLOCK_SKEW_MS;
  t.is(at(NOW - CLOCK_SKEW_MS), undefined);
  t.is(at(NOW - CLOCK_SKEW_MS - 1), 'trigger/early');
  t.is(at(last), undefined);
  t.is(at(last + 1), 'trigger/expired');
  t.is(at(last + 1, 1), undefined);
  t.is(at(last + UNCERTAINTY_MS_MAX, 3_600_000), undefined, 'an unsure clock is allowed for');
  t.is(at(last + UNCERTAINTY_MS_MAX + 1, 3_600_000), 'trigger/expired', 'but not without end');
});

test('a camera that has no time takes nothing, since it cannot tell old from new', (t) => {
  const unset = { ...wall(), source: 'unset' } as const;
  t.is(judgeCommand(commandBytes(fleet), policy, unset).code, 'trigger/no-time');
  t.is(judgePeer('cam-2', noticeBytes(peer), policy, unset).code, 'trigger/no-time');
});

test('the word of a known camera is taken, its start as well as its stop', (t) => {
  for (const event of ['start', 'stop'] as const) {
    const payload = noticeBytes(peer, { event, nonce });
    const { fact, code } = judgePeer('cam-2', payload, policy, wall());
    t.is(code, undefined);
    const key = peer.session.keyId;
    t.deepEqual(fact, { kind: 'peer', op: event, by: 'cam-2', key, nonce });
  }
});

const other = makeDevice('cam-3');
const later = makeDevice('cam-2', 4, peer.deviceKey);
const peers: readonly [what: string, payload: Buffer, code: TriggerCode][] = [
  ['of 8,193 bytes', Buffer.alloc(PEER_NOTICE_BYTES_MAX + 1, 0x20), 'trigger/too-large'],
  ['that is no JSON', Buffer.from('start'), 'trigger/unsigned'],
  ['that nobody signed', text({ v: 1, event: 'start', device: 'cam-2' }), 'trigger/unsigned'],
  [
    'of a camera that is not this one, under its name',
    noticeBytes(other, { device: 'cam-2' }),
    'trigger/unknown-key',
  ],
  [
    'that another key signed beside a good certificate',
    noticeBytes(peer, {}, { session: stranger }),
    'trigger/unsigned',
  ],
  ['that names another camera', noticeBytes(peer, { device: 'cam-3' }), 'trigger/malformed'],
  ['that names another boot', noticeBytes(peer, { boot: 9 }), 'trigger/malformed'],
  [
    'with the certificate of another boot',
    noticeBytes(peer, {}, { cert: later.certificate }),
    'trigger/unsigned',
  ],
  [
    'that lives for longer than ten seconds',
    noticeBytes(peer, { expires: NOW + PEER_LIFE_MS_MAX + 1 }),
    'trigger/malformed',
  ],
  ['of a minute ago', noticeBytes(peer, {}, { now: NOW - 60_000 }), 'trigger/expired'],
  ['of the next minute', noticeBytes(peer, {}, { now: NOW + 60_000 }), 'trigger/early'],
];
for (const [what, payload, code] of peers) {
  test(`a notice ${what} is ${code}`, (t) => {
    t.is(judgePeer('cam-2', payload, policy, wall()).code, code);
  });
}

test('a camera that is not on the list is unknown, and where peers are not followed a good word is forbidden', (t) => {
  t.is(judgePeer('cam-3', noticeBytes(other), policy, wall()).code, 'trigger/unknown-key');
  const off = { ...policy, followsPeers: false };
  t.is(judgePeer('cam-2', noticeBytes(peer), off, wall()).code, 'trigger/forbidden');
});

test('what the clock of the other camera may be off is allowed for, within half a minute', (t) => {
  const at = (uncertaintyMs: number): TriggerCode | undefined => {
    const payload = noticeBytes(peer, { uncertainty_ms: uncertaintyMs }, { now: NOW - 35_000 });
    return judgePeer('cam-2', payload, policy, wall(NOW, 0)).code;
  };
  t.is(at(10), 'trigger/expired');
  t.is(at(30_000), undefined);
  t.is(
    judgePeer(
      'cam-2',
      noticeBytes(peer, { uncertainty_ms: 9e9 }, { now: NOW - 45_000 }),
      policy,
      wall(NOW, 0),
    ).code,
    'trigger/expired',
  );
});

import test from 'ava';
import { DockLink } from '../../../../src/sync/device/dock-link.js';
import type { DeviceFault } from '../../../../src/sync/device/dock-link.js';
import { encodeWant } from '../../../../src/sync/messages.js';
import type { MqttConnection } from '../../../../src/sync/ports.js';
import { Tally } from '../../../../src/sync/tally.js';
import { downTopic, inboxTopic } from '../../../../src/sync/topics.js';
import { CardSegments } from '../../../support/sync/card-segments.js';
import { makeDevice, makeSigner, sealSegment } from '../../../support/sync/sealed-segment.js';
import { quiet } from '../../../support/sync/station.js';

test('a forged want silences a receiver until the next offer at most', async (t) => {
  const owner = makeDevice('cam-1');
  const segment = sealSegment(owner, { plainBytes: 10 });
  let hear: (topic: string, payload: Buffer) => void = () => undefined;
  const connection: MqttConnection = {
    publish: () => Promise.resolve(),
    subscribe: () => Promise.resolve(),
    onMessage: (listener) => {
      hear = listener;
      return () => undefined;
    },
    onConnected: () => () => undefined,
    close: () => Promise.resolve(),
  };
  const receivers = [{ rx: 'rx1', publicKey: makeSigner().publicKey }];
  const tally = new Tally<DeviceFault>(quiet);
  let heard = 0;
  const listener = {
    connected: () => undefined,
    receiverStarted: () => undefined,
    heard: () => (heard += 1),
    receipt: () => undefined,
    sent: () => undefined,
  };
  const card = new CardSegments([owner], [segment]);
  const identity = { ...owner, receivers };
  const link = new DockLink('s1', connection, identity, card, listener, quiet, tally);
  const pending = [{ ...segment, bytes: segment.ciphertext.length }];
  const want = (epoch: number): void => {
    const asked = { leaves: false, meta: false, heads: false, have: Buffer.alloc(0), creditEnd: 0 };
    const to = inboxTopic('rx1', 'cam-1');
    const bytes = encodeWant({ sid: 's1', rx: 'rx1', key: 1, epoch, to, ...asked });
    hear(downTopic('cam-1', 'want'), bytes);
  };
  link.offer(pending, new Map());
  want(2 ** 32 - 1);
  want(100);
  t.deepEqual([heard, tally.count('stale-want')], [1, 1]);
  link.offer(pending, new Map());
  want(101);
  want(2 ** 32 - 1);
  want(102);
  t.deepEqual([heard, tally.count('epoch-jump')], [3, 1]);
  await link.close();
});

import { randomBytes } from 'node:crypto';
import type { WallTime } from '../../../src/clock.js';
import { sealCommand } from '../../../src/evidence/command.js';
import type { Command } from '../../../src/evidence/command.js';
import type { Envelope } from '../../../src/evidence/dsse.js';
import { sealPeerNotice } from '../../../src/evidence/peer-notice.js';
import type { PeerNotice } from '../../../src/evidence/peer-notice.js';
import type { Signer } from '../../../src/evidence/signer.js';
import type { TriggerPolicy } from '../../../src/sync/device/trigger-check.js';
import { encodeCommand, encodePeerNotice } from '../../../src/sync/trigger-messages.js';
import { wallTimeMs } from '../../../src/units.js';
import { makeDevice, makeSigner } from './sealed-segment.js';
import type { TestDevice } from './sealed-segment.js';

export const NOW = 1_795_500_000_000;
export const wall = (ms = NOW, uncertaintyMs = 10): WallTime => ({
  ms: wallTimeMs(ms),
  source: 'ntp',
  uncertaintyMs,
});
export const newNonce = (): string => randomBytes(16).toString('hex');

/** Everybody who may send something to the camera `cam-1`. */
export interface Cast {
  readonly fleet: Signer;
  /** A fleet key that may not command. */
  readonly clerk: Signer;
  readonly receiver: Signer;
  readonly peer: TestDevice;
  readonly stranger: Signer;
  readonly policy: TriggerPolicy;
}

export function makeCast(policy: Partial<TriggerPolicy> = {}): Cast {
  const [fleet, clerk, receiver, stranger] = [
    makeSigner(),
    makeSigner(),
    makeSigner(),
    makeSigner(),
  ];
  const peer = makeDevice('cam-2');
  return {
    ...{ fleet, clerk, receiver, peer, stranger },
    policy: {
      device: 'cam-1',
      obeysCommands: true,
      followsPeers: true,
      fleet: [
        { id: 'fleet-1', publicKey: fleet.publicKey, roles: ['command', 'config'] },
        { id: 'clerk', publicKey: clerk.publicKey, roles: ['config'] },
      ],
      peers: [{ device: 'cam-2', publicKey: peer.deviceKey.publicKey }],
      otherKeys: [receiver.publicKey],
      ...policy,
    },
  };
}

/** A start for `cam-1`, good for twenty seconds, but for what a test changes. */
export const startFor = (
  signer: Signer,
  changes: Partial<Omit<Command, 'v' | 'type'>> = {},
  now = NOW,
): Envelope =>
  sealCommand(
    {
      target: { device: 'cam-1' },
      op: 'start',
      nonce: newNonce(),
      issued: now,
      expires: now + 20_000,
      ...changes,
    },
    signer,
  );

export const commandBytes = (...given: Parameters<typeof startFor>): Buffer =>
  encodeCommand(startFor(...given));

/** The word of `peer` that it started, but for what a test changes. */
export function noticeBytes(
  peer: TestDevice,
  changes: Partial<Omit<PeerNotice, 'v' | 'type'>> = {},
  { session = peer.session, cert = peer.certificate, now = NOW } = {},
): Buffer {
  const doc = sealPeerNotice(
    {
      device: peer.device,
      boot: peer.boot,
      rec: 1,
      event: 'start',
      trigger: 'press',
      nonce: newNonce(),
      issued: now,
      expires: now + 10_000,
      uncertainty_ms: 10,
      ...changes,
    },
    session,
  );
  return encodePeerNotice({ cert, doc });
}

import { z } from 'zod';
import { MEDIA_TYPES, openAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import type { Envelope } from './dsse.js';
import { count, counter, deviceId, nonce } from './fields.js';
import type { Signer } from './signer.js';

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('peer'),
  /** The camera that says it, its boot and its recording. */
  device: deviceId,
  boot: counter,
  rec: counter,
  event: z.enum(['start', 'stop']),
  /** What it started by. Never by another camera: a start is told on by nobody. */
  trigger: z.enum(['press', 'fall']),
  nonce,
  /** Wall milliseconds between which it counts, and how far the clock behind them may be off. */
  issued: count,
  expires: count,
  uncertainty_ms: count,
});

/** What a camera tells the cameras around it: that it began to record, or that it ended what it had told. */
export type PeerNotice = z.infer<typeof schema>;

const kind: DocumentKind<PeerNotice> = { name: 'peer notice', type: MEDIA_TYPES.peer, schema };

export const sealPeerNotice = (
  notice: Omit<PeerNotice, 'v' | 'type'>,
  session: Pick<Signer, 'sign' | 'keyId'>,
): Envelope => sealAs(kind, { v: 1, type: 'peer', ...notice }, session);

/** Throws `evidence/bad-signature` or `evidence/malformed`. */
export const openPeerNotice = (envelope: Envelope, sessionPublicKey: Buffer): PeerNotice =>
  openAs(kind, envelope, [sessionPublicKey]);

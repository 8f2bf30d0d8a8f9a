import { z } from 'zod';
import { messageOf } from '../errors.js';
import { envelopeSchema, formatEnvelope, parseEnvelope } from '../evidence/dsse.js';
import type { Envelope } from '../evidence/dsse.js';
import { CameraError } from '../errors.js';
import { decode, encode, version } from './messages.js';

/** A command is 300 bytes of document in an envelope; eight signatures come to a kilobyte more. */
export const COMMAND_BYTES_MAX = 4_096;
/** A certificate and a document, half a kilobyte each, in their envelopes. */
export const PEER_NOTICE_BYTES_MAX = 8_192;

const id = z.string().max(64);

const commandStateSchema = z.object({
  v: version,
  sid: id,
  nonce: z.string().regex(/^[0-9a-f]{32}$/),
  state: z.enum(['received', 'running', 'done', 'failed']),
  /** A code word: what it came to when `done`, why not when `failed`. */
  result: z.string().max(64).optional(),
  /** In words, for people. */
  detail: z.string().max(300).optional(),
});

/** What a device says about a command: at most once `received`, then once `done` or `failed`. Not signed. */
export interface CommandState {
  readonly sid: string;
  readonly nonce: string;
  readonly state: 'received' | 'running' | 'done' | 'failed';
  readonly result?: string | undefined;
  readonly detail?: string | undefined;
}

export const encodeCommandState = (state: CommandState): Buffer => encode('command state', state);
/** Throws `sync/malformed`. */
export const decodeCommandState = (payload: Buffer): CommandState => {
  const { sid, nonce, state, result, detail } = decode(
    'command state',
    commandStateSchema,
    payload,
  );
  return { sid, nonce, state, result, detail };
};

/** A command on the wire is its envelope in the one text form. */
export const encodeCommand = (command: Envelope): Buffer =>
  Buffer.from(formatEnvelope(command), 'utf8');
/** Throws `sync/malformed` for what is no envelope, and for one that is too large. */
export function decodeCommand(payload: Buffer): Envelope {
  try {
    return parseEnvelope(payload.toString('utf8'));
  } catch (cause) {
    throw new CameraError('sync/malformed', `command: ${messageOf(cause)}`, { cause });
  }
}

const peerNoticeSchema = z.object({ v: version, cert: envelopeSchema, doc: envelopeSchema });

/** A peer notice and the certificate of the session key that signed it. */
export interface SignedPeerNotice {
  readonly cert: Envelope;
  readonly doc: Envelope;
}

export const encodePeerNotice = (notice: SignedPeerNotice): Buffer => encode('peer notice', notice);
/** Throws `sync/malformed`. */
export const decodePeerNotice = (payload: Buffer): SignedPeerNotice => {
  const { cert, doc } = decode('peer notice', peerNoticeSchema, payload);
  return { cert, doc };
};

import { z } from 'zod';
import { MEDIA_TYPES, readAs, sealAs } from './documents.js';
import type { DocumentKind } from './documents.js';
import { decodePayload } from './dsse.js';
import type { Envelope } from './dsse.js';
import { count, deviceId, nonce } from './fields.js';
import type { Signer } from './signer.js';

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('cmd'),
  /** Which camera it is for. */
  target: z.strictObject({ device: deviceId }),
  /** What is to be done; a camera refuses what it does not know. */
  op: z.string().regex(/^[a-z][a-z-]{0,31}$/),
  /** Random; a camera takes each only once. */
  nonce,
  /** Wall milliseconds between which it counts. */
  issued: count,
  expires: count,
});

/** What a fleet manager tells one camera to do. */
export type Command = z.infer<typeof schema>;

const kind: DocumentKind<Command> = { name: 'command', type: MEDIA_TYPES.command, schema };

export const sealCommand = (command: Omit<Command, 'v' | 'type'>, fleetKey: Signer): Envelope =>
  sealAs(kind, { v: 1, type: 'cmd', ...command }, fleetKey);

/** A command whose signature is checked elsewhere. Throws `evidence/malformed`. */
export const readCommand = (envelope: Envelope): Command => readAs(kind, decodePayload(envelope));

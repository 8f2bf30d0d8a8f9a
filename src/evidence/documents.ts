import type { z } from 'zod';
import { CameraError } from '../errors.js';
import { openEnvelope, sealDocument } from './dsse.js';
import type { Envelope } from './dsse.js';
import { parseCanonical } from './jcs.js';
import type { Signer } from './signer.js';

/** Every kind of signed document and its media type. The type is under the signature; a new version is a new type. */
export const MEDIA_TYPES = {
  sessionKey: 'application/vnd.lapel.session-key.v1+json',
  head: 'application/vnd.lapel.head.v1+json',
  segment: 'application/vnd.lapel.segment.v1+json',
  entry: 'application/vnd.lapel.entry.v1+json',
  rotation: 'application/vnd.lapel.key-rotate.v1+json',
  receipt: 'application/vnd.lapel.receipt.v1+json',
  command: 'application/vnd.lapel.cmd.v1+json',
  peer: 'application/vnd.lapel.peer.v1+json',
} as const;

export type MediaType = (typeof MEDIA_TYPES)[keyof typeof MEDIA_TYPES];

/** What a kind of document is: its name for messages, its media type, its shape. */
export interface DocumentKind<T> {
  readonly name: string;
  readonly type: MediaType;
  readonly schema: z.ZodType<T>;
}

const shapeFault = (kind: DocumentKind<unknown>, error: z.ZodError): string => {
  const [issue] = error.issues;
  const path = issue?.path.map(String).join('.') ?? '';
  return `not a ${kind.name}: ${path === '' ? '' : `${path}: `}${issue?.message ?? 'wrong shape'}`;
};

/** Signs a document of this kind. Throws `internal/bug` when it has not the shape of its kind. */
export function sealAs<T>(
  kind: DocumentKind<T>,
  document: T,
  signer: Pick<Signer, 'sign' | 'keyId'>,
): Envelope {
  const result = kind.schema.safeParse(document);
  if (!result.success) throw new CameraError('internal/bug', shapeFault(kind, result.error));
  return sealDocument(result.data, kind.type, signer);
}

/** Reads a body of this kind. Throws `evidence/malformed` when it is not canonical JSON of its shape. */
export function readAs<T>(kind: DocumentKind<T>, body: Buffer): T {
  const result = kind.schema.safeParse(parseCanonical(body));
  if (!result.success) {
    throw new CameraError('evidence/malformed', shapeFault(kind, result.error));
  }
  return result.data;
}

/** Verifies, then reads. Throws `evidence/bad-signature` or `evidence/malformed`. */
export const openAs = <T>(
  kind: DocumentKind<T>,
  envelope: Envelope,
  publicKeys: readonly Buffer[],
): T => readAs(kind, openEnvelope(envelope, kind.type, publicKeys));

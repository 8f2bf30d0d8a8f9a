import canonicalize from 'canonicalize';
import { CameraError } from '../errors.js';

/** Half of a surrogate pair: has no UTF-8 form. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Evidence documents are three levels deep, configuration four; the limit keeps hostile nesting off the stack. */
export const DEPTH_MAX = 16;

/**
 * Throws `evidence/malformed` for what I-JSON (RFC 7493) or this format excludes: fractions, integers beyond ±2^53,
 * lone surrogates, undefined, deep nesting. canonicalize itself lets most of them pass.
 */
function assertPortable(value: unknown, depth: number): void {
  if (depth > DEPTH_MAX) throw new CameraError('evidence/malformed', 'document is nested too deep');
  switch (typeof value) {
    case 'boolean':
      return;
    case 'string':
      if (LONE_SURROGATE.test(value)) {
        throw new CameraError('evidence/malformed', 'text holds half of a surrogate pair');
      }
      return;
    case 'number':
      if (!Number.isSafeInteger(value) || Object.is(value, -0)) {
        throw new CameraError('evidence/malformed', `${value} is not a plain integer`);
      }
      return;
    case 'object':
      if (value === null) return;
      for (const [key, member] of Object.entries(value)) {
        assertPortable(key, depth + 1);
        assertPortable(member, depth + 1);
      }
      return;
    default:
      throw new CameraError('evidence/malformed', `${typeof value} has no JSON form`);
  }
}

/**
 * The one byte form of a document: JCS (RFC 8785), so that equal facts have equal digests. Integers only.
 * Throws `evidence/malformed` for a document that has no such form.
 */
export function toCanonicalBytes(document: unknown): Buffer {
  assertPortable(document, 0);
  const text = canonicalize(document);
  if (text === undefined) throw new CameraError('evidence/malformed', 'document has no JSON form');
  return Buffer.from(text, 'utf8');
}

/**
 * Parses bytes that must be exactly what `toCanonicalBytes` writes: no white space, no doubled or reordered keys, no
 * second spelling of a number or character. Throws `evidence/malformed` otherwise.
 */
export function parseCanonical(bytes: Buffer): unknown {
  let document: unknown;
  try {
    document = JSON.parse(bytes.toString('utf8'));
  } catch (cause) {
    throw new CameraError('evidence/malformed', 'document is not JSON', { cause });
  }
  if (!toCanonicalBytes(document).equals(bytes)) {
    throw new CameraError('evidence/malformed', 'document is not in its canonical form (RFC 8785)');
  }
  return document;
}

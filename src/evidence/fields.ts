import { z } from 'zod';
import { ID_PATTERN, parseSegmentRef } from '../units.js';

/** Fields that several documents share. All numbers are integers: floats have no one text form. */

/** Boots, recordings, sequences: at most 10 digits, as in paths. */
export const counter = z.int().min(0).max(9_999_999_999);
/** Sizes, offsets, ticks, milliseconds. */
export const count = z.int().min(0);
/** SHA-256 in lower-case hex. */
export const digest = z.string().regex(/^[0-9a-f]{64}$/);
export const keyId = z.string().regex(/^[0-9a-f]{16}$/);
export const deviceId = z.string().regex(ID_PATTERN);
/** `<boot>/<rec>/<seq>`. */
export const segmentText = z
  .string()
  .max(32)
  .refine((text) => parseSegmentRef(text) !== undefined, 'not <boot>/<rec>/<seq>');
/** `<boot>/<rec>`. */
export const recordingText = z
  .string()
  .max(21)
  .refine((text) => parseSegmentRef(`${text}/0`) !== undefined, 'not <boot>/<rec>');
/** Words for people and code words; the limit keeps a document small. */
export const words = z.string().max(500);

/** What makes a document one of its kind: 16 random bytes in hex. */
export const nonce = z.string().regex(/^[0-9a-f]{32}$/);

/** A wall time and how far to believe it. */
export const claimedTime = z.strictObject({
  source: z.enum(['gnss', 'ntp', 'rtc', 'unset']),
  wall_ms: count,
  uncertainty_ms: count,
});

/** The digest of nothing before: `prev` of the first manifest of a recording. */
export const NO_DIGEST = '0'.repeat(64);

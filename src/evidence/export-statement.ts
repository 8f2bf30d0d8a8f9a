import { z } from 'zod';
import { CameraError } from '../errors.js';
import { count, counter, deviceId, digest, keyId, segmentText, words } from './fields.js';
import { parseCanonical, toCanonicalBytes } from './jcs.js';
import { PRINCIPAL_PATTERN } from './ssh-signature.js';

/** A recording of a day in segments of a minute, and as many again that are missing. */
const SEGMENTS_MAX = 10_000;
/** Six files a segment, and what stands beside them. */
const FILES_MAX = 100_000;
/** The largest statement that the limits allow stays below. */
export const STATEMENT_BYTES_MAX = 32 * 1024 * 1024;

const state = z.enum(['ok', 'ok-with-missing', 'not-feasible', 'not-ok']);

/** A path below the directory of the MP4, with `/` between its parts, none of them `.` or `..`. */
const fileName = z
  .string()
  .min(1)
  .max(1_000)
  .refine(
    (name) => name.split('/').every((part) => part !== '' && part !== '.' && part !== '..'),
    'not a path below',
  );

const schema = z.strictObject({
  v: z.literal(1),
  type: z.literal('export'),
  /** Wall milliseconds of the machine that exported, as its clock claimed. */
  created_ms: count,
  /** Who exported: the name under which the key stands in `allowed_signers`. */
  exporter: z.string().regex(PRINCIPAL_PATTERN),
  /** Id of the key that signs the export, and the key as SubjectPublicKeyInfo in base64. */
  key: keyId,
  spki: z.string().max(80),
  /** What was exported; the device is null when no manifest named it. */
  device: deviceId.nullable(),
  boot: counter,
  rec: counter,
  /** Name of the MP4 among `files`. */
  mp4: fileName,
  /** Every file of the export but the report, this statement, the list of digests and signatures. */
  files: z.array(z.strictObject({ name: fileName, size: count, sha256: digest })).max(FILES_MAX),
  /** What the verification said of the recording before the export; null when no trust file was given. */
  verified: state.nullable(),
  /** Its findings, one sentence each. */
  problems: z.array(words).max(SEGMENTS_MAX),
  segments: z
    .array(
      z.strictObject({
        seg: segmentText,
        /** What the verification said of it. */
        verified: state.nullable(),
        /** How much of it is in the MP4. `part`: up to where it was cut or changed. */
        in_mp4: z.enum(['whole', 'part', 'none']),
        /** Where its pictures stand in the MP4, and how many there are. */
        at_ms: count,
        duration_ms: count,
        frames: count,
      }),
    )
    .max(SEGMENTS_MAX),
  /** Segments that are not there at all. */
  missing: z.array(segmentText).max(SEGMENTS_MAX),
});

/** What an export consists of and where it comes from: `export.json` of the bundle. */
export type ExportStatement = z.infer<typeof schema>;

/** The one text form: JCS and a newline. Throws `internal/bug` for a statement that has not its shape. */
export function formatStatement(statement: ExportStatement): Buffer {
  const { data, error } = schema.safeParse(statement);
  if (data === undefined) {
    const [issue] = error.issues;
    const place = issue?.path.map(String).join('.') ?? '';
    throw new CameraError('internal/bug', `export statement: ${place} ${issue?.message ?? ''}`);
  }
  return Buffer.concat([toCanonicalBytes(data), Buffer.from('\n')]);
}

/** Reads `export.json`. Throws `evidence/malformed` when it is anything else, or not in its one form. */
export function readStatement(bytes: Buffer): ExportStatement {
  if (bytes.length > STATEMENT_BYTES_MAX || bytes.at(-1) !== 0x0a) {
    throw new CameraError('evidence/malformed', 'export statement: not one line');
  }
  const { data, error } = schema.safeParse(parseCanonical(bytes.subarray(0, -1)));
  if (data !== undefined) return data;
  const [issue] = error.issues;
  const place = issue?.path.map(String).join('.') ?? '';
  throw new CameraError('evidence/malformed', `export statement: ${place} ${issue?.message ?? ''}`);
}

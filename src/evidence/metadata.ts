import { z } from 'zod';
import { CameraError } from '../errors.js';
import { claimedTime, count, digest } from './fields.js';

/**
 * The sealed metadata of a segment: NDJSON in `<seq>.meta.age`, one fact a line, integers and strings only. `mono` is in
 * milliseconds of the boot, `media_ms` in milliseconds from the start of the recording.
 */

/** As much as recovery and receivers take of one segment; five minutes with all sensors come to 2 MB. */
export const METADATA_BYTES_MAX = 16 * 1024 * 1024;
/** A second of motion samples is 5,000 characters; no other line comes near. */
const LINE_LENGTH_MAX = 64 * 1024;
/** Lines of five minutes: 300 positions, 300 seconds of motion, marks; ten times as much and more. */
const LINES_MAX = 20_000;
/** Samples in one `imu` line: a second at 100 Hz, twice as many for a clock that catches up. */
export const IMU_SAMPLES_MAX = 200;
/** Longest name of a wearer or of a mount. */
export const NAME_LENGTH_MAX = 64;

const line = <T extends string, S extends z.core.$ZodLooseShape>(type: T, fields: S) =>
  z.strictObject({ type: z.literal(type), ...fields });

const degreesE7 = (most: number) =>
  z
    .int()
    .min(-most * 1e7)
    .max(most * 1e7);
const name = z.string().max(NAME_LENGTH_MAX);
/** x, y, z of each sample, one after the other. */
const axes = z.array(z.int().min(-32_768).max(32_768)).max(3 * IMU_SAMPLES_MAX);

const schema = z.discriminatedUnion('type', [
  /** Of the plaintext tree, 32 bytes. */
  line('salt', { salt: digest }),
  /** When the segment was opened, and what the clock claimed then. */
  line('opened', { mono: count, ...claimedTime.shape }),
  /** When its first picture arrived, and where it stands in the recording. */
  line('start', { mono: count, media_ms: count }),
  /**
   * Who wore the camera and how it was mounted, as configured, null when nobody said; and by how many degrees players turn
   * the pictures, because it was worn upside down.
   */
  line('facts', {
    wearer: name.nullable(),
    mount: name.nullable(),
    rotation: z.literal([0, 180]),
    cfg: digest,
  }),
  /** A wall time that the camera believed in this boot, and when it held. */
  line('clock', { mono: count, ...claimedTime.shape }),
  line('mark', { mono: count, media_ms: count }),
  /**
   * What made the camera keep the motion around it: a start, whose cause is in the manifest, a fall, or what came over the
   * network; `by` is the fleet key or the camera that signed that.
   */
  line('trigger', {
    kind: z.enum(['start', 'fall', 'command', 'peer']),
    mono: count,
    by: name.optional(),
  }),
  /** A part of the recording in which something was withheld or lost. */
  line('interval', {
    kind: z.enum(['mute', 'audio-lost', 'stealth', 'sleep']),
    from_ms: count,
    to_ms: count,
  }),
  /** A position: degrees × 10⁷ (WGS 84), millimetres, hundredths of a degree from true north, HDOP × 100. */
  line('gnss', {
    mono: count,
    media_ms: count,
    lat_e7: degreesE7(90),
    lon_e7: degreesE7(180),
    alt_mm: z.int().nullable(),
    speed_mm_s: count.nullable(),
    course_cdeg: z.int().min(0).max(36_000).nullable(),
    hdop_c: count.nullable(),
    /** Horizontal, estimated from the HDOP. */
    accuracy_mm: count.nullable(),
  }),
  /** Motion: `dt` milliseconds after `mono`, acceleration in mg, turn rate in tenths of a degree a second. */
  line('imu', {
    mono: count,
    media_ms: count,
    dt: z.array(count.max(10_000)).max(IMU_SAMPLES_MAX),
    acc_mg: axes,
    gyro_ddps: axes,
  }),
]);

export type MetadataLine = z.infer<typeof schema>;

/** The lines as a file. The caller's own lines are not checked again: `readMetadata` is the judge. */
export const formatMetadata = (lines: readonly MetadataLine[]): Buffer =>
  Buffer.from(lines.map((fact) => `${JSON.stringify(fact)}\n`).join(''));

/**
 * Every line of a metadata file, in order. Throws `evidence/malformed`, naming the line, for one that is unknown,
 * shapeless or cut: facts are never skipped.
 */
export function readMetadata(bytes: Buffer): readonly MetadataLine[] {
  if (bytes.length > METADATA_BYTES_MAX) throw malformed(`${bytes.length} bytes`);
  const texts = bytes.toString('utf8').split('\n');
  if (texts.pop() !== '') throw malformed('the last line is cut');
  if (texts.length > LINES_MAX) throw malformed(`${texts.length} lines`);
  return texts.map((text, index) => readLine(text, index + 1));
}

function readLine(text: string, number: number): MetadataLine {
  if (text.length > LINE_LENGTH_MAX) throw malformed(`line ${number} is too long`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw malformed(`line ${number} is no JSON`);
  }
  const { data, error } = schema.safeParse(value);
  if (data === undefined) {
    const [issue] = error.issues;
    throw malformed(`line ${number}: ${issue?.path.join('.') ?? ''} ${issue?.message ?? ''}`);
  }
  const isWhole =
    data.type !== 'imu' ||
    (data.acc_mg.length === 3 * data.dt.length && data.gyro_ddps.length === 3 * data.dt.length);
  if (!isWhole) throw malformed(`line ${number}: three values a sample`);
  return data;
}

const malformed = (detail: string): CameraError =>
  new CameraError('evidence/malformed', `metadata: ${detail}`);

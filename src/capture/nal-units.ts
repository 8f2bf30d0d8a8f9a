import { CameraError } from '../errors.js';

// NAL unit types of ITU-T H.264 table 7-1.
const SLICE_MIN = 1;
const IDR_SLICE = 5;
/** Goes before a slice and belongs to it. */
const PREFIX = 14;

/**
 * The NAL units of an access unit, each without its length, which stands before it in `lengthBytes` bytes
 * (ISO/IEC 14496-15 §5.3.2). Throws `capture/malformed-stream` when the lengths do not add up.
 */
export function* nalUnits(accessUnit: Buffer, lengthBytes: number): Generator<Buffer> {
  let at = 0;
  while (at + lengthBytes < accessUnit.length) {
    const length = accessUnit.readUIntBE(at, lengthBytes);
    at += lengthBytes;
    if (length === 0) break;
    if (at + length <= accessUnit.length) yield accessUnit.subarray(at, at + length);
    at += length;
  }
  if (at !== accessUnit.length || at === 0) {
    throw new CameraError(
      'capture/malformed-stream',
      `an access unit of ${accessUnit.length} bytes is not a row of NAL units`,
    );
  }
}

/** What is where in an access unit. */
export interface UnitLayout {
  /**
   * Whether it holds an IDR slice, judged by its NAL units and not by what the encoder flagged: an I picture that is no
   * IDR is no place to cut.
   */
  readonly isIdr: boolean;
  /**
   * Where the length of the first slice stands: after the delimiter, the parameter sets and the SEI of the encoder, which
   * is where another SEI may go (ITU-T H.264 §7.4.1.2.3). The length of the unit when there is no slice.
   */
  readonly slicesAt: number;
}

/** Throws as `nalUnits`. */
export function layoutOf(accessUnit: Buffer, lengthBytes: number): UnitLayout {
  let isIdr = false;
  let slicesAt: number | undefined;
  let at = 0;
  for (const nal of nalUnits(accessUnit, lengthBytes)) {
    const type = nal.readUInt8(0) & 0x1f;
    if (type === IDR_SLICE) isIdr = true;
    if ((type >= SLICE_MIN && type <= IDR_SLICE) || type === PREFIX) slicesAt ??= at;
    at += lengthBytes + nal.length;
  }
  return { isIdr, slicesAt: slicesAt ?? accessUnit.length };
}

/**
 * Puts a NAL unit with its length at `at` of the access unit that fills the last `unitBytes` of `room`, moving only what
 * is before it: the slices stay where they are. Returns the longer access unit, in the same memory. Throws
 * `internal/bug` when there is no room.
 */
export function insertNal(
  room: Buffer,
  unitBytes: number,
  at: number,
  nal: Buffer,
  lengthBytes: number,
): Buffer {
  const before = room.length - unitBytes;
  const start = before - lengthBytes - nal.length;
  if (start < 0) throw new CameraError('internal/bug', `no room for ${nal.length} bytes`);
  room.copyWithin(start, before, before + at);
  room.writeUIntBE(nal.length, start + at, lengthBytes);
  nal.copy(room, start + at + lengthBytes);
  return room.subarray(start);
}

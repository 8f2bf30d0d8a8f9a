import { CameraError } from '../errors.js';

/** Coded slice of an IDR picture: ITU-T H.264 table 7-1. */
const IDR_SLICE = 5;

/**
 * Whether the access unit holds an IDR slice, judged by its NAL units and not by what the encoder flagged: an I picture
 * that is no IDR is no place to cut. Each NAL unit has its length before it in `lengthBytes` bytes
 * (ISO/IEC 14496-15 §5.3.2). Throws `capture/malformed-stream` when the lengths do not add up.
 */
export function hasIdrSlice(accessUnit: Buffer, lengthBytes: number): boolean {
  let found = false;
  let at = 0;
  while (at + lengthBytes < accessUnit.length) {
    const length = accessUnit.readUIntBE(at, lengthBytes);
    at += lengthBytes;
    if (length === 0) break;
    if ((accessUnit.readUInt8(at) & 0x1f) === IDR_SLICE) found = true;
    at += length;
  }
  if (at !== accessUnit.length || at === 0) {
    throw new CameraError(
      'capture/malformed-stream',
      `an access unit of ${accessUnit.length} bytes is not a row of NAL units`,
    );
  }
  return found;
}

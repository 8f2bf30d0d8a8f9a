import { CameraError } from '../errors.js';
import { nalUnits } from './nal-units.js';
import { readSei, seiNal } from './sei.js';

/** When a picture was taken, as its bitstream says it. */
export interface FrameTime {
  /** Microseconds since 1970-01-01 UTC, as POSIX counts them: leap seconds are not in it. Below 2^53. */
  readonly utcMicros: number;
  /** False when the clock is unset, runs by itself, or may be off by more than is worth a frame. */
  readonly isLocked: boolean;
  /** The wall clock was set since the picture before. */
  readonly isStep: boolean;
  /** It was set back. */
  readonly isBackwards: boolean;
}

/** user_data_unregistered: ITU-T H.264 §D.1.6. */
const USER_DATA = 5;
/** The uuid_iso_iec_11578 of MISB ST 0604 for microseconds in H.264. */
const UUID = Buffer.from('MISPmicrosectime', 'latin1');
// The Time Status byte of MISB ST 0603: what is not said is 1.
const STATUS_RESERVED = 0x1f;
const NOT_LOCKED = 0x80;
const DISCONTINUITY = 0x40;
const REVERSE = 0x20;
/** Between each two bytes of the time, so that no time can make a start code. */
const GUARD = 0xff;
const PAYLOAD_BYTES = 28;

/** Every time makes a NAL unit of this length: the guards leave nothing to emulation prevention. */
export const FRAME_TIME_NAL_BYTES = 32;

/**
 * The precision time stamp of MISB ST 0604 as an SEI NAL unit, which NISTIR 8161 asks for: ffmpeg and GStreamer show it
 * as unregistered user data.
 */
export function frameTimeNal({ utcMicros, isLocked, isStep, isBackwards }: FrameTime): Buffer {
  const payload = Buffer.alloc(PAYLOAD_BYTES, GUARD);
  UUID.copy(payload);
  const status = isLocked ? STATUS_RESERVED : STATUS_RESERVED | NOT_LOCKED;
  const step = isBackwards ? DISCONTINUITY | REVERSE : DISCONTINUITY;
  payload.writeUInt8(isStep ? status | step : status, UUID.length);
  const time = BigInt(utcMicros);
  for (let pair = 0n; pair < 4n; pair += 1n) {
    const value = Number((time >> (48n - 16n * pair)) & 0xffffn);
    payload.writeUInt16BE(value, UUID.length + 1 + 3 * Number(pair));
  }
  return seiNal({ type: USER_DATA, payload });
}

/**
 * What an access unit says of its time; undefined when it says nothing. Its NAL units have `lengthBytes` of length
 * before them. Throws `evidence/malformed` for a time that is not one, `capture/malformed-stream` for no access unit.
 */
export function readFrameTime(accessUnit: Buffer, lengthBytes = 4): FrameTime | undefined {
  for (const nal of nalUnits(accessUnit, lengthBytes)) {
    for (const { type, payload } of readSei(nal)) {
      if (type === USER_DATA && payload.subarray(0, UUID.length).equals(UUID)) {
        return readPayload(payload);
      }
    }
  }
  return undefined;
}

function readPayload(payload: Buffer): FrameTime {
  const isShaped =
    payload.length === PAYLOAD_BYTES && [19, 22, 25].every((at) => payload[at] === GUARD);
  if (!isShaped) throw new CameraError('evidence/malformed', 'a frame time without its guards');
  const status = payload.readUInt8(UUID.length);
  const pairs = [17, 20, 23, 26].map((at) => payload.readUInt16BE(at));
  return {
    utcMicros: pairs.reduce((time, pair) => time * 2 ** 16 + pair, 0),
    isLocked: (status & NOT_LOCKED) === 0,
    isStep: (status & DISCONTINUITY) !== 0,
    isBackwards: (status & REVERSE) !== 0,
  };
}

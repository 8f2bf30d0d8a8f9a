import { CameraError } from '../errors.js';

/** Supplemental enhancement information: ITU-T H.264 table 7-1. Its nal_ref_idc is 0 (§7.4.1). */
const SEI_NAL = 6;
/** A type or a size of so much goes on in the next byte: §7.3.2.3.1. */
const GOES_ON = 0xff;
/** rbsp_trailing_bits of a payload that ends with a whole byte: §7.3.2.11. */
const STOP = 0x80;
/** What is put between two zeros and a byte that would make a start code of them: §7.4.1. */
const EMULATION_PREVENTION = 3;

/** One message of an SEI NAL unit. */
export interface SeiMessage {
  /** payloadType of ITU-T H.264 annex D. */
  readonly type: number;
  readonly payload: Buffer;
}

/** An SEI NAL unit with one message: header first, without length or start code, with emulation prevention. */
export function seiNal({ type, payload }: SeiMessage): Buffer {
  const head = [...ffCoded(type), ...ffCoded(payload.length)];
  return Buffer.concat([
    Buffer.of(SEI_NAL),
    preventEmulation(Buffer.concat([Buffer.from(head), payload, Buffer.of(STOP)])),
  ]);
}

/**
 * The messages of a NAL unit, in order; none when it is no SEI. Throws `evidence/malformed` for one whose messages do
 * not fill it.
 */
export function readSei(nal: Buffer): readonly SeiMessage[] {
  if (nal.length === 0 || (nal.readUInt8(0) & 0x1f) !== SEI_NAL) return [];
  const rbsp = withoutPrevention(nal.subarray(1));
  const messages: SeiMessage[] = [];
  let at = 0;
  const coded = (): number => {
    let value = 0;
    for (; rbsp[at] === GOES_ON; at += 1) value += GOES_ON;
    value += rbsp[at] ?? 0;
    at += 1;
    return value;
  };
  do {
    const [type, size] = [coded(), coded()];
    if (at + size >= rbsp.length) throw new CameraError('evidence/malformed', 'an SEI that is cut');
    messages.push({ type, payload: rbsp.subarray(at, at + size) });
    at += size;
  } while (rbsp[at] !== STOP || at !== rbsp.length - 1);
  return messages;
}

function ffCoded(value: number): readonly number[] {
  const whole = Math.floor(value / GOES_ON);
  return [...Array.from({ length: whole }, () => GOES_ON), value - whole * GOES_ON];
}

/** The same bytes when nothing in them looks like a start code; a copy with 3s between otherwise. */
function preventEmulation(rbsp: Buffer): Buffer {
  const places = placesOf(rbsp, (byte) => byte <= EMULATION_PREVENTION, true);
  if (places.length === 0) return rbsp;
  const parts: Buffer[] = [];
  let from = 0;
  for (const place of places) {
    parts.push(rbsp.subarray(from, place), Buffer.of(EMULATION_PREVENTION));
    from = place;
  }
  return Buffer.concat([...parts, rbsp.subarray(from)]);
}

function withoutPrevention(bytes: Buffer): Buffer {
  const places = placesOf(bytes, (byte) => byte === EMULATION_PREVENTION, false);
  if (places.length === 0) return bytes;
  let from = 0;
  const parts = places.map((place) => {
    const part = bytes.subarray(from, place);
    from = place + 1;
    return part;
  });
  return Buffer.concat([...parts, bytes.subarray(from)]);
}

/** Where a byte that is `wanted` stands behind two zeros. Such a byte counts as a zero for the next only if it `stays`. */
function placesOf(bytes: Buffer, wanted: (byte: number) => boolean, stays: boolean): number[] {
  const places: number[] = [];
  let zeros = 0;
  for (const [at, byte] of bytes.entries()) {
    const isPlace = zeros >= 2 && wanted(byte);
    if (isPlace) places.push(at);
    if (isPlace) zeros = stays && byte === 0 ? 1 : 0;
    else zeros = byte === 0 ? zeros + 1 : 0;
  }
  return places;
}

import { CameraError } from '../errors.js';
import { pts90k, type Pts90k } from '../units.js';
import { hasIdrSlice } from './nal-units.js';
import type { VideoFormat } from './ports.js';

/** All NAL units of one coded picture. */
export interface AccessUnit {
  /** NAL units, each with its length before it, as the avcC record says (ISO/IEC 14496-15 §5.3.2). */
  readonly data: Buffer;
  readonly pts90k: Pts90k;
  /** What the encoder says; 0 when it does not say. */
  readonly duration90k: number;
  readonly isIdr: boolean;
}

/** `format` comes before the first unit, and again only when a caps packet changes it. */
export type GdpItem =
  | { readonly type: 'format'; readonly format: VideoFormat }
  | { readonly type: 'unit'; readonly unit: AccessUnit };

/** A 1080p IDR picture at 4 Mbit/s has about 100 kB; anything near this limit is a broken stream. */
export const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

const HEADER_BYTES = 62;
const TYPE_BUFFER = 1;
const TYPE_CAPS = 2;
const TYPE_EVENT_MIN = 64;
const CLOCK_TIME_NONE = 0xffff_ffff_ffff_ffffn;
const TEXT_BYTES_MAX = 64 * 1024;
const AVCC_BYTES_MIN = 7;

const malformed = (message: string): CameraError =>
  new CameraError('capture/malformed-stream', message);

/** Nanoseconds to the nearest tick of 90 kHz. */
function toTicks(nanoseconds: bigint): number {
  const half = nanoseconds < 0n ? -50_000n : 50_000n;
  return Number((nanoseconds * 9n + half) / 100_000n);
}

/**
 * Reads a GStreamer Data Protocol 1.0 stream, as `gdppay` writes it, cut anywhere: a header of 62 bytes, big endian,
 * then the payload. Header: major@0, minor@1, type@4, payload length@6, pts@10, duration@18 (gst-plugins-bad,
 * gst/gdp/dataprotocol.c).
 * Media time counts from `start` of the newest segment event, because x264enc stamps from 1000 h on.
 * Memory is one payload: each byte is copied once, into a buffer of the length that the header announced.
 */
export class GdpReader {
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  #payload: Buffer | undefined;
  #payloadFilled = 0;
  #format: VideoFormat | undefined;
  #lengthBytes = 4;
  #startNs = 0n;
  #failure: CameraError | undefined;

  /**
   * Takes the next bytes and returns what they complete, in order.
   * Throws `capture/malformed-stream` for anything but a GDP stream of H.264; the reader is of no use afterwards and
   * throws the same again.
   */
  push(chunk: Buffer): GdpItem[] {
    if (this.#failure) throw this.#failure;
    const items: GdpItem[] = [];
    try {
      let at = 0;
      while (at < chunk.length) at += this.#take(chunk, at, items);
    } catch (error) {
      if (error instanceof CameraError) this.#failure = error;
      throw error;
    }
    return items;
  }

  /** Consumes some of `chunk` from `at` on; returns how many bytes. */
  #take(chunk: Buffer, at: number, items: GdpItem[]): number {
    let taken: number;
    if (this.#payload === undefined) {
      taken = chunk.copy(this.#header, this.#headerFilled, at);
      this.#headerFilled += taken;
      if (this.#headerFilled < HEADER_BYTES) return taken;
      this.#payload = Buffer.allocUnsafeSlow(this.#checkHeader());
      this.#payloadFilled = 0;
    } else {
      taken = chunk.copy(this.#payload, this.#payloadFilled, at);
      this.#payloadFilled += taken;
    }
    if (this.#payloadFilled === this.#payload.length) {
      const item = this.#read(this.#payload);
      if (item) items.push(item);
      this.#payload = undefined;
      this.#headerFilled = 0;
    }
    return taken;
  }

  /** Returns the payload's length. */
  #checkHeader(): number {
    const header = this.#header;
    const type = header.readUInt16BE(4);
    const length = header.readUInt32BE(6);
    if (header.readUInt8(0) !== 1 || header.readUInt8(1) !== 0) {
      throw malformed('not a GDP 1.0 stream');
    }
    if (type !== TYPE_BUFFER && type !== TYPE_CAPS && type < TYPE_EVENT_MIN) {
      throw malformed(`unknown GDP packet type ${type}`);
    }
    const lengthMax = type === TYPE_BUFFER ? PAYLOAD_BYTES_MAX : TEXT_BYTES_MAX;
    if (length > lengthMax) {
      throw malformed(`a GDP packet of ${length} bytes is over the limit of ${lengthMax}`);
    }
    return length;
  }

  #read(payload: Buffer): GdpItem | undefined {
    const type = this.#header.readUInt16BE(4);
    if (type === TYPE_BUFFER) return { type: 'unit', unit: this.#readUnit(payload) };
    const text = payload.toString('latin1');
    if (type === TYPE_CAPS) return this.#readCaps(text);
    if (text.startsWith('GstEventSegment')) {
      const start = /\bstart=\(guint64\)(\d{1,20})\b/.exec(text)?.[1];
      if (start === undefined) throw malformed('a segment event without its start');
      this.#startNs = BigInt(start);
    }
    return undefined;
  }

  #readUnit(data: Buffer): AccessUnit {
    const pts = this.#header.readBigUInt64BE(10);
    const duration = this.#header.readBigUInt64BE(18);
    if (this.#format === undefined) throw malformed('an access unit before the caps packet');
    if (pts === CLOCK_TIME_NONE) throw malformed('an access unit without a time stamp');
    return {
      data,
      pts90k: pts90k(toTicks(pts - this.#startNs)),
      duration90k: duration === CLOCK_TIME_NONE ? 0 : toTicks(duration),
      isIdr: hasIdrSlice(data, this.#lengthBytes),
    };
  }

  #readCaps(text: string): GdpItem | undefined {
    const avcC = Buffer.from(/\bcodec_data=\(buffer\)([0-9a-f]+)/.exec(text)?.[1] ?? '', 'hex');
    const width = Number(/\bwidth=\(int\)(\d{1,5})\b/.exec(text)?.[1] ?? 0);
    const height = Number(/\bheight=\(int\)(\d{1,5})\b/.exec(text)?.[1] ?? 0);
    const isWhole = avcC.length >= AVCC_BYTES_MIN && avcC.readUInt8(0) === 1;
    if (!text.startsWith('video/x-h264') || !isWhole || width === 0 || height === 0) {
      throw malformed('a caps packet that is not H.264 with an avcC record, a width and a height');
    }
    const format = { avcC, width, height };
    if (this.#format !== undefined && sameFormat(this.#format, format)) return undefined;
    this.#format = format;
    this.#lengthBytes = (avcC.readUInt8(4) & 3) + 1;
    return { type: 'format', format };
  }
}

/** Whether pictures of both formats may stand in one segment. */
export const sameFormat = (a: VideoFormat, b: VideoFormat): boolean =>
  a.width === b.width && a.height === b.height && a.avcC.equals(b.avcC);

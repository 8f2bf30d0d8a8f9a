import { CameraError } from '../errors.js';

/** What a packet of the stream says. */
export type GdpPacket =
  | {
      readonly type: 'buffer';
      readonly data: Buffer;
      /** The memory whose end is `data`; what is before it is free. */
      readonly room: Buffer;
      /** Nanoseconds from the start of the newest segment; undefined when the packet does not say. */
      readonly ptsNs: bigint | undefined;
      readonly durationNs: bigint | undefined;
    }
  | { readonly type: 'caps'; readonly text: string };

/** A 1080p IDR picture at 4 Mbit/s has about 100 kB; anything near this limit is a broken stream. */
export const PAYLOAD_BYTES_MAX = 16 * 1024 * 1024;

const HEADER_BYTES = 62;
const TYPE_BUFFER = 1;
const TYPE_CAPS = 2;
const TYPE_EVENT_MIN = 64;
const CLOCK_TIME_NONE = 0xffff_ffff_ffff_ffffn;
const TEXT_BYTES_MAX = 64 * 1024;

export const malformed = (message: string): CameraError =>
  new CameraError('capture/malformed-stream', message);

/** Nanoseconds to the nearest tick of 90 kHz. */
export function toTicks(nanoseconds: bigint): number {
  const half = nanoseconds < 0n ? -50_000n : 50_000n;
  return Number((nanoseconds * 9n + half) / 100_000n);
}

/**
 * Reads a GStreamer Data Protocol 1.0 stream, as `gdppay` writes it, cut anywhere: a header of 62 bytes, big endian,
 * then the payload. Header: major@0, minor@1, type@4, payload length@6, pts@10, duration@18 (gst-plugins-bad,
 * gst/gdp/dataprotocol.c). What the packets mean, `read` knows; it returns undefined for what says nothing.
 * Media time counts from `start` of the newest segment event, because x264enc stamps from 1000 h on.
 * Memory is one payload: each byte is copied once, into a buffer of the length that the header announced and of
 * `roomBytes` before it, for whoever has to put something in.
 */
export class GdpStream<Item> {
  readonly #read: (packet: GdpPacket) => Item | undefined;
  readonly #payloadBytesMax: number;
  readonly #roomBytes: number;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  #payload: Buffer | undefined;
  #payloadFilled = 0;
  #startNs = 0n;
  #failure: CameraError | undefined;

  constructor(
    read: (packet: GdpPacket) => Item | undefined,
    payloadBytesMax = PAYLOAD_BYTES_MAX,
    roomBytes = 0,
  ) {
    this.#read = read;
    this.#payloadBytesMax = payloadBytesMax;
    this.#roomBytes = roomBytes;
  }

  /**
   * Takes the next bytes and returns what they complete, in order.
   * Throws `capture/malformed-stream` for anything but a GDP stream, and what `read` throws; the reader is of no use
   * afterwards and throws the same again.
   */
  push(chunk: Buffer): Item[] {
    if (this.#failure) throw this.#failure;
    const items: Item[] = [];
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
  #take(chunk: Buffer, at: number, items: Item[]): number {
    let taken: number;
    if (this.#payload === undefined) {
      taken = chunk.copy(this.#header, this.#headerFilled, at);
      this.#headerFilled += taken;
      if (this.#headerFilled < HEADER_BYTES) return taken;
      this.#payload = Buffer.allocUnsafeSlow(this.#roomBytes + this.#checkHeader());
      this.#payloadFilled = this.#roomBytes;
    } else {
      taken = chunk.copy(this.#payload, this.#payloadFilled, at);
      this.#payloadFilled += taken;
    }
    if (this.#payloadFilled === this.#payload.length) {
      const packet = this.#packet(this.#payload);
      const item = packet && this.#read(packet);
      if (item !== undefined) items.push(item);
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
    const lengthMax = type === TYPE_BUFFER ? this.#payloadBytesMax : TEXT_BYTES_MAX;
    if (length > lengthMax) {
      throw malformed(`a GDP packet of ${length} bytes is over the limit of ${lengthMax}`);
    }
    return length;
  }

  #packet(room: Buffer): GdpPacket | undefined {
    const data = room.subarray(this.#roomBytes);
    const type = this.#header.readUInt16BE(4);
    if (type === TYPE_BUFFER) {
      const pts = this.#header.readBigUInt64BE(10);
      const duration = this.#header.readBigUInt64BE(18);
      return {
        type: 'buffer',
        data,
        room,
        ptsNs: pts === CLOCK_TIME_NONE ? undefined : pts - this.#startNs,
        durationNs: duration === CLOCK_TIME_NONE ? undefined : duration,
      };
    }
    const text = data.toString('latin1');
    if (type === TYPE_CAPS) return { type: 'caps', text };
    if (text.startsWith('GstEventSegment')) {
      const start = /\bstart=\(guint64\)(\d{1,20})\b/.exec(text)?.[1];
      if (start === undefined) throw malformed('a segment event without its start');
      this.#startNs = BigInt(start);
    }
    return undefined;
  }
}

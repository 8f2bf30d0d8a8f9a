import { pts90k, type Pts90k } from '../units.js';
import { GdpStream, malformed, PAYLOAD_BYTES_MAX, toTicks, type GdpPacket } from './gdp-stream.js';
import { insertNal, layoutOf } from './nal-units.js';
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

/** A NAL unit that is put before the slices of each picture. */
export interface UnitStamp {
  /** Bytes of the longest that `nalFor` gives. */
  readonly bytesMax: number;
  /** The NAL unit for the next picture, whose media time this is: header first, without its length. */
  nalFor(at: Pts90k): Buffer;
}

const AVCC_BYTES_MIN = 7;
const LENGTH_BYTES_MAX = 4;

/**
 * Reads the access units of an H.264 stream from the GDP packets of a pipe; see `GdpStream`. What is to be stamped on
 * each is put into room that is left before it: the slices are not copied for it.
 */
export class GdpReader {
  readonly #stream: GdpStream<GdpItem>;
  readonly #stamp: UnitStamp | undefined;
  #format: VideoFormat | undefined;
  #lengthBytes = LENGTH_BYTES_MAX;

  constructor(stamp?: UnitStamp) {
    this.#stamp = stamp;
    const roomBytes = stamp === undefined ? 0 : LENGTH_BYTES_MAX + stamp.bytesMax;
    this.#stream = new GdpStream((packet) => this.#read(packet), PAYLOAD_BYTES_MAX, roomBytes);
  }

  /**
   * Takes the next bytes and returns what they complete, in order.
   * Throws `capture/malformed-stream` for anything but a GDP stream of H.264; the reader is of no use afterwards and
   * throws the same again.
   */
  push(chunk: Buffer): GdpItem[] {
    return this.#stream.push(chunk);
  }

  #read(packet: GdpPacket): GdpItem | undefined {
    return packet.type === 'caps'
      ? this.#readCaps(packet.text)
      : { type: 'unit', unit: this.#readUnit(packet) };
  }

  #readUnit({ data, room, ptsNs, durationNs }: GdpPacket & { type: 'buffer' }): AccessUnit {
    if (this.#format === undefined) throw malformed('an access unit before the caps packet');
    if (ptsNs === undefined) throw malformed('an access unit without a time stamp');
    const at = pts90k(toTicks(ptsNs));
    const lengthBytes = this.#lengthBytes;
    const { isIdr, slicesAt } = layoutOf(data, lengthBytes);
    const nal = this.#stamp?.nalFor(at);
    return {
      data: nal ? insertNal(room, data.length, slicesAt, nal, lengthBytes) : data,
      pts90k: at,
      duration90k: durationNs === undefined ? 0 : toTicks(durationNs),
      isIdr,
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

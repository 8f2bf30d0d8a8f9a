import { pts90k, type Pts90k } from '../units.js';
import { AUDIO_FRAME_90K } from './audio-track.js';
import { GdpStream, malformed, toTicks, type GdpPacket } from './gdp-stream.js';

/** One AAC frame as the encoder gave it. */
export interface AudioPacket {
  readonly data: Buffer;
  /**
   * When the first of the 1024 samples that it decodes to was heard. The encoder looked at the sound from here on for
   * two frames, so nothing of what was heard before is in it.
   */
  readonly start90k: Pts90k;
}

/** `format` comes before the first packet, and again only when a caps packet changes it. */
export type AudioItem =
  | { readonly type: 'format'; readonly config: Buffer }
  | { readonly type: 'packet'; readonly packet: AudioPacket };

/** Twice the 6144 bits that ISO/IEC 14496-3 allows a frame of one channel. */
const FRAME_BYTES_MAX = 1536;
/**
 * avenc_aac gives its first frame the time of its first sample, but what that frame decodes to is the frame before, of
 * silence: measured, a click comes out 1024 samples later than it was put in.
 */
const ENCODER_DELAY_90K = AUDIO_FRAME_90K;
const AAC_LC = 2;

/** Reads the AAC frames of a microphone, 48 kHz, one channel, from the GDP packets of a pipe; see `GdpStream`. */
export class AudioReader {
  readonly #stream = new GdpStream((packet) => this.#read(packet), FRAME_BYTES_MAX);
  #config: Buffer | undefined;

  /**
   * Takes the next bytes and returns what they complete, in order.
   * Throws `capture/malformed-stream` for anything but a GDP stream of such frames, and the same again afterwards.
   */
  push(chunk: Buffer): AudioItem[] {
    return this.#stream.push(chunk);
  }

  #read(packet: GdpPacket): AudioItem | undefined {
    if (packet.type === 'caps') return this.#readCaps(packet.text);
    const { data, ptsNs } = packet;
    if (this.#config === undefined) throw malformed('an AAC frame before the caps packet');
    if (ptsNs === undefined) throw malformed('an AAC frame without a time stamp');
    const start90k = pts90k(toTicks(ptsNs) - ENCODER_DELAY_90K);
    return { type: 'packet', packet: { data, start90k } };
  }

  #readCaps(text: string): AudioItem | undefined {
    const hex = /\bcodec_data=\(buffer\)((?:[0-9a-f]{2}){2,64})\b/.exec(text)?.[1] ?? '';
    const config = Buffer.from(hex, 'hex');
    const isRaw = /^audio\/mpeg\b/.test(text) && /\bstream-format=\(string\)raw\b/.test(text);
    const isOurs = /\brate=\(int\)48000\b/.test(text) && /\bchannels=\(int\)1\b/.test(text);
    if (!isRaw || !isOurs || config.length === 0 || config.readUInt8(0) >> 3 !== AAC_LC) {
      throw malformed('a caps packet that is not AAC-LC of 48 kHz and one channel with its record');
    }
    if (this.#config?.equals(config)) return undefined;
    this.#config = config;
    return { type: 'format', config };
  }
}

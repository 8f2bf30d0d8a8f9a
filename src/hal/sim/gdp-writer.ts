/** Nanoseconds at which x264enc begins to count, 1000 hours: a reader must subtract the start of the segment. */
export const SEGMENT_START_NS = 3_600_000_000_000_000n;

const HEADER_BYTES = 62;
const TYPE_BUFFER = 1;
const TYPE_CAPS = 2;
/** 64 + GST_EVENT_SEGMENT (17934), as gdppay of GStreamer 1.22 writes it. */
const TYPE_SEGMENT = 17_998;
const DELTA_UNIT = 0x2000;
const TIME_NONE = 0xffff_ffff_ffff_ffffn;

interface PacketTimes {
  readonly ptsNs: bigint;
  readonly durationNs: bigint;
  readonly flags: number;
}

const NO_TIMES: PacketTimes = { ptsNs: TIME_NONE, durationNs: TIME_NONE, flags: 0 };

function packet(type: number, payload: Buffer, times: PacketTimes = NO_TIMES): Buffer {
  const header = Buffer.alloc(HEADER_BYTES);
  header.writeUInt8(1, 0); // version 1.0
  header.writeUInt16BE(type, 4);
  header.writeUInt32BE(payload.length, 6);
  header.writeBigUInt64BE(times.ptsNs, 10);
  header.writeBigUInt64BE(times.durationNs, 18);
  header.writeBigUInt64BE(TIME_NONE, 26);
  header.writeBigUInt64BE(TIME_NONE, 34);
  header.writeUInt16BE(times.flags, 42);
  header.writeBigUInt64BE(times.ptsNs, 44);
  return Buffer.concat([header, payload]);
}

const textPayload = (text: string): Buffer => Buffer.from(`${text}\0`, 'latin1');

/** The caps packet of an H.264 stream of access units. */
export const capsPacket = (avcC: Buffer, width: number, height: number): Buffer =>
  packet(
    TYPE_CAPS,
    textPayload(
      `video/x-h264, codec_data=(buffer)${avcC.toString('hex')}, stream-format=(string)avc, ` +
        `alignment=(string)au, width=(int)${width}, height=(int)${height}, parsed=(boolean)true`,
    ),
  );

/** The caps packet of AAC-LC frames, 48 kHz, one channel. */
export const audioCapsPacket = (config: Buffer): Buffer =>
  packet(
    TYPE_CAPS,
    textPayload(
      'audio/mpeg, channels=(int)1, rate=(int)48000, mpegversion=(int)4, base-profile=(string)lc, ' +
        `stream-format=(string)raw, codec_data=(buffer)${config.toString('hex')}, framed=(boolean)true`,
    ),
  );

/** The event that says which time stamp is running time 0. */
export const segmentPacket = (startNs: bigint): Buffer =>
  packet(
    TYPE_SEGMENT,
    textPayload(
      'GstEventSegment, segment=(GstSegment)"segment, rate=(double)1, format=(GstFormat)time, ' +
        `base=(guint64)0, offset=(guint64)0, start=(guint64)${startNs}, time=(guint64)0;";`,
    ),
  );

/** One access unit; `isDelta` is the flag of every unit that is no key frame. */
export const unitPacket = (
  data: Buffer,
  ptsNs: bigint,
  durationNs: bigint,
  isDelta: boolean,
): Buffer => packet(TYPE_BUFFER, data, { ptsNs, durationNs, flags: isDelta ? DELTA_UNIT : 0 });

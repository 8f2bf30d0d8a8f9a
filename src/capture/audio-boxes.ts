import { CameraError } from '../errors.js';
import { TICKS_PER_SECOND } from '../units.js';
import { AUDIO_FRAME_SAMPLES, type LaidFrame } from './audio-track.js';
import { childBoxes, findBox, type Box } from './mp4-boxes.js';

export const AUDIO_TRACK = 2;
export const AUDIO_RATE = 48_000;
const TICKS_PER_SAMPLE = TICKS_PER_SECOND / AUDIO_RATE;
/** A moof that says more is refused by the reader; so many frames last ten seconds. */
const FRAMES_PER_MOOF_MAX = 480;

// ISO/IEC 14496-12 §8.8.7, §8.8.8, §8.8.3.1.
const TFHD_FLAGS = 0x02_0000 | 0x08 | 0x20; // offsets count from the moof; default duration; default flags
const TRUN_FLAGS = 0x01 | 0x200; // data offset; size of each sample
const SYNC_SAMPLE = 0x0200_0000;

function box(type: string, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const header = Buffer.alloc(8);
  header.writeUInt32BE(8 + body.length, 0);
  header.write(type, 4, 'latin1');
  return Buffer.concat([header, body]);
}

function u32(...values: readonly number[]): Buffer {
  const bytes = Buffer.alloc(4 * values.length);
  for (const [index, value] of values.entries()) bytes.writeUInt32BE(value, 4 * index);
  return bytes;
}

/** A time of 90 kHz in samples, to the nearest. */
export const toSamples = (ticks: number): number => Math.round(ticks / TICKS_PER_SAMPLE);

/** A number of samples in ticks of 90 kHz; fractions are allowed. */
export const samplesToTicks = (samples: number): number => samples * TICKS_PER_SAMPLE;

function moofOf(frames: readonly LaidFrame[], decodeTime: number, sequence: number): Buffer {
  const time = Buffer.alloc(8);
  time.writeBigUInt64BE(BigInt(decodeTime));
  const moof = (dataOffset: number): Buffer =>
    box(
      'moof',
      box('mfhd', u32(0, sequence)),
      box(
        'traf',
        box('tfhd', u32(TFHD_FLAGS, AUDIO_TRACK, AUDIO_FRAME_SAMPLES, SYNC_SAMPLE)),
        box('tfdt', u32(0x0100_0000), time),
        box(
          'trun',
          u32(TRUN_FLAGS, frames.length, dataOffset, ...frames.map((f) => f.data.length)),
        ),
      ),
    );
  return moof(moof(0).length + 8);
}

export interface AudioBoxes {
  /** moof, mdat, perhaps more pairs; none without frames. */
  readonly parts: readonly Buffer[];
  readonly moofs: number;
}

/**
 * The audio of one fragment as boxes of track 2, apart from those of the pictures: one never waits for the other.
 * `start` is where the first frame stands in the segment, in samples; `sequence` is that of the first moof.
 * Written by hand, because frames are placed, muted and filled for each recording at the moment in which its pictures
 * are, and a muxer answers a turn later. 47 frames take about 0.05 ms.
 */
export function audioBoxes(
  frames: readonly LaidFrame[],
  start: number,
  sequence: number,
): AudioBoxes {
  const parts: Buffer[] = [];
  let moofs = 0;
  for (let at = 0; at < frames.length; at += FRAMES_PER_MOOF_MAX) {
    const some = frames.slice(at, at + FRAMES_PER_MOOF_MAX);
    parts.push(moofOf(some, start + at * AUDIO_FRAME_SAMPLES, sequence + moofs));
    parts.push(box('mdat', ...some.map(({ data }) => data)));
    moofs += 1;
  }
  return { parts, moofs };
}

/** Version, flags and entry count of an stsd box; bytes of an AudioSampleEntry before its own boxes (§12.2.3). */
const STSD_FIELDS_BYTES = 8;
const SAMPLE_ENTRY_BYTES = 28;
// Tags of ISO/IEC 14496-1 §7.2.2.1, and what stands in each before its children.
const ES_DESCRIPTOR = 0x03;
const DECODER_CONFIG = 0x04;
const SPECIFIC_INFO = 0x05;
const FIELDS_BYTES: ReadonlyMap<number, number> = new Map([
  [ES_DESCRIPTOR, 3],
  [DECODER_CONFIG, 13],
]);

/** The AudioSpecificConfig in an esds box. Throws `evidence/malformed` when there is none. */
function specificInfo(moov: Buffer, esds: Box): Buffer {
  let at = esds.body + 4;
  let end = esds.end;
  while (at + 2 <= end) {
    const tag = moov.readUInt8(at);
    at += 1;
    let length = 0;
    let byte = 0x80;
    for (let count = 0; count < 4 && byte >= 0x80 && at < end; count += 1) {
      byte = moov.readUInt8(at);
      length = length * 128 + (byte & 0x7f);
      at += 1;
    }
    end = Math.min(end, at + length);
    if (tag === SPECIFIC_INFO) return Buffer.from(moov.subarray(at, end));
    const fields = FIELDS_BYTES.get(tag);
    if (fields === undefined) break;
    at += fields;
  }
  throw new CameraError('evidence/malformed', 'an audio track without its AudioSpecificConfig');
}

/** What the audio track of a moov decodes with; undefined without one. Throws `evidence/malformed`. */
export function readAudioConfig(moov: Buffer): Buffer | undefined {
  const traks = childBoxes(moov, findBox(moov, []).body, moov.length).filter(
    ({ type }) => type === 'trak',
  );
  const trak = traks[AUDIO_TRACK - 1];
  if (trak === undefined) return undefined;
  const own = moov.subarray(trak.start, trak.end);
  const stsd = findBox(own, ['mdia', 'minf', 'stbl', 'stsd']);
  const entry = childBoxes(own, stsd.body + STSD_FIELDS_BYTES, stsd.end)[0];
  if (entry?.type !== 'mp4a' || entry.end < entry.body + SAMPLE_ENTRY_BYTES) {
    throw new CameraError('evidence/malformed', 'a second track that is not AAC');
  }
  const esds = childBoxes(own, entry.body + SAMPLE_ENTRY_BYTES, entry.end).find(
    ({ type }) => type === 'esds',
  );
  if (esds === undefined) {
    throw new CameraError('evidence/malformed', 'an audio track without its esds box');
  }
  return specificInfo(own, esds);
}

import { CameraError } from '../errors.js';
import { AUDIO_TRACK, readAudioConfig, samplesToTicks } from './audio-boxes.js';
import {
  bytesOf,
  readBoxHeader,
  readMoof,
  readTrackFormat,
  wholeSamples,
  type Box,
  type Sample,
} from './mp4-boxes.js';
import type { VideoFormat } from './ports.js';
import { readRotation, type Rotation } from './rotation.js';

/** Plaintext of one segment, readable anywhere. */
export interface ByteSource {
  readonly size: number;
  /** Exactly the bytes from `start` to `end`, both inside the source. */
  read(start: number, end: number): Promise<Buffer>;
}

/** A fragment of one track as it lies in a segment, with the samples whose bytes are all there. */
export interface StoredFragment {
  readonly track: 'video' | 'audio';
  readonly samples: readonly Sample[];
  /** From the start of the segment; of sound, fractions are possible. */
  readonly offset90k: number;
  /** Where the first sample lies; the others follow without a hole. */
  readonly payloadStart: number;
  /** First byte after the last whole sample. */
  readonly end: number;
}

/** ftyp + moov are under 1 kB and a moof of 600 samples under 10 kB; more is no segment of ours. */
const TABLE_BYTES_MAX = 64 * 1024;
/** No header is longer; see `readBoxHeader`. */
const HEADER_BYTES_MAX = 16;

/** A Buffer as a source. */
export const bytesSource = (bytes: Buffer): ByteSource => ({
  size: bytes.length,
  read: (start, end) => Promise.resolve(bytes.subarray(start, end)),
});

async function boxAt(source: ByteSource, at: number): Promise<Box | undefined> {
  const header = await source.read(at, Math.min(at + HEADER_BYTES_MAX, source.size));
  const box = readBoxHeader(header, 0);
  return box && { ...box, start: at, body: at + box.body, end: at + box.end };
}

/** The box at `at` when it has the type wanted and lies whole in the source and under the limit. */
async function wholeBox(
  source: ByteSource,
  at: number,
  type: string,
): Promise<{ readonly bytes: Buffer; readonly end: number } | undefined> {
  const box = await boxAt(source, at);
  if (box?.type !== type || box.end > source.size) return undefined;
  if (box.end - at > TABLE_BYTES_MAX) {
    throw new CameraError('evidence/malformed', `a ${type} box of ${box.end - at} bytes`);
  }
  return { bytes: await source.read(at, box.end), end: box.end };
}

/**
 * Reads one segment, front to back, as far as it is there: ftyp, moov, then pairs of moof and mdat, each of one track. A source that ends
 * anywhere is no error, it just holds less; that is what a power cut leaves.
 */
export class SegmentReader {
  readonly #source: ByteSource;
  readonly #firstFragment: number;
  /** Undefined when the source ends before the end of the moov. */
  readonly format: VideoFormat | undefined;
  /** What its audio track decodes with, an AudioSpecificConfig; undefined without such a track. */
  readonly audioConfig: Buffer | undefined;
  /** How its pictures are turned. */
  readonly rotation: Rotation;

  private constructor(source: ByteSource, firstFragment: number, moov?: Buffer) {
    this.#source = source;
    this.#firstFragment = firstFragment;
    this.format = moov && readTrackFormat(moov);
    this.audioConfig = moov && readAudioConfig(moov);
    this.rotation = moov ? readRotation(moov) : 0;
  }

  /** Rejects with `evidence/malformed` when what is there is not a segment; with whatever the source rejects with. */
  static async open(source: ByteSource): Promise<SegmentReader> {
    const ftyp = await wholeBox(source, 0, 'ftyp');
    const moov = ftyp && (await wholeBox(source, ftyp.end, 'moov'));
    if (moov) return new SegmentReader(source, moov.end, moov.bytes);
    return new SegmentReader(source, source.size);
  }

  /**
   * Every fragment with at least one whole sample. Ends at the first byte that does not belong to a fragment.
   * Throws `evidence/malformed` when a moof is whole but not one of ours, or of a track that the moov does not declare.
   */
  async *fragments(): AsyncGenerator<StoredFragment, void, undefined> {
    let at = this.#firstFragment;
    while (at < this.#source.size) {
      const moof = await wholeBox(this.#source, at, 'moof');
      if (moof === undefined) return;
      const mdat = await boxAt(this.#source, moof.end);
      if (mdat?.type !== 'mdat') return;
      const tables = readMoof(moof.bytes);
      const payloadStart = at + tables.dataOffset;
      if (payloadStart < mdat.body) {
        throw new CameraError('evidence/malformed', `samples before their mdat at byte ${at}`);
      }
      const track = this.#trackOf(tables.track);
      const samples = wholeSamples(tables, Math.min(mdat.end, this.#source.size) - payloadStart);
      const end = payloadStart + bytesOf(samples);
      const time = tables.decodeTime90k;
      const offset90k = track === 'audio' ? samplesToTicks(time) : time;
      if (samples.length > 0) yield { track, samples, offset90k, payloadStart, end };
      if (samples.length < tables.samples.length) return;
      at = mdat.end;
    }
  }

  #trackOf(number: number): StoredFragment['track'] {
    if (number === 1) return 'video';
    if (number === AUDIO_TRACK && this.audioConfig) return 'audio';
    throw new CameraError('evidence/malformed', `a fragment of track ${number}`);
  }

  /** The bytes of each sample, in order, read in one go. */
  async payload(fragment: StoredFragment): Promise<Buffer[]> {
    const all = await this.#source.read(fragment.payloadStart, fragment.end);
    let at = 0;
    return fragment.samples.map((sample) => all.subarray(at, (at += sample.bytes)));
  }
}

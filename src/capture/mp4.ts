import {
  EncodedAudioPacketSource,
  EncodedPacket,
  EncodedVideoPacketSource,
  Mp4OutputFormat,
  NullTarget,
  Output,
  StreamTarget,
} from 'mediabunny';
import { CameraError } from '../errors.js';
import { AUDIO_RATE, samplesToTicks, toSamples } from './audio-boxes.js';
import { AUDIO_FRAME_SAMPLES, SILENT_FRAME } from './audio-track.js';
import { TICKS_PER_SECOND } from '../units.js';
import { sameFormat, type AccessUnit } from './gdp-reader.js';
import { readBoxHeader, withoutWallTime } from './mp4-boxes.js';
import type { VideoFormat } from './ports.js';
import { withRotation, type Rotation } from './rotation.js';
import { SegmentReader, type ByteSource, type StoredFragment } from './segment-reader.js';

/** One GOP as boxes. Decode time 0, sequence number 1: `placeMoof` gives it its place. */
export interface MuxedGop {
  /** ftyp + moov of a file that begins with this GOP; carries no wall time. */
  readonly init: Buffer;
  readonly moof: Buffer;
  /** Header included; exactly as long as it says. */
  readonly mdat: Buffer;
}

/** mediabunny derives the time scale of a track from its frame rate: at this one a tick is 1/90000 s. */
const TRACK_METADATA = { frameRate: TICKS_PER_SECOND };
/** Longer than any GOP, so that the muxer never cuts one: a fragment ends when its output is finalized. */
const FRAGMENT_SECONDS = 3600;

const NO_BYTES: Uint8Array = Buffer.alloc(0);

const trackOf = ({ avcC, width, height }: VideoFormat): object => ({
  decoderConfig: {
    codec: `avc1.${avcC.toString('hex', 1, 4)}`, // RFC 6381 §3.3
    description: avcC,
    codedWidth: width,
    codedHeight: height,
  },
});

const audioTrackOf = (config: Buffer): object => ({
  decoderConfig: {
    codec: 'mp4a.40.2', // AAC-LC
    numberOfChannels: 1,
    sampleRate: AUDIO_RATE,
    description: config,
  },
});

const audioPacketOf = (data: Buffer, atSample: number): EncodedPacket =>
  new EncodedPacket(data, 'key', atSample / AUDIO_RATE, AUDIO_FRAME_SAMPLES / AUDIO_RATE);

const packetOf = (
  data: Buffer,
  isIdr: boolean,
  at90k: number,
  duration90k: number,
): EncodedPacket =>
  new EncodedPacket(
    data,
    isIdr ? 'key' : 'delta',
    at90k / TICKS_PER_SECOND,
    duration90k / TICKS_PER_SECOND,
  );

/**
 * Makes one fragment of one GOP. `next90k` is the time of the IDR that follows, on the clock of the units: the last
 * access unit lasts until then, so that fragments join without a hole. Without it the last unit has its own duration.
 * Each call is an output of its own: nothing is held back, nothing grows. Takes about 1 ms for 30 units of 0.5 MB.
 */
export async function muxGop(
  units: readonly AccessUnit[],
  format: VideoFormat,
  next90k?: number,
): Promise<MuxedGop> {
  const boxes = { ftyp: NO_BYTES, moov: NO_BYTES, moof: NO_BYTES, mdat: NO_BYTES };
  const output = new Output({
    target: new NullTarget(), // the boxes leave through the callbacks
    format: new Mp4OutputFormat({
      fastStart: 'fragmented',
      minimumFragmentDuration: FRAGMENT_SECONDS,
      onFtyp: (data) => (boxes.ftyp = data),
      onMoov: (data) => (boxes.moov = data),
      onMoof: (data) => (boxes.moof = data),
      onMdat: (data) => (boxes.mdat = data),
    }),
  });
  const video = new EncodedVideoPacketSource('avc');
  output.addVideoTrack(video, TRACK_METADATA);
  await output.start();
  const start90k = units[0]?.pts90k ?? 0;
  for (const [index, unit] of units.entries()) {
    const end90k = units[index + 1]?.pts90k ?? next90k ?? unit.pts90k + unit.duration90k;
    const packet = packetOf(unit.data, unit.isIdr, unit.pts90k - start90k, end90k - unit.pts90k);
    await video.add(packet, trackOf(format));
  }
  await output.finalize();
  return {
    init: Buffer.concat([boxes.ftyp, withoutWallTime(Buffer.from(boxes.moov))]),
    moof: Buffer.from(boxes.moof),
    mdat: Buffer.from(boxes.mdat), // a copy of the exact length: the muxer's buffer is up to twice as long
  };
}

/**
 * ftyp + moov of a file with pictures of the format as track 1 and AAC of the AudioSpecificConfig as track 2; carries no
 * wall time. `unit` is any access unit of the format: the muxer wants one.
 */
export async function muxInit(
  unit: AccessUnit,
  format: VideoFormat,
  config: Buffer,
): Promise<Buffer> {
  const boxes = { ftyp: NO_BYTES, moov: NO_BYTES };
  const output = new Output({
    target: new NullTarget(),
    format: new Mp4OutputFormat({
      fastStart: 'fragmented',
      minimumFragmentDuration: FRAGMENT_SECONDS,
      onFtyp: (data) => (boxes.ftyp = data),
      onMoov: (data) => (boxes.moov = data),
    }),
  });
  const video = new EncodedVideoPacketSource('avc');
  const audio = new EncodedAudioPacketSource('aac');
  output.addVideoTrack(video, TRACK_METADATA);
  output.addAudioTrack(audio);
  await output.start();
  // Neither is awaited alone: the muxer takes the first packet of a track when it has one of each.
  await Promise.all([
    video.add(packetOf(unit.data, true, 0, 1), trackOf(format)),
    audio.add(audioPacketOf(SILENT_FRAME, 0), audioTrackOf(config)),
  ]);
  await output.finalize();
  return Buffer.concat([boxes.ftyp, withoutWallTime(Buffer.from(boxes.moov))]);
}

/** One segment of a recording, in order. */
export interface JoinInput {
  readonly source: ByteSource;
  /** Start of the segment from the start of the recording. */
  readonly offset90k: number;
}

/** Where the file goes. Positions are not in order: the table of contents is written last, at the front. */
export interface JoinTarget {
  write(bytes: Uint8Array, position: number): Promise<void>;
}

export interface JoinedSegment {
  readonly frames: number;
  /** True when the plaintext does not end with a whole fragment, as after a power cut. */
  readonly isCut: boolean;
}

export interface JoinReport {
  readonly frames: number;
  readonly duration90k: number;
  readonly segments: readonly JoinedSegment[];
}

interface OpenInput extends JoinInput {
  readonly reader: SegmentReader;
  readonly format: VideoFormat;
  readonly hasSound: boolean;
}

interface Survey extends JoinedSegment {
  readonly hasSound: boolean;
  readonly duration90k: number;
}

/** What is in a segment, from its tables alone. */
async function surveySegment(reader: SegmentReader, size: number): Promise<Survey> {
  let frames = 0;
  let end = 0;
  let hasSound = false;
  let duration90k = 0;
  for await (const { track, samples, end: fragmentEnd, offset90k } of reader.fragments()) {
    end = fragmentEnd;
    const last90k = samples.reduce((sum, sample) => sum + sample.duration90k, 0);
    if (track === 'video') frames += samples.length;
    else hasSound = true;
    duration90k = offset90k + (track === 'video' ? last90k : samplesToTicks(last90k));
  }
  return { frames, hasSound, duration90k, isCut: frames === 0 || end !== size };
}

/** The one format of all inputs: an ordinary MP4 track has one. */
function commonFormat(inputs: readonly OpenInput[]): VideoFormat {
  const [first] = inputs;
  if (first === undefined) {
    throw new CameraError('evidence/malformed', 'there is no whole picture in the recording');
  }
  if (!inputs.every((input) => sameFormat(input.format, first.format))) {
    throw new CameraError(
      'capture/mixed-formats',
      'the picture format changes within the recording',
    );
  }
  return first.format;
}

/** How the pictures of all inputs are turned: a recording is worn one way. */
function commonRotation(inputs: readonly OpenInput[]): Rotation {
  const rotations = new Set(inputs.map(({ reader }) => reader.rotation));
  const [first = 0, ...others] = rotations;
  if (others.length === 0) return first;
  throw new CameraError('capture/mixed-formats', 'the picture is turned within the recording');
}

/** The AudioSpecificConfig of all inputs with sound; undefined when there is none. */
function commonAudio(inputs: readonly OpenInput[]): Buffer | undefined {
  const configs = inputs.flatMap(({ hasSound, reader }) =>
    hasSound && reader.audioConfig ? [reader.audioConfig] : [],
  );
  const [first] = configs;
  if (first && !configs.every((config) => config.equals(first))) {
    throw new CameraError('capture/mixed-formats', 'the audio format changes within the recording');
  }
  return first;
}

/** Feeds the AAC frames of the inputs to one track; where some are missing between two, silent ones. */
class SoundFeed {
  readonly #audio: EncodedAudioPacketSource;
  readonly #track: object;
  #nextSample: number | undefined;

  constructor(audio: EncodedAudioPacketSource, config: Buffer) {
    this.#audio = audio;
    this.#track = audioTrackOf(config);
  }

  async add(input: OpenInput, fragment: StoredFragment): Promise<void> {
    const start = toSamples(input.offset90k + fragment.offset90k);
    let next = this.#nextSample ?? start;
    for (; next + AUDIO_FRAME_SAMPLES <= start; next += AUDIO_FRAME_SAMPLES) {
      await this.#audio.add(audioPacketOf(SILENT_FRAME, next), this.#track);
    }
    next = Math.max(next, start);
    for (const data of await input.reader.payload(fragment)) {
      await this.#audio.add(audioPacketOf(data, next), this.#track);
      next += AUDIO_FRAME_SAMPLES;
    }
    this.#nextSample = next;
  }
}

/** Feeds the pictures of the inputs to one track, one fragment in memory at a time. */
class PictureFeed {
  readonly #video: EncodedVideoPacketSource;
  readonly #track: object;
  readonly #onFrames: (framesDone: number) => void;
  frames = 0;
  end90k = 0;

  constructor(
    video: EncodedVideoPacketSource,
    format: VideoFormat,
    onFrames: (framesDone: number) => void,
  ) {
    this.#video = video;
    this.#track = trackOf(format);
    this.#onFrames = onFrames;
  }

  async add(input: OpenInput, fragment: StoredFragment): Promise<void> {
    let at90k = input.offset90k + fragment.offset90k;
    if (at90k < this.end90k) {
      throw new CameraError('evidence/malformed', 'two segments of the recording overlap');
    }
    const payload = await input.reader.payload(fragment);
    for (const [index, sample] of fragment.samples.entries()) {
      const data = payload[index] ?? Buffer.alloc(0);
      await this.#video.add(packetOf(data, sample.isIdr, at90k, sample.duration90k), this.#track);
      at90k += sample.duration90k;
    }
    this.end90k = at90k;
    this.frames += fragment.samples.length;
    this.#onFrames(this.frames);
  }
}

/** An output that writes to the target; on the way, wall time is taken out of its moov and the picture is turned. */
function openOutput(target: JoinTarget, rotation: Rotation): Output {
  let headEnd = 0;
  const stream = new WritableStream<{ data: Uint8Array; position: number }>({
    write: ({ data, position }) => {
      const bytes = Buffer.from(data.buffer, data.byteOffset, data.length);
      const isMoov = position === headEnd && readBoxHeader(bytes, 0)?.type === 'moov';
      const written = isMoov ? withRotation(withoutWallTime(bytes), rotation) : bytes;
      return target.write(written, position);
    },
  });
  return new Output({
    target: new StreamTarget(stream),
    format: new Mp4OutputFormat({
      fastStart: 'reserve', // room for the table of contents at the front, filled in at the end
      onFtyp: (data) => (headEnd = data.length),
    }),
  });
}

/**
 * Joins the segments of a recording into one ordinary MP4 with its table of contents first, without re-encoding: every
 * access unit and every AAC frame comes out byte for byte, at the time it has in the recording. A segment that was cut anywhere gives what
 * is whole in it; see the report. The last picture before a gap stays for the time of the gap, and silent AAC frames fill
 * it. Sound begins where it begins in the recording, by an edit list. Without sound there is no audio track. The same
 * recording gives the same file, bit for bit.
 * Memory: one fragment, and some 200 bytes of table for each picture.
 * Rejects with `evidence/malformed` for a source that is no segment or when there is no picture at all, with
 * `capture/mixed-formats` when the picture format changes or the picture is turned on the way, and with what a source or the target rejects with; what is
 * in the target is then no file.
 */
export async function joinSegments(
  segments: readonly JoinInput[],
  target: JoinTarget,
  onProgress: (framesDone: number, frames: number) => void = () => undefined,
): Promise<JoinReport> {
  const { surveyed, inputs } = await openInputs(segments);
  const format = commonFormat(inputs);
  const config = commonAudio(inputs);
  const frames = surveyed.reduce((sum, segment) => sum + segment.frames, 0);

  const output = openOutput(target, commonRotation(inputs));
  const video = new EncodedVideoPacketSource('avc');
  output.addVideoTrack(video, { ...TRACK_METADATA, maximumPacketCount: frames });
  const pictures = new PictureFeed(video, format, (done) => {
    onProgress(done, frames);
  });
  const sound = config && addSound(output, config, inputs, surveyed);
  try {
    await output.start();
    for (const input of inputs) {
      for await (const fragment of input.reader.fragments()) {
        if (fragment.track === 'video') await pictures.add(input, fragment);
        else await sound?.add(input, fragment);
      }
    }
    await output.finalize();
  } catch (error) {
    await output.cancel().catch(() => undefined); // the first error is the one that counts
    throw error;
  }
  const report = surveyed.map(({ frames, isCut }) => ({ frames, isCut }));
  return { frames, duration90k: pictures.end90k, segments: report };
}

async function openInputs(
  segments: readonly JoinInput[],
): Promise<{ readonly surveyed: readonly Survey[]; readonly inputs: readonly OpenInput[] }> {
  const surveyed: Survey[] = [];
  const inputs: OpenInput[] = [];
  for (const segment of segments) {
    const reader = await SegmentReader.open(segment.source);
    const survey = await surveySegment(reader, segment.source.size);
    surveyed.push(survey);
    const { format } = reader;
    if (format && survey.frames > 0) {
      inputs.push({ ...segment, reader, format, hasSound: survey.hasSound });
    }
  }
  return { surveyed, inputs };
}

/** The audio track, with room in the table of contents for a frame at every moment of the recording. */
function addSound(
  output: Output,
  config: Buffer,
  inputs: readonly OpenInput[],
  surveyed: readonly Survey[],
): SoundFeed {
  const longest90k = Math.max(...surveyed.map(({ duration90k }) => duration90k));
  const end90k = (inputs.at(-1)?.offset90k ?? 0) + longest90k;
  const audio = new EncodedAudioPacketSource('aac');
  const maximumPacketCount = Math.ceil(toSamples(end90k) / AUDIO_FRAME_SAMPLES) + 1;
  output.addAudioTrack(audio, { maximumPacketCount });
  return new SoundFeed(audio, config);
}

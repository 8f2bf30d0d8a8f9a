import { CameraError } from '../errors.js';
import { TICKS_PER_SECOND } from '../units.js';
import type { VideoFormat } from './ports.js';

/** One box of ISO/IEC 14496-12: where it starts, how long its header is, and where it ends. */
export interface Box {
  readonly type: string;
  readonly start: number;
  /** First byte after the header. */
  readonly body: number;
  readonly end: number;
}

/** One access unit or AAC frame as the tables of a moof describe it. */
export interface Sample {
  readonly bytes: number;
  /** In 90 kHz for pictures; in samples for sound. */
  readonly duration90k: number;
  readonly isIdr: boolean;
}

/** The tables of a moof with one track. */
export interface MoofTables {
  readonly sequence: number;
  readonly track: number;
  /** In 90 kHz for pictures; in samples for sound. */
  readonly decodeTime90k: number;
  /** From the start of the moof to the first sample. */
  readonly dataOffset: number;
  readonly samples: readonly Sample[];
}

/** A GOP of ten seconds at 60 pictures a second; a real one has 30. */
export const SAMPLES_MAX = 600;
/** Our own boxes have at most eight children; a file with more is not ours. */
const CHILDREN_MAX = 64;
const HEADER_BYTES = 8;
const LARGE_HEADER_BYTES = 16;
const FULL_BOX_BYTES = 4;

// Flag bits of tfhd and trun: ISO/IEC 14496-12 §8.8.7 and §8.8.8.
const BASE_DATA_OFFSET = 0x01;
const DESCRIPTION_INDEX = 0x02;
const DEFAULT_DURATION = 0x08;
const DEFAULT_SIZE = 0x10;
const DEFAULT_FLAGS = 0x20;
const BASE_IS_MOOF = 0x02_0000;
const DATA_OFFSET = 0x01;
const FIRST_FLAGS = 0x04;
const SAMPLE_DURATION = 0x100;
const SAMPLE_SIZE = 0x200;
const SAMPLE_FLAGS = 0x400;
const SAMPLE_COMPOSITION = 0x800;
const IS_NON_SYNC = 0x01_0000;

const malformed = (message: string): CameraError => new CameraError('evidence/malformed', message);

/**
 * Reads the box header at `at`; undefined when there are not enough bytes for it, or when it is no header at all
 * (shorter than itself, or with a type that is not printable). The box may end beyond `bytes`.
 */
export function readBoxHeader(bytes: Buffer, at: number): Box | undefined {
  if (at + HEADER_BYTES > bytes.length) return undefined;
  const type = bytes.toString('latin1', at + 4, at + 8);
  let size = bytes.readUInt32BE(at);
  let header = HEADER_BYTES;
  if (size === 1) {
    if (at + LARGE_HEADER_BYTES > bytes.length) return undefined;
    size = Number(bytes.readBigUInt64BE(at + 8));
    header = LARGE_HEADER_BYTES;
  }
  if (size < header || !Number.isSafeInteger(at + size) || !/^[a-zA-Z0-9 ]{4}$/.test(type)) {
    return undefined;
  }
  return { type, start: at, body: at + header, end: at + size };
}

/** The boxes that fill `start` to `end` of `bytes`. Throws `evidence/malformed` when they do not fill it exactly. */
export function childBoxes(bytes: Buffer, start: number, end: number): Box[] {
  const boxes: Box[] = [];
  let at = start;
  while (at < end) {
    const box = readBoxHeader(bytes, at);
    if (box === undefined || box.end > end || boxes.length === CHILDREN_MAX) {
      throw malformed(`no MP4 box at byte ${at}`);
    }
    boxes.push(box);
    at = box.end;
  }
  return boxes;
}

/** The box at the end of a path of types, below the box at the start of `bytes`. Throws when it is missing. */
export function findBox(bytes: Buffer, path: readonly string[]): Box {
  let found = readBoxHeader(bytes, 0);
  for (const type of path) {
    if (found === undefined || found.end > bytes.length) break;
    found = childBoxes(bytes, found.body, found.end).find((box) => box.type === type);
  }
  if (found === undefined || found.end > bytes.length) {
    throw malformed(`the MP4 box ${path.join('/')} is missing`);
  }
  return found;
}

/** Steps through the 32-bit fields of a full box and refuses to leave it. */
class FieldReader {
  readonly #bytes: Buffer;
  readonly #end: number;
  readonly flags: number;
  readonly version: number;
  at: number;

  constructor(bytes: Buffer, box: Box) {
    this.#bytes = bytes;
    this.#end = box.end;
    this.at = box.body;
    const versionAndFlags = this.u32();
    this.version = versionAndFlags >>> 24;
    this.flags = versionAndFlags & 0xff_ffff;
  }

  u32(): number {
    if (this.at + 4 > this.#end) throw malformed('an MP4 box ends inside a field');
    this.at += 4;
    return this.#bytes.readUInt32BE(this.at - 4);
  }

  u64(): number {
    const value = this.u32() * 2 ** 32 + this.u32();
    if (!Number.isSafeInteger(value)) throw malformed('an MP4 time beyond 2^53');
    return value;
  }

  /** The field when its flag is set, else `otherwise`. */
  optional(flag: number, otherwise: number): number {
    return (this.flags & flag) === 0 ? otherwise : this.u32();
  }
}

interface Defaults {
  readonly track: number;
  readonly duration90k: number;
  readonly bytes: number;
  readonly flags: number;
}

function readTfhd(moof: Buffer, box: Box): Defaults {
  const fields = new FieldReader(moof, box);
  if ((fields.flags & BASE_IS_MOOF) === 0 || (fields.flags & BASE_DATA_OFFSET) !== 0) {
    throw malformed('sample offsets that do not count from the moof');
  }
  const track = fields.u32();
  fields.optional(DESCRIPTION_INDEX, 1);
  return {
    track,
    duration90k: fields.optional(DEFAULT_DURATION, 0),
    bytes: fields.optional(DEFAULT_SIZE, 0),
    flags: fields.optional(DEFAULT_FLAGS, 0),
  };
}

function readTrun(
  moof: Buffer,
  box: Box,
  defaults: Defaults,
): Omit<MoofTables, 'sequence' | 'decodeTime90k' | 'track'> {
  const fields = new FieldReader(moof, box);
  const count = fields.u32();
  if (count === 0 || count > SAMPLES_MAX) throw malformed(`a fragment of ${count} access units`);
  if ((fields.flags & DATA_OFFSET) === 0) throw malformed('a fragment without a data offset');
  const dataOffset = fields.u32();
  const firstFlags = fields.optional(FIRST_FLAGS, defaults.flags);
  const samples: Sample[] = [];
  for (let index = 0; index < count; index += 1) {
    const duration90k = fields.optional(SAMPLE_DURATION, defaults.duration90k);
    const bytes = fields.optional(SAMPLE_SIZE, defaults.bytes);
    const flags = fields.optional(SAMPLE_FLAGS, index === 0 ? firstFlags : defaults.flags);
    if (fields.optional(SAMPLE_COMPOSITION, 0) !== 0) throw malformed('pictures out of order');
    samples.push({ bytes, duration90k, isIdr: (flags & IS_NON_SYNC) === 0 });
  }
  return { dataOffset, samples };
}

/**
 * Reads the tables of a whole moof with one track, one run and offsets from the moof, which is what we write.
 * Throws `evidence/malformed` for any other.
 */
export function readMoof(moof: Buffer): MoofTables {
  const trafs = childBoxes(moof, findBox(moof, []).body, moof.length).filter(
    (box) => box.type === 'traf',
  );
  if (trafs.length !== 1) throw malformed(`a moof with ${trafs.length} tracks`);
  const tfdt = new FieldReader(moof, findBox(moof, ['traf', 'tfdt']));
  const mfhd = new FieldReader(moof, findBox(moof, ['mfhd']));
  const defaults = readTfhd(moof, findBox(moof, ['traf', 'tfhd']));
  return {
    sequence: mfhd.u32(),
    track: defaults.track,
    decodeTime90k: tfdt.version === 1 ? tfdt.u64() : tfdt.u32(),
    ...readTrun(moof, findBox(moof, ['traf', 'trun']), defaults),
  };
}

/** A copy of the moof with another decode time and sequence number; nothing else changes, not even a length. */
export function placeMoof(moof: Buffer, decodeTime90k: number, sequence: number): Buffer {
  const placed = Buffer.from(moof);
  const tfdt = findBox(placed, ['traf', 'tfdt']);
  if (placed.readUInt8(tfdt.body) !== 1) throw malformed('a decode time of 32 bits');
  placed.writeBigUInt64BE(BigInt(decodeTime90k), tfdt.body + FULL_BOX_BYTES);
  placed.writeUInt32BE(sequence, findBox(placed, ['mfhd']).body + FULL_BOX_BYTES);
  return placed;
}

export const bytesOf = (samples: readonly Sample[]): number =>
  samples.reduce((sum, sample) => sum + sample.bytes, 0);

/** The samples, from the first on, that lie whole in the `bytes` bytes that begin with the first. */
export function wholeSamples({ samples }: MoofTables, bytes: number): readonly Sample[] {
  let end = 0;
  const cut = samples.findIndex((sample) => (end += sample.bytes) > bytes);
  return cut < 0 ? samples : samples.slice(0, cut);
}

/** The boxes that carry wall time, in a moov and in those below it that hold some. */
const TIMED_BOXES = new Set(['mvhd', 'tkhd', 'mdhd']);
const HOLDERS = new Set(['trak', 'mdia']);

function clearWallTime(bytes: Buffer, parent: Box): void {
  for (const box of childBoxes(bytes, parent.body, parent.end)) {
    if (HOLDERS.has(box.type)) clearWallTime(bytes, box);
    if (!TIMED_BOXES.has(box.type)) continue;
    const length = bytes.readUInt8(box.body) === 1 ? 16 : 8;
    bytes.fill(0, box.body + FULL_BOX_BYTES, box.body + FULL_BOX_BYTES + length);
  }
}

/**
 * A copy of the moov whose creation and modification times are 0, which is what ISO/IEC 14496-12 leaves a writer that
 * does not know. The manifest says the time, with its source and uncertainty; a moov can say neither.
 */
export function withoutWallTime(moov: Buffer): Buffer {
  const copy = Buffer.from(moov);
  clearWallTime(copy, findBox(copy, []));
  return copy;
}

/** Bytes of a VisualSampleEntry before its own boxes, and where its width stands: ISO/IEC 14496-12 §12.1.3. */
const SAMPLE_ENTRY_BYTES = 78;
const SAMPLE_ENTRY_WIDTH = 24;
/** Version, flags and entry count of an stsd box. */
const STSD_FIELDS_BYTES = 8;

/** The picture format of the first track of a moov. Throws `evidence/malformed` unless that track is AVC at 90 kHz. */
export function readTrackFormat(moov: Buffer): VideoFormat {
  const mdhd = new FieldReader(moov, findBox(moov, ['trak', 'mdia', 'mdhd']));
  mdhd.at += mdhd.version === 1 ? 16 : 8;
  if (mdhd.u32() !== TICKS_PER_SECOND) throw malformed('a track that does not count in 90 kHz');
  const stsd = findBox(moov, ['trak', 'mdia', 'minf', 'stbl', 'stsd']);
  const entry = childBoxes(moov, stsd.body + STSD_FIELDS_BYTES, stsd.end)[0];
  if (entry?.type !== 'avc1' || entry.end < entry.body + SAMPLE_ENTRY_BYTES) {
    throw malformed('a track that is not AVC');
  }
  const boxes = childBoxes(moov, entry.body + SAMPLE_ENTRY_BYTES, entry.end);
  const avcC = boxes.find((box) => box.type === 'avcC');
  if (avcC === undefined) throw malformed('an AVC track without its avcC record');
  return {
    avcC: Buffer.from(moov.subarray(avcC.body, avcC.end)),
    width: moov.readUInt16BE(entry.body + SAMPLE_ENTRY_WIDTH),
    height: moov.readUInt16BE(entry.body + SAMPLE_ENTRY_WIDTH + 2),
  };
}

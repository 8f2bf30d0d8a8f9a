import { SegmentReader } from '../capture/segment-reader.js';
import type { ByteSource } from '../capture/segment-reader.js';
import { parseEnvelopeFile } from '../evidence/dsse.js';
import { readManifest } from '../evidence/manifest.js';
import type { Manifest } from '../evidence/manifest.js';
import { hasErrorCode, isCameraError } from '../errors.js';
import type { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { TICKS_PER_MS, formatSegmentRef } from '../units.js';
import { DecryptedSegment } from './decrypted-segment.js';
import type { FoundSegment } from './evidence-files.js';

const ENVELOPE_BYTES_MAX = 128 * 1024;

/** How segments are opened for an export. */
export interface OpenChoices {
  readonly identity: string;
  /** True: of a changed segment what is left of it, or nothing, instead of an error. */
  readonly isPartial: boolean;
  /**
   * What a verification said of the manifests, by segment: undefined where it was refuted. Without it, each manifest is
   * taken at its word.
   */
  readonly manifests?: ReadonlyMap<string, Manifest | undefined>;
}

/** A segment whose ciphertext is there. */
export interface OpenedSegment {
  readonly found: FoundSegment;
  readonly manifest: Manifest | undefined;
  /** Undefined when nothing of it can be decrypted. */
  readonly source: DecryptedSegment | undefined;
  /** True when its end was left off, because it was changed or is not there. */
  readonly isShort: boolean;
  /** From the start of the recording. */
  readonly offset90k: number;
  readonly duration90k: number;
}

/**
 * Opens every segment that has its ciphertext and says where it stands in the recording. Close what it gives.
 * Rejects with `evidence/wrong-key` when the identity opens none, and unless `isPartial` with `evidence/malformed` when
 * one was changed.
 */
export async function openSegments(
  fs: FileSystem,
  segments: readonly FoundSegment[],
  choices: OpenChoices,
): Promise<readonly OpenedSegment[]> {
  const opened: OpenedSegment[] = [];
  let refusal: CameraError | undefined;
  let place: Placed | undefined;
  try {
    for (const found of segments) {
      if (!found.files.has('.age')) continue;
      const manifest = await manifestOf(fs, found, choices);
      const { source, isShort, error } = await openOne(fs, found, manifest, choices);
      refusal ??= error;
      const isMeasured = manifest === undefined || choices.isPartial;
      const measured90k = isMeasured && source !== undefined ? await measure(source) : undefined;
      place = placeAfter(place, manifest, measured90k, choices.isPartial);
      const { offset90k } = place;
      const duration90k = place.end90k - offset90k;
      opened.push({ found, manifest, source, isShort, offset90k, duration90k });
    }
    if (refusal !== undefined && opened.every(({ source }) => source === undefined)) throw refusal;
    return opened;
  } catch (error) {
    for (const { source } of opened) await source?.close();
    throw error;
  }
}

interface Opening {
  readonly source: DecryptedSegment | undefined;
  readonly isShort: boolean;
  readonly error?: CameraError;
}

async function openOne(
  fs: FileSystem,
  { files }: FoundSegment,
  manifest: Manifest | undefined,
  { identity, isPartial }: OpenChoices,
): Promise<Opening> {
  const age = files.get('.age');
  if (age === undefined) return { source: undefined, isShort: true };
  const size = manifest?.file.size;
  if (!isPartial) {
    return { source: await DecryptedSegment.open(fs, age.path, identity, size), isShort: false };
  }
  try {
    return await DecryptedSegment.openSound(fs, age.path, identity, size);
  } catch (error) {
    // A changed header is as good as one for somebody else.
    const lost: readonly string[] = ['evidence/malformed', 'evidence/wrong-key'];
    if (!isCameraError(error) || !lost.includes(error.code)) throw error;
    return { source: undefined, isShort: true, error };
  }
}

async function manifestOf(
  fs: FileSystem,
  { ref, files }: FoundSegment,
  { manifests, isPartial }: OpenChoices,
): Promise<Manifest | undefined> {
  if (manifests !== undefined && isPartial) return manifests.get(formatSegmentRef(ref));
  const file = files.get('.dsse');
  if (file === undefined) return undefined;
  const text = (await fs.readFile(file.path, ENVELOPE_BYTES_MAX)).toString('utf8');
  try {
    return readManifest(parseEnvelopeFile(text));
  } catch (error) {
    if (isPartial && hasErrorCode(error, 'evidence/malformed')) return undefined;
    throw error;
  }
}

/** Where the pictures of a segment end, from its tables. */
async function measure(source: ByteSource): Promise<number> {
  let end90k = 0;
  for await (const { track, samples, offset90k } of (
    await SegmentReader.open(source)
  ).fragments()) {
    if (track !== 'video') continue;
    end90k = offset90k + samples.reduce((sum, { duration90k }) => sum + duration90k, 0);
  }
  return end90k;
}

/** Where a segment stands in its recording. */
interface Placed {
  readonly offset90k: number;
  readonly end90k: number;
  readonly run: number;
  readonly start90k: number;
}

/**
 * Within a run the media clock says where a segment belongs, also after a hole. Across runs only the gap that was
 * measured is known, and for a segment whose facts a power cut took, nothing: it then follows directly. Where what is there
 * may have been changed, no segment is placed before the end of the one before it.
 */
function placeAfter(
  before: Placed | undefined,
  manifest: Manifest | undefined,
  measured90k: number | undefined,
  isPartial: boolean,
): Placed {
  const media = manifest?.media;
  const run = media?.run ?? 0;
  const start90k = media?.start90k ?? 0;
  let offset90k = 0;
  if (before !== undefined) {
    const isSameRun = run !== 0 && run === before.run;
    offset90k = isSameRun
      ? before.offset90k + start90k - before.start90k
      : before.end90k + (media?.gap_before_ms ?? 0) * TICKS_PER_MS;
    if (isPartial) offset90k = Math.max(offset90k, before.end90k);
  }
  const duration90k = measured90k ?? media?.duration90k ?? 0;
  return { offset90k, end90k: offset90k + duration90k, run, start90k };
}

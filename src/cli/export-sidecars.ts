import path from 'node:path';
import { decryptWhole } from '../evidence/age-container.js';
import { METADATA_BYTES_MAX, readMetadata } from '../evidence/metadata.js';
import type { MetadataLine } from '../evidence/metadata.js';
import { isCameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { TimeAnchor } from '../timekeeping.js';
import { formatSegmentRef, ticksToMs } from '../units.js';
import { findEvidence } from './evidence-files.js';
import type { FoundSegment } from './evidence-files.js';
import { anchorsIn, makeSidecars } from './sidecars.js';
import type { SidecarInput } from './sidecars.js';

/** Where a segment stands in the MP4. */
interface Placed {
  readonly offset90k: number;
  readonly duration90k: number;
}

const sidecarFile = (out: string, end: string): string =>
  `${out.slice(0, out.length - path.extname(out).length)}.${end}`;

/** Every file that may come to stand beside the MP4 `out`. */
export const sidecarFiles = (out: string): readonly string[] =>
  ['gpx', 'csv', 'vtt'].map((end) => sidecarFile(out, end));

/** What was written, and what it was made of. */
export interface WrittenSidecars {
  readonly sidecars: readonly string[];
  readonly withoutMetadata: readonly string[];
  /** Of each segment, in order. */
  readonly inputs: readonly SidecarInput[];
  readonly anchors: readonly TimeAnchor[];
}

/**
 * Writes `.gpx`, `.csv` and `.vtt` beside the MP4 `out`, each when there is something in it. The surest wall time that any
 * segment of the same boot knows dates them. Metadata that cannot be read are named and left out: the pictures are whole
 * without them. Rejects as the file system does.
 */
export async function writeSidecars(
  fs: FileSystem,
  segments: readonly FoundSegment[],
  placed: readonly Placed[],
  identity: string,
  out: string,
): Promise<WrittenSidecars> {
  const withoutMetadata: string[] = [];
  const inputs: SidecarInput[] = [];
  for (const [index, segment] of segments.entries()) {
    const lines = await metadataOf(fs, segment, identity);
    if (lines === undefined) withoutMetadata.push(formatSegmentRef(segment.ref));
    const { offset90k = 0, duration90k = 0 } = placed[index] ?? {};
    const times = { offsetMs: ticksToMs(offset90k), durationMs: ticksToMs(duration90k) };
    inputs.push({ lines: lines ?? [], ...times });
  }
  const anchors = await anchorsOfBoot(fs, segments, identity);
  const texts = Object.entries(makeSidecars(inputs, anchors)) as [string, string][];
  const sidecars: string[] = [];
  for (const [end, text] of texts) {
    const file = sidecarFile(out, end);
    await fs.writeAtomic(file, Buffer.from(text));
    sidecars.push(file);
  }
  return { sidecars, withoutMetadata, inputs, anchors };
}

/** What every readable segment of the boot knows of its time: a later recording may know it better. */
async function anchorsOfBoot(
  fs: FileSystem,
  [first]: readonly FoundSegment[],
  identity: string,
): Promise<readonly TimeAnchor[]> {
  if (first === undefined) return [];
  const { segments } = await findEvidence(fs, [path.join(first.root, `${first.ref.boot}`)]);
  const anchors: TimeAnchor[] = [];
  for (const segment of segments) {
    anchors.push(...anchorsIn((await metadataOf(fs, segment, identity)) ?? []));
  }
  return anchors;
}

async function metadataOf(
  fs: FileSystem,
  { files }: FoundSegment,
  identity: string,
): Promise<readonly MetadataLine[] | undefined> {
  const file = files.get('.meta.age');
  if (file === undefined) return undefined;
  try {
    const sealed = await fs.readFile(file.path, METADATA_BYTES_MAX);
    const { plain, isComplete } = decryptWhole(sealed, identity);
    return isComplete ? readMetadata(plain) : undefined;
  } catch (error) {
    if (isCameraError(error)) return undefined;
    throw error;
  }
}

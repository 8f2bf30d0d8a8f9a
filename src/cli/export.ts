import path from 'node:path';
import { joinSegments } from '../capture/mp4.js';
import type { JoinInput, JoinReport } from '../capture/mp4.js';
import type { Manifest } from '../evidence/manifest.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import type { TimeAnchor } from '../timekeeping.js';
import { TICKS_PER_SECOND, formatSegmentRef, ticksToMs } from '../units.js';
import { findEvidence } from './evidence-files.js';
import type { FoundSegment } from './evidence-files.js';
import { openSegments } from './export-segments.js';
import type { OpenChoices, OpenedSegment } from './export-segments.js';
import { sidecarFiles, writeSidecars } from './export-sidecars.js';
import type { SidecarInput } from './sidecars.js';

export interface ExportReport {
  readonly out: string;
  readonly frames: number;
  readonly seconds: number;
  readonly segments: number;
  /** Segments that a power cut or a change ended: exported up to their last whole picture. */
  readonly cut: number;
  /** Files written beside it: `.gpx` positions, `.csv` motion, `.vtt` marks, mutes, time and place. */
  readonly sidecars: readonly string[];
  /** Segments whose metadata are not there or cannot be read: nothing of them is in the sidecars. */
  readonly withoutMetadata: readonly string[];
  /** Segments that are not there, or without their ciphertext: their time is missing from the MP4. */
  readonly missing: readonly string[];
  /** Segments that are there and of which nothing can be decrypted: only in a partial export. */
  readonly leftOut: readonly string[];
}

/** One segment that was there, and what became of it. */
export interface ExportedSegment {
  readonly found: FoundSegment;
  readonly manifest: Manifest | undefined;
  /** `part`: up to where it was cut or changed. */
  readonly inMp4: 'whole' | 'part' | 'none';
  /** Where its pictures stand in the MP4. */
  readonly offsetMs: number;
  readonly durationMs: number;
  readonly frames: number;
  /** Its metadata; no lines when they cannot be read. */
  readonly input: SidecarInput;
}

export interface DetailedExport {
  readonly report: ExportReport;
  readonly segments: readonly ExportedSegment[];
  /** Every wall time known of the boot. */
  readonly anchors: readonly TimeAnchor[];
}

export type ExportChoices = OpenChoices & {
  readonly out: string;
  /** Called with the share of the pictures that is written, 0 to 1. */
  readonly onProgress?: (share: number) => void;
};

/**
 * The segments of one recording. Rejects with `storage/not-found` when there is none and `cli/usage` when the path holds
 * more than one recording.
 */
export async function findRecording(
  fs: FileSystem,
  recording: string,
): Promise<readonly FoundSegment[]> {
  const { segments } = await findEvidence(fs, [recording]);
  const places = new Set(
    segments.map(({ root, ref }) => path.join(root, `${ref.boot}/${ref.rec}`)),
  );
  if (places.size > 1) {
    throw new CameraError('cli/usage', `${recording} holds ${places.size} recordings; name one`);
  }
  return segments;
}

/**
 * Decrypts the segments of one recording and joins them into `out`, every access unit byte for byte.
 * Rejects with `evidence/wrong-key`, `evidence/malformed`, `cli/usage` when `out` exists or the path holds more than
 * one recording; nothing is left in `out` then but a part that is no MP4.
 */
export async function exportRecording(
  fs: FileSystem,
  recording: string,
  identity: string,
  out: string,
  onProgress: (share: number) => void = () => undefined,
): Promise<ExportReport> {
  const segments = await findRecording(fs, recording);
  const choices = { identity, out, isPartial: false, onProgress };
  return (await exportSegments(fs, segments, choices)).report;
}

/** The same for the segments of one recording, with what became of each. Rejects with `cli/usage` when `out` exists. */
export async function exportSegments(
  fs: FileSystem,
  segments: readonly FoundSegment[],
  choices: ExportChoices,
): Promise<DetailedExport> {
  const { out, identity, onProgress } = choices;
  for (const file of [out, ...sidecarFiles(out)]) {
    if (await fs.exists(file)) throw new CameraError('cli/usage', `${file} exists already`);
  }
  const opened = await openSegments(fs, segments, choices);
  try {
    const inputs = opened.flatMap(({ source, offset90k }) =>
      source === undefined ? [] : [{ source, offset90k }],
    );
    const joined = await writeJoined(fs, inputs, out, onProgress ?? (() => undefined));
    const kept = opened.filter(({ source }) => source !== undefined);
    const places = placesIn(inputs, joined);
    const founds = kept.map(({ found }) => found);
    const beside = await writeSidecars(fs, founds, places, identity, out);
    const { sidecars, withoutMetadata, anchors } = beside;
    const leftOut = opened.filter(({ source }) => source === undefined);
    const report = {
      ...summary(out, joined, kept),
      ...{ sidecars, withoutMetadata, missing: holesIn(segments) },
      leftOut: leftOut.map(({ found }) => formatSegmentRef(found.ref)),
    };
    return { report, segments: detailed(opened, joined, beside.inputs), anchors };
  } finally {
    for (const { source } of opened) await source?.close();
  }
}

async function writeJoined(
  fs: FileSystem,
  inputs: readonly JoinInput[],
  out: string,
  onProgress: (share: number) => void,
): Promise<JoinReport> {
  await fs.makeDirectory(path.dirname(path.resolve(out)));
  const file = await fs.create(out);
  try {
    const target = {
      write: (bytes: Uint8Array, position: number) => file.writeAt(bytes, position),
    };
    const report = await joinSegments(inputs, target, (done, total) => {
      onProgress(total === 0 ? 1 : done / total);
    });
    await file.sync();
    return report;
  } finally {
    await file.close();
  }
}

const summary = (
  out: string,
  report: JoinReport,
  kept: readonly OpenedSegment[],
): Pick<ExportReport, 'out' | 'frames' | 'seconds' | 'segments' | 'cut'> => ({
  out,
  frames: report.frames,
  seconds: report.duration90k / TICKS_PER_SECOND,
  segments: report.segments.length,
  cut: report.segments.filter(({ isCut }, index) => isCut || kept[index]?.isShort === true).length,
});

/** What became of each segment; the reports of the join are those of the ones that could be opened, in order. */
function detailed(
  opened: readonly OpenedSegment[],
  { segments: reports }: JoinReport,
  inputs: readonly SidecarInput[],
): readonly ExportedSegment[] {
  let next = 0;
  return opened.map(({ found, manifest, source, isShort, offset90k, duration90k }) => {
    const offsetMs = ticksToMs(offset90k);
    const durationMs = ticksToMs(duration90k);
    const place = { found, manifest, offsetMs, durationMs };
    const nothing = {
      inMp4: 'none' as const,
      frames: 0,
      input: { lines: [], offsetMs, durationMs },
    };
    if (source === undefined) return { ...place, ...nothing };
    const { frames = 0, isCut = true } = reports[next] ?? {};
    const input = inputs[next] ?? nothing.input;
    next += 1;
    if (frames === 0) return { ...place, ...nothing, input };
    return { ...place, frames, input, inMp4: isCut || isShort ? 'part' : 'whole' };
  });
}

/** Where each segment stands in the MP4, the time without pictures after it included. */
const placesIn = (
  inputs: readonly JoinInput[],
  { duration90k }: JoinReport,
): readonly { offset90k: number; duration90k: number }[] =>
  inputs.map(({ offset90k }, index) => {
    const end90k = inputs[index + 1]?.offset90k ?? duration90k;
    return { offset90k, duration90k: Math.max(0, end90k - offset90k) };
  });

/** Numbers that no ciphertext stands for, up to the last segment found. */
function holesIn(segments: readonly FoundSegment[]): readonly string[] {
  const [first] = segments;
  if (first === undefined) return [];
  const there = new Set(
    segments.filter(({ files }) => files.has('.age')).map(({ ref }) => ref.seq),
  );
  const last = Math.max(...segments.map(({ ref }) => ref.seq));
  return Array.from({ length: last + 1 }, (_, seq) => seq)
    .filter((seq) => !there.has(seq))
    .map((seq) => formatSegmentRef({ ...first.ref, seq }));
}

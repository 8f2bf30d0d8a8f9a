import path from 'node:path';
import { joinSegments } from '../capture/mp4.js';
import type { JoinInput, JoinReport } from '../capture/mp4.js';
import { parseEnvelopeFile } from '../evidence/dsse.js';
import { readManifest } from '../evidence/manifest.js';
import type { Manifest } from '../evidence/manifest.js';
import type { VerdictState } from '../evidence/verdict.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openMachine } from '../hal/machine.js';
import { TICKS_PER_MS, TICKS_PER_SECOND, formatSegmentRef } from '../units.js';
import { DecryptedSegment } from './decrypted-segment.js';
import { findEvidence } from './evidence-files.js';
import type { FoundSegment } from './evidence-files.js';
import { readIdentity } from './identity-file.js';
import { readTrust } from './keys.js';
import { sidecarFiles, writeSidecars } from './export-sidecars.js';
import { findText, getText } from './options.js';
import type { Options } from './options.js';
import { Progress, formatSeconds, printJson, say } from './output.js';
import type { Output } from './output.js';
import { verifyPaths } from './verify.js';

const ENVELOPE_BYTES_MAX = 128 * 1024;

export interface ExportReport {
  readonly out: string;
  readonly frames: number;
  readonly seconds: number;
  readonly segments: number;
  /** Segments that a power cut ended: exported up to their last whole picture. */
  readonly cut: number;
  /** Files written beside it: `.gpx` positions, `.csv` motion, `.vtt` marks, mutes, time and place. */
  readonly sidecars: readonly string[];
  /** Segments whose metadata are not there or cannot be read: nothing of them is in the sidecars. */
  readonly withoutMetadata: readonly string[];
  /** Segments that are not there, or without their ciphertext: their time is missing from the MP4. */
  readonly missing: readonly string[];
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
  const { segments } = await findEvidence(fs, [recording]);
  const places = new Set(
    segments.map(({ root, ref }) => path.join(root, `${ref.boot}/${ref.rec}`)),
  );
  if (places.size > 1) {
    throw new CameraError('cli/usage', `${recording} holds ${places.size} recordings; name one`);
  }
  for (const file of [out, ...sidecarFiles(out)]) {
    if (await fs.exists(file)) throw new CameraError('cli/usage', `${file} exists already`);
  }
  const opened: DecryptedSegment[] = [];
  try {
    const inputs: JoinInput[] = [];
    const exported: FoundSegment[] = [];
    let place: Placed | undefined;
    for (const found of segments) {
      const manifest = await manifestOf(fs, found);
      const age = found.files.get('.age');
      if (age === undefined) continue;
      const source = await DecryptedSegment.open(fs, age.path, identity, manifest?.file.size);
      opened.push(source);
      exported.push(found);
      place = placeAfter(place, manifest);
      inputs.push({ source, offset90k: place.offset90k });
    }
    const report = await writeJoined(fs, inputs, out, onProgress);
    const beside = await writeSidecars(fs, exported, placesIn(inputs, report), identity, out);
    return { ...summary(out, report), ...beside, missing: holesIn(segments) };
  } finally {
    for (const source of opened) await source.close();
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
): Omit<ExportReport, 'missing' | 'sidecars' | 'withoutMetadata'> => ({
  out,
  frames: report.frames,
  seconds: report.duration90k / TICKS_PER_SECOND,
  segments: report.segments.length,
  cut: report.segments.filter(({ isCut }) => isCut).length,
});

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

async function manifestOf(fs: FileSystem, { files }: FoundSegment): Promise<Manifest | undefined> {
  const file = files.get('.dsse');
  if (file === undefined) return undefined;
  const text = (await fs.readFile(file.path, ENVELOPE_BYTES_MAX)).toString('utf8');
  return readManifest(parseEnvelopeFile(text));
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
 * measured is known, and for a segment whose facts a power cut took, nothing: it then follows directly.
 */
function placeAfter(before: Placed | undefined, manifest: Manifest | undefined): Placed {
  const media = manifest?.media;
  const run = media?.run ?? 0;
  const start90k = media?.start90k ?? 0;
  let offset90k = 0;
  if (before !== undefined) {
    const isSameRun = run !== 0 && run === before.run;
    offset90k = isSameRun
      ? before.offset90k + start90k - before.start90k
      : before.end90k + (media?.gap_before_ms ?? 0) * TICKS_PER_MS;
  }
  return { offset90k, end90k: offset90k + (media?.duration90k ?? 0), run, start90k };
}

export async function run(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs } = openMachine();
  const [recording = ''] = args;
  const identity = await readIdentity(fs, getText(options, 'identity'));
  const verified = await verifyFirst(fs, recording, findText(options, 'trust'));
  const progress = new Progress(output, 'export');
  const { segments } = await findEvidence(fs, [recording]);
  const bytes = segments.reduce((sum, { files }) => sum + (files.get('.age')?.bytes ?? 0), 0);
  const report = await progress.guard(
    exportRecording(fs, recording, identity, getText(options, 'out'), (share) => {
      progress.update(share * bytes, bytes);
    }),
  );
  progress.finish(bytes);
  if (output.isJson) printJson(output, { ok: true, verified: verified ?? null, ...report });
  const cut = report.cut > 0 ? `, ${report.cut} of them cut by a power loss` : '';
  say(
    output,
    `${report.out}: ${report.frames} frames, ${formatSeconds(report.seconds)}, from ${report.segments} segments${cut}`,
  );
  say(output, `verified: ${verified ?? 'not at all; give --trust to verify before the export'}`);
  if (report.sidecars.length > 0) say(output, `beside it: ${report.sidecars.join(', ')}`);
  for (const segment of report.withoutMetadata) say(output, `without metadata: segment ${segment}`);
  for (const segment of report.missing) say(output, `missing: segment ${segment}`);
  return 0;
}

/** The verdict on a recording that may be exported; undefined without a trust file. */
async function verifyFirst(
  fs: FileSystem,
  recording: string,
  trustFile: string | undefined,
): Promise<VerdictState | undefined> {
  if (trustFile === undefined) return undefined;
  const { state } = await verifyPaths(fs, [recording], await readTrust(fs, trustFile));
  if (state === 'not-ok') {
    const message = `${recording} is not-ok; lapel verify says what was changed`;
    throw new CameraError('evidence/bad-signature', message);
  }
  if (state === 'not-feasible') {
    const message = `${recording} could not be verified; lapel verify says what is missing`;
    throw new CameraError('evidence/not-feasible', message);
  }
  return state;
}

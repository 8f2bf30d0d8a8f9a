import { readTrust } from './keys.js';
import { findEvidence } from './evidence-files.js';
import type { FoundEvidence, FoundSegment } from './evidence-files.js';
import { getText } from './options.js';
import type { Options } from './options.js';
import { Progress, paint, printJson, say } from './output.js';
import type { Output } from './output.js';
import type { Trust } from '../evidence/trust.js';
import { worstOf } from '../evidence/verdict.js';
import type { VerdictState } from '../evidence/verdict.js';
import { verifyRecording } from '../evidence/verify-recording.js';
import type { RecordingVerdict } from '../evidence/verify-recording.js';
import { verifySegment } from '../evidence/verify-segment.js';
import type { SegmentFiles, SegmentVerdict } from '../evidence/verify-segment.js';
import { isCameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openMachine } from '../hal/machine.js';
import type { SegmentFile } from '../storage/layout.js';
import { formatSegmentRef } from '../units.js';

/** The contract with scripts: 2 is kept for usage errors. */
export const VERDICT_EXIT: Readonly<Record<VerdictState, number>> = {
  ok: 0,
  'not-ok': 1,
  'ok-with-missing': 3,
  'not-feasible': 4,
};

/** What is said of a segment, and whose it is. */
export interface PlacedVerdict extends SegmentVerdict {
  /** Directory that holds its boots: a card's, or a device's folder in a store. */
  readonly root: string;
  /** Device that its manifest names; undefined without one. */
  readonly device: string | undefined;
}

export interface VerifyReport {
  readonly state: VerdictState;
  readonly segments: readonly PlacedVerdict[];
  readonly recordings: readonly RecordingVerdict[];
  readonly bytes: number;
  readonly setAside: readonly string[];
}

/** A list of 9,999 heads and leaves of five minutes stays far below; anything larger is not a segment's file. */
const SMALL_FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Large enough that system calls do not count, small enough that two of them do not show in the memory. */
const PIECE_BYTES = 1024 * 1024;

/** Verifies everything below the paths. Reads each ciphertext once and keeps none of it. */
export async function verifyPaths(
  fs: FileSystem,
  paths: readonly string[],
  trust: Trust,
  onBytes: (done: number, total: number) => void = () => undefined,
): Promise<VerifyReport> {
  const evidence = await findEvidence(fs, paths);
  const total = evidence.segments.reduce((sum, { files }) => sum + sizeOf(files), 0);
  const segments: PlacedVerdict[] = [];
  const byRecording = new Map<string, SegmentVerdict[]>();
  let done = 0;
  for (const found of evidence.segments) {
    const verdict = await judge(fs, found, evidence, trust, (bytes) => {
      done += bytes;
      onBytes(done, total);
    });
    segments.push({ ...verdict, root: found.root, device: verdict.manifest?.device });
    const key = `${found.root}\0${found.ref.boot}\0${found.ref.rec}`;
    byRecording.set(key, [...(byRecording.get(key) ?? []), verdict]);
  }
  const recordings = [...byRecording.values()].map((verdicts) => verifyRecording(verdicts));
  const state = worstOf([...segments, ...recordings].map((verdict) => verdict.state));
  return { state, segments, recordings, bytes: done, setAside: evidence.setAside };
}

/** A file that cannot be read is a finding about its segment, not the end of the verification. */
async function judge(
  fs: FileSystem,
  found: FoundSegment,
  evidence: FoundEvidence,
  trust: Trust,
  onBytes: (bytes: number) => void,
): Promise<SegmentVerdict> {
  try {
    return await verifySegment(await openFiles(fs, found, evidence, onBytes), trust);
  } catch (error) {
    if (!isCameraError(error)) throw error;
    const file = formatSegmentRef(found.ref);
    const problem = {
      state: 'not-feasible',
      file,
      what: 'unproven',
      message: error.message,
    } as const;
    return {
      ref: found.ref,
      state: problem.state,
      problems: [problem],
      manifest: undefined,
      manifestDigest: undefined,
    };
  }
}

const sizeOf = (files: FoundSegment['files']): number => files.get('.age')?.bytes ?? 0;

async function openFiles(
  fs: FileSystem,
  { ref, root, files }: FoundSegment,
  { sessions }: FoundEvidence,
  onBytes: (bytes: number) => void,
): Promise<SegmentFiles> {
  const read = async (end: SegmentFile): Promise<Buffer | undefined> => {
    const file = files.get(end);
    return file === undefined ? undefined : fs.readFile(file.path, SMALL_FILE_BYTES_MAX);
  };
  const age = files.get('.age');
  return {
    ref,
    sessions: sessions.get(root) ?? new Map<number, string>(),
    manifest: (await read('.dsse'))?.toString('utf8'),
    leaves: await read('.leaves'),
    heads: (await read('.heads'))?.toString('utf8'),
    meta: await read('.meta.age'),
    ciphertext: age === undefined ? undefined : pieces(fs, age.path, onBytes),
  };
}

async function* pieces(
  fs: FileSystem,
  file: string,
  onBytes: (bytes: number) => void,
): AsyncGenerator<Buffer, void, undefined> {
  const readable = await fs.openReadable(file);
  try {
    const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    for (let at = 0; at < readable.size;) {
      const length = await readable.readInto(piece, 0, PIECE_BYTES, at);
      if (length === 0) return;
      at += length;
      onBytes(length);
      yield piece.subarray(0, length);
    }
  } finally {
    await readable.close();
  }
}

const COLOURS = {
  ok: 'green',
  'ok-with-missing': 'yellow',
  'not-feasible': 'yellow',
  'not-ok': 'red',
} as const;

const PLAIN_WORDS: Readonly<Record<VerdictState, string>> = {
  ok: 'every byte is as the camera wrote it',
  'ok-with-missing': 'what is there is as the camera wrote it, but something is missing',
  'not-feasible': 'nothing contradicts, but something needed for the answer is not at hand',
  'not-ok': 'something was changed or does not fit together',
};

export async function run(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs } = openMachine();
  const trust = await readTrust(fs, getText(options, 'trust'));
  const progress = new Progress(output, 'verify');
  const report = await progress.guard(
    verifyPaths(fs, args, trust, (done, total) => {
      progress.update(done, total);
    }),
  );
  progress.finish(report.bytes);
  if (output.isJson) printJson(output, jsonOf(report));
  else printReport(output, report);
  return VERDICT_EXIT[report.state];
}

const jsonOf = (report: VerifyReport): unknown => ({
  ok: report.state === 'ok',
  state: report.state,
  bytes: report.bytes,
  segments: report.segments.map(({ ref, root, device, state, problems }) => ({
    segment: formatSegmentRef(ref),
    device: device ?? null,
    root,
    state,
    problems,
  })),
  recordings: report.recordings,
  setAside: report.setAside,
});

function printReport(output: Output, report: VerifyReport): void {
  for (const { ref, root, device, state, problems } of report.segments) {
    const colour = paint(output.out, COLOURS[state], state.padEnd(15));
    say(output, `${colour} ${device ?? root} ${formatSegmentRef(ref)}`);
    for (const { message } of problems) say(output, `                ${message}`);
  }
  for (const { problems } of report.recordings) {
    for (const { message } of problems) say(output, `                ${message}`);
  }
  if (report.setAside.length > 0) {
    say(output, `set aside, not judged: ${report.setAside.join(', ')}`);
  }
  const answer = paint(output.out, COLOURS[report.state], report.state);
  say(output, `${answer}: ${PLAIN_WORDS[report.state]} (${report.segments.length} segments)`);
}

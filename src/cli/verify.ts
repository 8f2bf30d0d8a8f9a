import { availableParallelism } from 'node:os';
import path from 'node:path';
import { isCameraError } from '../errors.js';
import { scanLeaves } from '../evidence/leaf-scan.js';
import type { LeafLayout, LeafScan } from '../evidence/leaf-scan.js';
import { sha256Hex } from '../evidence/merkle-tree.js';
import { NOTE_LENGTH_MAX } from '../evidence/signed-note.js';
import type { Trust } from '../evidence/trust.js';
import { worstOf } from '../evidence/verdict.js';
import type { Problem, VerdictState } from '../evidence/verdict.js';
import type { CataloguedSegment } from '../evidence/verify-catalog.js';
import { verifyRecording } from '../evidence/verify-recording.js';
import type { RecordingVerdict } from '../evidence/verify-recording.js';
import { verifySegment } from '../evidence/verify-segment.js';
import type { SegmentFiles, SegmentVerdict } from '../evidence/verify-segment.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { openMachine } from '../hal/machine.js';
import { formatSegmentRef } from '../units.js';
import { findEvidence } from './evidence-files.js';
import type { EvidenceFile, FoundEvidence, FoundSegment } from './evidence-files.js';
import { HashPool } from './hash-pool.js';
import { readIdentity } from './identity-file.js';
import { readTrust } from './keys.js';
import { findText, getText, getTexts } from './options.js';
import type { Options } from './options.js';
import { Progress, printJson } from './output.js';
import type { Output } from './output.js';
import { verifyRoot } from './verify-card.js';
import type { KeptCheckpoint, RootVerdict } from './verify-card.js';
import { verifyExport } from './verify-export.js';
import type { ExportVerdict } from './verify-export.js';
import { verifyPlaintext } from './verify-plaintext.js';
import { jsonOf, printReport } from './verify-report.js';

/** The contract with scripts: 2 is kept for usage errors. */
export const VERDICT_EXIT: Readonly<Record<VerdictState, number>> = {
  ok: 0,
  'not-ok': 1,
  'ok-with-missing': 3,
  'not-feasible': 4,
};

/** What is said of a segment, and whose it is. Of its manifest the fragment index is left out: it may be long. */
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
  /** What is missing from a root as a whole, and what its log and catalog say otherwise. */
  readonly roots: readonly RootVerdict[];
  /** What is said of each export as one: whether it is what its exporter signed. */
  readonly exports: readonly ExportVerdict[];
  readonly bytes: number;
  readonly setAside: readonly string[];
  /** Receipts of receivers that the trust file does not know: not contradicted, not proven. */
  readonly uncheckedReceipts: number;
}

export interface VerifyOptions {
  readonly onBytes?: (done: number, total: number) => void;
  /** Threads that hash; 0 hashes here, through the file system given. */
  readonly threads?: number;
  /** An age identity: then it is checked too that the footage decrypts to what was committed to, and plays. */
  readonly identity?: string | undefined;
  /** Signed heads of device logs, as a receiver or an auditor kept them: a log that is older, or another, is not ok. */
  readonly checkpoints?: readonly KeptCheckpoint[];
}

/** A list of 9,999 heads and leaves of five minutes stays far below; anything larger is not a segment's file. */
const SMALL_FILE_BYTES_MAX = 16 * 1024 * 1024;
/** Large enough that system calls do not count, small enough that two of them do not show in the memory. */
const PIECE_BYTES = 1024 * 1024;
/** Below this, threads take longer to start than to hash. */
const THREADED_BYTES_MIN = 32 * 1024 * 1024;
/** More than the disks of today give work to. */
const THREADS_MAX = 16;

type Scan = (file: string, layout: LeafLayout) => Promise<LeafScan>;

interface Bench {
  readonly fs: FileSystem;
  readonly trust: Trust;
  readonly evidence: FoundEvidence;
  readonly scan: Scan;
  readonly identity: string | undefined;
  readonly checkpoints: readonly KeptCheckpoint[];
}

interface Judged {
  readonly verdict: PlacedVerdict;
  readonly hasHeads: boolean;
  readonly manifestFile: string | undefined;
}

/**
 * Verifies everything below the paths: segments, recordings, and where there is a card's database, that nothing which it
 * knows is missing. Reads each ciphertext once and keeps none of it.
 */
export async function verifyPaths(
  fs: FileSystem,
  paths: readonly string[],
  trust: Trust,
  options: VerifyOptions = {},
): Promise<VerifyReport> {
  const { onBytes = () => undefined, identity, checkpoints = [] } = options;
  const evidence = await findEvidence(fs, paths);
  const total = evidence.segments.reduce((sum, { files }) => sum + sizeOf(files), 0);
  let done = 0;
  const count = (bytes: number): void => {
    done += bytes;
    onBytes(done, total);
  };
  const threads = total < THREADED_BYTES_MIN ? 0 : Math.min(options.threads ?? 0, THREADS_MAX);
  const pool = threads > 0 ? new HashPool(threads, count) : undefined;
  try {
    const scan: Scan = (file, layout) =>
      pool === undefined ? scanLeaves(pieces(fs, file, count), layout) : pool.scan(file, layout);
    const bench = { fs, trust, evidence, scan, identity, checkpoints };
    const judged = await inOrder(evidence.segments, threads + 1, (found) => judge(bench, found));
    const exports: ExportVerdict[] = [];
    for (const bundle of evidence.bundles) exports.push(await verifyExport(fs, bundle));
    return await reportOf(bench, paths, { judged, exports, bytes: done });
  } finally {
    await pool?.close();
  }
}

/** Runs `work` on all items, so many at a time; results in the order of the items. The first failure is thrown. */
async function inOrder<T, R>(
  items: readonly T[],
  atOnce: number,
  work: (item: T) => Promise<R>,
): Promise<readonly R[]> {
  const results: R[] = [];
  let next = 0;
  const lane = async (): Promise<void> => {
    for (;;) {
      const index = next;
      next += 1;
      const item = items[index];
      if (item === undefined) return;
      results[index] = await work(item);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, lane));
  return results;
}

/** What there is to say when every segment has been judged. */
async function reportOf(
  bench: Bench,
  paths: readonly string[],
  {
    judged,
    exports,
    bytes,
  }: { judged: readonly Judged[]; exports: readonly ExportVerdict[]; bytes: number },
): Promise<VerifyReport> {
  const byRecording = new Map<string, SegmentVerdict[]>();
  const byRoot = new Map<string, CataloguedSegment[]>();
  for (const root of bench.evidence.sessions.keys()) byRoot.set(root, []);
  for (const { verdict, ...files } of judged) {
    const { root, ref } = verdict;
    const key = `${root}\0${ref.boot}\0${ref.rec}`;
    byRecording.set(key, [...(byRecording.get(key) ?? []), verdict]);
    byRoot.get(root)?.push({ verdict, ...files });
  }
  const recordings = [...byRecording.values()].map((verdicts) => verifyRecording(verdicts));
  const roots: RootVerdict[] = [];
  for (const [root, segments] of byRoot) {
    const sessions = bench.evidence.sessions.get(root) ?? new Map<number, string>();
    const scope = {
      isWhole: paths.some((given) => isAbove(path.resolve(given), root)),
      recordings: new Set(segments.map(({ verdict: { ref } }) => `${ref.boot}/${ref.rec}`)),
    };
    const content = { root, segments, sessions, scope, checkpoints: bench.checkpoints };
    roots.push(await verifyRoot(content, bench.trust));
  }
  const segments = judged.map(({ verdict }) => verdict);
  return {
    state: worstOf([...segments, ...recordings, ...roots, ...exports].map(({ state }) => state)),
    segments,
    recordings,
    roots,
    exports,
    bytes,
    setAside: bench.evidence.setAside,
    uncheckedReceipts: segments.filter(({ receipt }) => receipt === 'unchecked').length,
  };
}

const isAbove = (directory: string, file: string): boolean =>
  directory === file || !path.relative(directory, file).startsWith('..');

/** A file that cannot be read is a finding about its segment, not the end of the verification. */
async function judge(bench: Bench, found: FoundSegment): Promise<Judged> {
  const { root, ref } = found;
  const hasHeads = found.files.has('.heads');
  try {
    const files = await openFiles(bench, found);
    const verdict = await withPlaintext(bench, found, await verifySegment(files, bench.trust));
    const { manifest } = verdict;
    return {
      verdict: {
        ...verdict,
        manifest: manifest && { ...manifest, fragments: [] },
        root,
        device: manifest?.device,
      },
      hasHeads,
      manifestFile:
        files.manifest === undefined ? undefined : sha256Hex(Buffer.from(files.manifest)),
    };
  } catch (error) {
    if (!isCameraError(error)) throw error;
    const problem: Problem = {
      state: 'not-feasible',
      file: formatSegmentRef(ref),
      what: 'unproven',
      message: error.message,
    };
    const nothing = { manifest: undefined, manifestDigest: undefined, device: undefined };
    return {
      verdict: { ref, root, state: problem.state, problems: [problem], ...nothing },
      hasHeads,
      manifestFile: undefined,
    };
  }
}

/** With the key at hand: what only it can tell, of a segment whose ciphertext is as it was signed. */
async function withPlaintext(
  { fs, identity }: Bench,
  found: FoundSegment,
  verdict: SegmentVerdict,
): Promise<SegmentVerdict> {
  const isWhole = verdict.state === 'ok' || verdict.state === 'ok-with-missing';
  if (identity === undefined || !isWhole || verdict.manifest === undefined) return verdict;
  const isCut = verdict.problems.some(({ file, what }) => file.endsWith('.age') && what === 'cut');
  if (isCut && verdict.manifest.end !== 'power-loss') return verdict;
  const problems = [
    ...verdict.problems,
    ...(await verifyPlaintext(fs, found, verdict.manifest, identity)),
  ];
  return { ...verdict, problems, state: worstOf(problems.map(({ state }) => state)) };
}

const sizeOf = (files: FoundSegment['files']): number => files.get('.age')?.bytes ?? 0;

async function openFiles(
  { fs, evidence: { sessions }, scan }: Bench,
  { ref, root, files }: FoundSegment,
): Promise<SegmentFiles> {
  const read = async (end: EvidenceFile): Promise<Buffer | undefined> => {
    const file = files.get(end);
    return file === undefined ? undefined : fs.readFile(file.path, SMALL_FILE_BYTES_MAX);
  };
  // One byte a character: a byte that is no UTF-8 must not pass as the one that stands for all such.
  const readText = async (end: EvidenceFile): Promise<string | undefined> =>
    (await read(end))?.toString('latin1');
  const age = files.get('.age');
  return {
    ref,
    sessions: sessions.get(root) ?? new Map<number, string>(),
    manifest: await readText('.dsse'),
    leaves: await read('.leaves'),
    heads: await readText('.heads'),
    meta: await read('.meta.age'),
    receipt: await readText('.receipt'),
    scan: age && ((layout) => scan(age.path, layout)),
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

export async function run(
  args: readonly string[],
  options: Options,
  output: Output,
): Promise<number> {
  const { fs } = openMachine();
  const trust = await readTrust(fs, getText(options, 'trust'));
  const identityFile = findText(options, 'identity');
  const identity = identityFile === undefined ? undefined : await readIdentity(fs, identityFile);
  const checkpoints: KeptCheckpoint[] = [];
  for (const file of getTexts(options, 'checkpoint')) {
    const note = (await fs.readFile(file, NOTE_LENGTH_MAX)).toString('utf8');
    checkpoints.push({ name: path.basename(file), note });
  }
  const progress = new Progress(output, 'verify');
  const report = await progress.guard(
    verifyPaths(fs, args, trust, {
      threads: typeof options['jobs'] === 'number' ? options['jobs'] : availableParallelism(),
      identity,
      checkpoints,
      onBytes: (done, total) => {
        progress.update(done, total);
      },
    }),
  );
  progress.finish(report.bytes);
  if (output.isJson) printJson(output, jsonOf(report));
  else printReport(output, report);
  return VERDICT_EXIT[report.state];
}

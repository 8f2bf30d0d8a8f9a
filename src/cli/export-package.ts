import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import { formatStatement } from '../evidence/export-statement.js';
import type { Signer } from '../evidence/signer.js';
import type { Trust } from '../evidence/trust.js';
import { CameraError } from '../errors.js';
import type { FileSystem } from '../hal/ports/file-system.js';
import { formatSegmentRef } from '../units.js';
import type { FoundSegment } from './evidence-files.js';
import { bundleBytes, digestFile, writeBundle } from './export-bundle.js';
import type { Digests, ExportedFile } from './export-bundle.js';
import { reportOf, statementOf } from './export-facts.js';
import type { ExportFacts } from './export-facts.js';
import { takePicture } from './export-pictures.js';
import { makeReport } from './export-report.js';
import type { ReportPicture } from './export-report.js';
import { sidecarFiles } from './export-sidecars.js';
import { writeSignatures } from './export-signatures.js';
import { exportSegments } from './export.js';
import type { DetailedExport, ExportReport } from './export.js';
import { makeTimeline, pictureMoments } from './timeline.js';
import type { Timeline } from './timeline.js';
import type { VerifyReport } from './verify.js';

/** A picture a minute of twelve hours, and marks; 40 kB each make a report of 32 MB that a browser still opens. */
const PICTURES_MAX = 800;
/** Tables, report and signatures beside footage and bundle; the report may have 32 MB of pictures. */
const ROOM_BYTES = 64 * 1024 * 1024;

/** Where everything of an export comes to stand. */
export interface PackageNames {
  readonly directory: string;
  readonly mp4: string;
  readonly html: string;
  /** Name of the folder. */
  readonly bundle: string;
  readonly list: string;
  readonly publicKey: string;
  readonly allowedSigners: string;
  /** `F` of `F.mp4`. */
  readonly stem: string;
}

/** Names in the directory of the MP4. Throws `cli/usage` for a name that the others cannot be made of. */
export function packageNames(out: string): PackageNames {
  const full = path.resolve(out);
  const mp4 = path.basename(full);
  const stem = mp4.slice(0, mp4.length - path.extname(mp4).length);
  // sha256sum would write such a name in another way, and commander takes a dash for an option.
  const isPlain = stem !== '' && !/[\p{Cc}\\]/u.test(mp4) && !mp4.startsWith('-');
  const taken = ['.html', '.sha256', '.pub', '.evidence', '.gpx', '.csv', '.vtt'];
  if (!isPlain || taken.includes(path.extname(mp4))) {
    throw new CameraError('cli/usage', `--out ${out} is no name for an MP4`);
  }
  return {
    ...{ directory: path.dirname(full), mp4, stem },
    ...{ html: `${stem}.html`, bundle: `${stem}.evidence`, list: `${stem}.sha256` },
    ...{ publicKey: `${stem}.pub`, allowedSigners: `${stem}.allowed_signers` },
  };
}

/** Rejects with `cli/usage` when anything of an export to `out` is there already. */
export async function checkOutputs(fs: FileSystem, out: string): Promise<void> {
  const names = packageNames(out);
  const { directory, mp4, html, bundle, list, publicKey, allowedSigners } = names;
  const signed = [mp4, list].flatMap((name) => [`${name}.minisig`, `${name}.sig`]);
  const files = [mp4, html, bundle, list, publicKey, allowedSigners, ...signed];
  const full = files.map((name) => path.join(directory, name));
  for (const file of [...full, ...sidecarFiles(path.join(directory, mp4))]) {
    if (await fs.exists(file)) throw new CameraError('cli/usage', `${file} exists already`);
  }
}

export type Step = 'export' | 'copy' | 'pictures';

export interface PackageChoices {
  readonly identity: string;
  readonly out: string;
  readonly exporter: string;
  readonly version: string;
  readonly signer: Signer;
  readonly isPartial: boolean;
  readonly trust: Trust | undefined;
  readonly verified: VerifyReport | undefined;
  /** Wall milliseconds. */
  readonly createdMs: number;
  /** `done` reaches `total` once in each step: bytes, or pictures. */
  readonly onStep: (step: Step, done: number, total: number) => void;
}

export interface ExportedPackage {
  readonly report: ExportReport;
  readonly html: string;
  readonly bundle: string;
  readonly signatures: readonly string[];
  /** How many files there are in all. */
  readonly files: number;
}

/**
 * Writes an export as `src/evidence/README.md` lays it out. Everything is made in a directory of its own beside `out` and
 * given its name when it is whole, the MP4 last; that directory is gone afterwards, also after a failure or a signal.
 * Rejects as `exportSegments` does, with `storage/disk-full` when there is not room for it all.
 */
export async function exportPackage(
  fs: FileSystem,
  segments: readonly FoundSegment[],
  choices: PackageChoices,
): Promise<ExportedPackage> {
  const names = packageNames(choices.out);
  await fs.makeDirectory(names.directory);
  const needed = 2 * bundleBytes(segments) + ROOM_BYTES;
  if ((await fs.freeBytes(names.directory)) < needed) {
    const message = `an export to ${names.directory} needs ${needed} bytes, the bundle included`;
    throw new CameraError('storage/disk-full', message);
  }
  let stage: string | undefined;
  const clear = (): void => {
    if (stage !== undefined) rmSync(stage, { recursive: true, force: true });
  };
  // What lies there is decrypted: it must not outlive the process.
  const stop = (): void => {
    clear();
    process.exit(STOPPED_EXIT);
  };
  for (const signal of SIGNALS) process.once(signal, stop);
  try {
    // In one turn, so that no signal finds the directory without its name.
    stage = mkdtempSync(path.join(names.directory, `.${names.mp4}.export-`));
    return await fillAndPublish(fs, segments, choices, { names, stage });
  } finally {
    for (const signal of SIGNALS) process.off(signal, stop);
    clear();
  }
}

const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
/** What shells report for a program that SIGINT ended. */
const STOPPED_EXIT = 130;

interface Places {
  readonly names: PackageNames;
  readonly stage: string;
}

async function fillAndPublish(
  fs: FileSystem,
  segments: readonly FoundSegment[],
  choices: PackageChoices,
  { names, stage }: Places,
): Promise<ExportedPackage> {
  const { identity, isPartial, verified, signer, onStep } = choices;
  const at = (name: string): string => path.join(stage, name);
  const bytes = bundleBytes(segments);
  const detailed = await exportSegments(fs, segments, {
    ...{ identity, isPartial, out: at(names.mp4) },
    ...(verified && { manifests: manifestsIn(verified) }),
    onProgress: (share) => {
      onStep('export', share * bytes, bytes);
    },
  });
  const mp4 = await digestFile(fs, at(names.mp4));
  const beside = await digestSidecars(fs, detailed.report.sidecars);
  const device = detailed.segments.find(({ manifest }) => manifest !== undefined)?.manifest?.device;
  const content = { segments, device, boots: bootsOf(segments, detailed), trust: choices.trust };
  const copied = await copyBundle(fs, { names, stage }, content, (done) => {
    onStep('copy', Math.min(done, bytes - 1), bytes);
  });
  onStep('copy', bytes, bytes);
  const timeline = timelineOf(detailed);
  const pictures = await takePictures(at(names.mp4), timeline, onStep);
  const files = [fileOf(names.mp4, mp4), ...beside, ...copied];
  const facts: ExportFacts = {
    ...choices,
    ...{ segments, detailed, device, timeline, files, names },
  };
  const statement = formatStatement(statementOf(facts));
  const html = Buffer.from(makeReport(reportOf(facts, pictures)));
  const statementName = `${names.bundle}/export.json`;
  await fs.makeDirectory(at(names.bundle));
  await fs.writeAtomic(at(statementName), statement);
  await fs.writeAtomic(at(names.html), html);
  const listed = [
    ...files,
    ...[fileOfBytes(statementName, statement), fileOfBytes(names.html, html)],
  ];
  const list = Buffer.from(listed.map(({ name, sha256 }) => `${sha256}  ${name}\n`).join(''));
  await fs.writeAtomic(at(names.list), list);
  const signatures = await writeSignatures(fs, { names, stage }, { ...choices, signer, mp4, list });
  const loose = [
    ...beside.map(({ name }) => name),
    ...[names.bundle, names.html, names.list, names.publicKey, names.allowedSigners],
  ];
  await publish(fs, { names, stage }, [...loose, ...signatures, names.mp4]);
  return packageOf(names, detailed.report, signatures, listed.length);
}

const manifestsIn = ({ segments }: VerifyReport) =>
  new Map(segments.map(({ ref, manifest }) => [formatSegmentRef(ref), manifest]));

/** The boots that signed something of it: that of the recording, and those that recovered its segments. */
const bootsOf = (
  segments: readonly FoundSegment[],
  { segments: exported }: DetailedExport,
): readonly number[] => {
  const sealers = exported.flatMap(({ manifest }) => manifest?.sealed_by ?? []);
  return [...new Set([...segments.map(({ ref }) => ref.boot), ...sealers])];
};

function copyBundle(
  fs: FileSystem,
  { names, stage }: Places,
  content: Parameters<typeof writeBundle>[3],
  onDone: (bytes: number) => void,
): Promise<readonly ExportedFile[]> {
  let done = 0;
  return writeBundle(fs, stage, names.bundle, content, (more) => {
    done += more;
    onDone(done);
  });
}

const timelineOf = ({ segments, anchors }: DetailedExport): Timeline =>
  makeTimeline(
    segments
      .filter(({ inMp4 }) => inMp4 !== 'none')
      .map(({ found, manifest, input, offsetMs, durationMs }) => ({
        ...{ ref: found.ref, manifest, lines: input.lines, offsetMs, durationMs },
      })),
    anchors,
  );

async function takePictures(
  mp4: string,
  timeline: Timeline,
  onStep: PackageChoices['onStep'],
): Promise<readonly ReportPicture[]> {
  const moments = pictureMoments(timeline, PICTURES_MAX);
  const pictures: ReportPicture[] = [];
  for (const { atMs, label } of moments) {
    pictures.push({ atMs, label, jpeg: await takePicture(mp4, atMs, timeline.durationMs) });
    onStep('pictures', pictures.length, moments.length);
  }
  return pictures;
}

const fileOf = (name: string, { size, sha256 }: Digests): ExportedFile => ({
  ...{ name, size, sha256: sha256.toString('hex') },
});

const fileOfBytes = (name: string, bytes: Buffer): ExportedFile => ({
  ...{ name, size: bytes.length, sha256: createHash('sha256').update(bytes).digest('hex') },
});

async function digestSidecars(
  fs: FileSystem,
  sidecars: readonly string[],
): Promise<readonly ExportedFile[]> {
  const files: ExportedFile[] = [];
  for (const file of sidecars) files.push(fileOf(path.basename(file), await digestFile(fs, file)));
  return files;
}

/** Gives everything its name, in the order given. Rejects with `cli/usage` when one came to be there meanwhile. */
async function publish(
  fs: FileSystem,
  { names, stage }: Places,
  files: readonly string[],
): Promise<void> {
  const target = (name: string): string => path.join(names.directory, name);
  for (const name of files) {
    if (await fs.exists(target(name))) {
      throw new CameraError('cli/usage', `${target(name)} exists already`);
    }
  }
  for (const name of files) await fs.rename(path.join(stage, name), target(name));
}

function packageOf(
  { directory, mp4, html, bundle }: PackageNames,
  report: ExportReport,
  signatures: readonly string[],
  listed: number,
): ExportedPackage {
  const at = (name: string): string => path.join(directory, name);
  /** List, two public keys. */
  const unlisted = 3;
  return {
    report: {
      ...report,
      out: at(mp4),
      sidecars: report.sidecars.map((file) => at(path.basename(file))),
    },
    ...{ html: at(html), bundle: at(bundle), signatures: signatures.map(at) },
    files: listed + unlisted + signatures.length,
  };
}

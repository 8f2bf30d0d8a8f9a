import type { ExportStatement } from '../evidence/export-statement.js';
import { minisignKey, minisignKeyId } from '../evidence/minisign.js';
import { toSpkiBase64 } from '../evidence/public-key.js';
import type { Signer } from '../evidence/signer.js';
import type { Problem } from '../evidence/verdict.js';
import { sshFingerprint } from '../evidence/ssh-signature.js';
import { formatSegmentRef, parseSegmentRef } from '../units.js';
import type { FoundSegment } from './evidence-files.js';
import type { ExportedFile } from './export-bundle.js';
import type { ReportFacts, ReportPicture, ReportSegment } from './export-report.js';
import type { DetailedExport } from './export.js';
import type { Timeline } from './timeline.js';
import type { PlacedVerdict, VerifyReport } from './verify.js';

// What an export says of itself, for programs and for people, from what became of it. Pure.

/** As long as a sentence of a statement may be. */
const SENTENCE_LENGTH_MAX = 500;

export interface ExportFacts {
  readonly segments: readonly FoundSegment[];
  readonly detailed: DetailedExport;
  readonly device: string | undefined;
  readonly timeline: Timeline;
  readonly verified: VerifyReport | undefined;
  readonly files: readonly ExportedFile[];
  readonly names: { readonly mp4: string; readonly stem: string };
  readonly exporter: string;
  readonly version: string;
  readonly signer: Signer;
  /** Wall milliseconds. */
  readonly createdMs: number;
}

/** The statement that goes into the bundle. */
export function statementOf(facts: ExportFacts): ExportStatement {
  const { detailed, verified, signer, files, names, exporter, createdMs } = facts;
  const { boot, rec } = recordingOf(facts);
  const sentences = [
    ...(verified?.segments ?? []).flatMap(({ problems }) => problems),
    ...wholeProblems(verified),
  ];
  return {
    ...{ v: 1, type: 'export', created_ms: createdMs, exporter },
    ...{ key: signer.keyId, spki: toSpkiBase64(signer.publicKey) },
    ...{ device: facts.device ?? null, boot, rec, mp4: names.mp4 },
    files: files.map(({ name, size, sha256 }) => ({ name, size, sha256 })),
    verified: verified?.state ?? null,
    problems: sentences.map(({ message }) => message.slice(0, SENTENCE_LENGTH_MAX)),
    segments: detailed.segments.map((segment) => ({
      seg: formatSegmentRef(segment.found.ref),
      verified: verdictOf(verified, formatSegmentRef(segment.found.ref))?.state ?? null,
      in_mp4: segment.inMp4,
      at_ms: Math.round(segment.offsetMs),
      duration_ms: segment.inMp4 === 'none' ? 0 : Math.round(segment.durationMs),
      frames: segment.frames,
    })),
    missing: [...detailed.report.missing],
  };
}

const recordingOf = ({ segments }: ExportFacts): { boot: number; rec: number } =>
  segments[0]?.ref ?? { boot: 0, rec: 0 };

/** What was found between the segments, and in log and catalog. */
const wholeProblems = (verified: VerifyReport | undefined): readonly Problem[] =>
  [...(verified?.recordings ?? []), ...(verified?.roots ?? [])].flatMap(({ problems }) => problems);

const verdictOf = (verified: VerifyReport | undefined, seg: string): PlacedVerdict | undefined =>
  verified?.segments.find(({ ref }) => formatSegmentRef(ref) === seg);

/** What the report shows. */
export function reportOf(facts: ExportFacts, pictures: readonly ReportPicture[]): ReportFacts {
  const { detailed, verified, signer, exporter, createdMs, version, files, names } = facts;
  const media = detailed.segments.find(({ manifest }) => (manifest?.media.width ?? 0) > 0)?.manifest
    ?.media;
  const { minisign, ssh } = {
    minisign: minisignKey(signer.publicKey),
    ssh: sshFingerprint(signer.publicKey),
  };
  return {
    ...{ ...recordingOf(facts), device: facts.device },
    media: media && `${media.width} × ${media.height}, ${media.codec}`,
    frames: detailed.report.frames,
    verified: verified?.state,
    problems: wholeProblems(verified).map(({ message }) => message),
    segments: reportSegments(facts),
    ...{ timeline: facts.timeline, pictures, exporter, createdMs, version },
    key: { minisign, ssh, id: minisignKeyId(signer.publicKey) },
    ...{ files, stem: names.stem },
  };
}

/** Those that were there and those that were not, in order. */
function reportSegments({ detailed, verified }: ExportFacts): readonly ReportSegment[] {
  const judged = (seg: string): Pick<ReportSegment, 'state' | 'problems'> => {
    const verdict = verdictOf(verified, seg);
    return {
      state: verdict?.state,
      problems: (verdict?.problems ?? []).map(({ message }) => message),
    };
  };
  const there = detailed.segments.map((segment): ReportSegment => {
    const seg = formatSegmentRef(segment.found.ref);
    const { inMp4, frames, offsetMs: fromMs, durationMs } = segment;
    return { seg, inMp4, frames, fromMs, durationMs, ...judged(seg) };
  });
  const absent = detailed.report.missing.map((seg): ReportSegment => ({
    ...{ seg, inMp4: 'missing', frames: 0, fromMs: 0, durationMs: 0 },
    ...judged(seg),
  }));
  const order = ({ seg }: ReportSegment): number => parseSegmentRef(seg)?.seq ?? 0;
  return [...there, ...absent].sort((a, b) => order(a) - order(b));
}

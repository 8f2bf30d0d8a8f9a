import type { Problem, VerdictState } from '../evidence/verdict.js';
import { formatSegmentRef } from '../units.js';
import { formatSeconds, paint, say } from './output.js';
import type { Output } from './output.js';
import type { VerifyReport } from './verify.js';

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

/** What a kind of finding means for whoever does not know the formats. */
const MEANING: Readonly<Record<Problem['what'], string>> = {
  missing: 'something that the camera made is not here',
  changed: 'bytes are not those that the camera wrote',
  malformed: 'a file is not in the one form that the camera writes',
  'bad-signature': 'a signature does not hold: changed, or signed by somebody else',
  'unknown-device': 'the trust file does not know this camera',
  'wrong-place': 'a file belongs to another camera, recording or part',
  contradiction: 'two statements of the camera, or a statement and the files, exclude each other',
  cut: 'the end is missing',
  extra: 'there is more than the camera wrote',
  unsealed: 'the camera never finished this part, or its seal was removed',
  'unsigned-tail': 'the last moments before the power failed were written, but not yet signed',
  unproven: 'it cannot be told with what is at hand',
  gap: 'there is a time without pictures',
  'rolled-back': 'the log is older than one that was seen before: its newest entries were dropped',
  forked: 'the log is another than one that was seen before',
  silence: 'the log says nothing for longer than a running camera does',
  'broken-chain': 'the order is not the one in which the camera wrote',
  unplayable: 'decrypted, it is not the footage that the camera committed to, or does not play',
};

/** What was changed when bytes of such a file were. */
const CHANGED: readonly (readonly [RegExp, string])[] = [
  [/\d\.age$/, 'the footage was changed'],
  [/\.meta\.age$/, 'what is kept beside the pictures (times, places, marks) was changed'],
  [/\.leaves$/, 'the list of checksums was changed'],
];

function meaningOf({ what, file }: Problem): string {
  const changed = CHANGED.find(([pattern]) => what === 'changed' && pattern.test(file));
  return changed?.[1] ?? MEANING[what];
}

/** Of an export nothing is the camera's: a person made it and signed it. */
const exportMeaningOf = ({ what }: Problem): string =>
  what === 'missing'
    ? 'something that was exported is not here'
    : what === 'bad-signature'
      ? MEANING['bad-signature']
      : 'it is not what was exported';

/** Where a finding lies, for people: `recording 17/3, part 0, second 4 to 6`. */
function placeOf({ file, second, lastSecond }: Problem): string {
  const [, boot, rec, seq] = /^(\d+)\/(\d+)\/(\d+)/.exec(file) ?? [];
  const [, session] = /^(\d+)\/session/.exec(file) ?? [];
  const place =
    seq !== undefined
      ? `recording ${boot ?? ''}/${rec ?? ''}, part ${seq}`
      : session !== undefined
        ? `everything since start ${session} of the camera`
        : `the camera's own records (${file})`;
  if (second === undefined || lastSecond === undefined) return place;
  return `${place}, ${formatSeconds(second)} to ${formatSeconds(lastSecond)}`;
}

/** Lines of the short account: more of them would be as long as the exact one. */
const SHORT_LINES_MAX = 12;

function shortAccount({ exports, ...report }: VerifyReport): readonly string[] {
  const lines = new Set([
    ...problemsOf(report).map((problem) => `${placeOf(problem)}: ${meaningOf(problem)}`),
    ...problemsOf({ exports }).map(
      (problem) => `the export (${problem.file}): ${exportMeaningOf(problem)}`,
    ),
  ]);
  const all = [...lines];
  if (all.length <= SHORT_LINES_MAX) return all;
  const rest = all.length - SHORT_LINES_MAX;
  return [...all.slice(0, SHORT_LINES_MAX), `and ${rest} more, all of them below`];
}

interface Judged {
  readonly problems: readonly Problem[];
}

const problemsOf = ({
  segments = [],
  recordings = [],
  roots = [],
  exports = [],
}: {
  readonly segments?: readonly Judged[];
  readonly recordings?: readonly Judged[];
  readonly roots?: readonly Judged[];
  readonly exports?: readonly Judged[];
}): readonly Problem[] =>
  [...segments, ...recordings, ...roots, ...exports].flatMap(({ problems }) => problems);

/** What was not looked at because it is not there or not known, in a line each. */
function limitsOf({ roots, exports, uncheckedReceipts }: VerifyReport): readonly string[] {
  const limits: string[] = [];
  for (const { root, log } of roots) {
    limits.push(
      log === undefined
        ? `${root} has no device log with it: a recording that is wholly gone would not be noticed`
        : `${root} was held against its device log: ${log.entries} entries, ${log.vouched} of them under a checkpoint, root ${log.root}`,
    );
  }
  for (const { bundle, signer } of exports) {
    limits.push(
      signer === undefined
        ? `${bundle} has no signature that holds for all of it: who exported it is not proven`
        : `${bundle} was exported by the holder of key ${signer.key}, who calls himself ${signer.name}: compare that key with one got from him`,
    );
  }
  if (uncheckedReceipts > 0) {
    limits.push(`${uncheckedReceipts} receipts are of receivers that the trust file does not name`);
  }
  return limits;
}

/** First what it comes to, in plain words; then each segment with the exact leaf, second and log entry. */
export function printReport(output: Output, report: VerifyReport): void {
  const answer = paint(output.out, COLOURS[report.state], report.state);
  const conclusion = `${answer}: ${PLAIN_WORDS[report.state]} (${report.segments.length} segments)`;
  const problems = problemsOf(report);
  if (problems.length > 0) {
    say(output, conclusion);
    for (const line of shortAccount(report)) say(output, `  ${line}`);
    say(output, '');
  }
  for (const { ref, root, device, state, problems: own } of report.segments) {
    const colour = paint(output.out, COLOURS[state], state.padEnd(15));
    say(output, `${colour} ${device ?? root} ${formatSegmentRef(ref)}`);
    for (const { message } of own) say(output, `                ${message}`);
  }
  for (const { problems: between } of [...report.recordings, ...report.roots, ...report.exports]) {
    for (const { message } of between) say(output, `                ${message}`);
  }
  if (report.setAside.length > 0) {
    say(output, `set aside or unknown, not judged: ${report.setAside.join(', ')}`);
  }
  for (const line of limitsOf(report)) say(output, line);
  say(output, conclusion);
}

/** The report as one object, for programs. */
export const jsonOf = (report: VerifyReport): unknown => ({
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
  roots: report.roots.map(({ log, ...root }) => ({ ...root, log: log ?? null })),
  exports: report.exports.map(({ signer, ...verdict }) => ({ ...verdict, signer: signer ?? null })),
  setAside: report.setAside,
  uncheckedReceipts: report.uncheckedReceipts,
});

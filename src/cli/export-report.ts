import type { WallTime } from '../clock.js';
import type { VerdictState } from '../evidence/verdict.js';
import { formatUtc, wallTimeMs } from '../units.js';
import type { ExportedFile } from './export-bundle.js';
import { formatBytes, formatSeconds } from './output.js';
import { clockText, escapeHtml, momentText, timelineSvg } from './report-timeline.js';
import type { TimelineBar } from './report-timeline.js';
import type { Timeline, TimelineEvent } from './timeline.js';

// The report of an export: one HTML file that needs nothing else, runs nothing and prints on A4. Pure.

export interface ReportPicture {
  readonly atMs: number;
  readonly label: string;
  /** Undefined when it could not be decoded. */
  readonly jpeg: Buffer | undefined;
}

export interface ReportSegment {
  /** `<boot>/<rec>/<seq>`. */
  readonly seg: string;
  /** Undefined when nothing was verified. */
  readonly state: VerdictState | undefined;
  readonly inMp4: 'whole' | 'part' | 'none' | 'missing';
  readonly fromMs: number;
  readonly durationMs: number;
  readonly frames: number;
  /** What the verification found, a sentence each. */
  readonly problems: readonly string[];
}

export interface ReportFacts {
  readonly device: string | undefined;
  readonly boot: number;
  readonly rec: number;
  /** Width and height in pixels, codec; undefined when no manifest says. */
  readonly media: string | undefined;
  readonly frames: number;
  /** Undefined when no trust file was given. */
  readonly verified: VerdictState | undefined;
  /** Findings between the segments. */
  readonly problems: readonly string[];
  readonly segments: readonly ReportSegment[];
  readonly timeline: Timeline;
  readonly pictures: readonly ReportPicture[];
  readonly exporter: string;
  readonly createdMs: number;
  readonly version: string;
  /** The export key as minisign and as OpenSSH show it. */
  readonly key: { readonly minisign: string; readonly id: string; readonly ssh: string };
  readonly files: readonly ExportedFile[];
  /** Name of the export without its end: `F` of `F.mp4`. */
  readonly stem: string;
}

const ANSWERS: Readonly<Record<VerdictState | 'none', readonly [string, string]>> = {
  ok: [
    'Unchanged and complete',
    'Every byte that the camera sealed is as it was sealed, nothing is missing, and the signatures lead back to the key of this camera.',
  ],
  'ok-with-missing': [
    'Unchanged, but not complete',
    'What is there is as the camera sealed it. Something is missing or was never signed; below it says what.',
  ],
  'not-feasible': [
    'Could not be verified',
    'Nothing contradicts, but something that is needed for the answer was not at hand. This export proves nothing until it is.',
  ],
  'not-ok': [
    'Changed',
    'Something was changed, moved or does not fit together. Below it says which part; that part must not be relied on.',
  ],
  none: [
    'Not verified',
    'No trust file was given, so nothing was checked before the export. The bundle can be verified at any time.',
  ],
};

const SEGMENT_WORDS: Readonly<Record<VerdictState | 'none', string>> = {
  ok: 'unchanged',
  'ok-with-missing': 'unchanged, not complete',
  'not-feasible': 'could not be verified',
  'not-ok': 'changed',
  none: 'not verified',
};

const IN_MP4: Readonly<Record<ReportSegment['inMp4'], string>> = {
  whole: 'whole',
  part: 'its beginning only',
  none: 'nothing of it',
  missing: 'not there',
};

const BARS: Readonly<Record<VerdictState | 'none', TimelineBar['state']>> = {
  ok: 'ok',
  'ok-with-missing': 'missing',
  'not-feasible': 'unproven',
  'not-ok': 'bad',
  none: 'unverified',
};

export function makeReport(facts: ReportFacts): string {
  const title = `Recording ${facts.boot}/${facts.rec} of camera ${facts.device ?? 'unknown'}`;
  return [
    '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n',
    // Nothing is loaded and nothing runs, whatever a name in the metadata may hold.
    `<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">\n`,
    '<meta name="viewport" content="width=device-width, initial-scale=1">\n',
    `<title>${escapeHtml(title)}</title>\n<style>${STYLE}</style>\n</head>\n<body>\n`,
    `<header><h1>${escapeHtml(title)}</h1><p>${escapeHtml(whenText(facts))}</p></header>\n`,
    answerSection(facts),
    `<section><h2>What was recorded</h2>${recordedTable(facts)}</section>\n`,
    timelineSection(facts),
    picturesSection(facts),
    segmentsSection(facts),
    exportSection(facts),
    '</body>\n</html>\n',
  ].join('');
}

const utc = (wall: WallTime | undefined): string =>
  wall === undefined
    ? 'unknown'
    : formatUtc(wall.ms)
        .replace('T', ' ')
        .replace(/\.\d+Z$/, ' UTC');

function whenText({ timeline }: ReportFacts): string {
  const wall = timeline.wallAt(0);
  const length = formatSeconds(timeline.durationMs / 1_000);
  if (wall === undefined) return `${length}; when, the camera did not know`;
  return `${utc(wall)}, ${length}`;
}

function answerSection({ verified, problems, segments, timeline }: ReportFacts): string {
  const [short, long] = ANSWERS[verified ?? 'none'];
  const absent = segments.filter(({ inMp4 }) => inMp4 === 'missing').length;
  const lost = segments.filter(({ inMp4 }) => inMp4 === 'none').length;
  const cut = segments.filter(({ inMp4 }) => inMp4 === 'part').length;
  const counted = [
    absent > 0 ? `${absent} of ${segments.length} segments are not there.` : '',
    lost > 0 ? `Of ${lost} of ${segments.length} segments nothing could be decrypted.` : '',
    cut > 0 ? `Of ${cut} of ${segments.length} segments only the beginning could be.` : '',
  ].filter((text) => text !== '');
  const partial =
    counted.length === 0
      ? ''
      : `<p><strong>This is a partial export.</strong> ${counted.join(' ')} The MP4 keeps the last picture until the next one that is there.</p>`;
  return [
    `<section class="answer ${BARS[verified ?? 'none']}"><h2>${short}</h2><p>${long}</p>`,
    partial,
    sentences(problems),
    `<p class="fine">Judged were ${segments.length} segments, ${formatSeconds(timeline.durationMs / 1_000)} of pictures. The answer says what happened to the files after the camera sealed them; it does not say what the pictures mean.</p></section>\n`,
  ].join('');
}

const sentences = (problems: readonly string[]): string =>
  problems.length === 0
    ? ''
    : `<ul>${problems.map((text) => `<li>${escapeHtml(text)}</li>`).join('')}</ul>`;

function rows(entries: readonly (readonly [string, string])[]): string {
  const lines = entries.map(
    ([name, value]) =>
      `<tr><th scope="row">${escapeHtml(name)}</th><td>${escapeHtml(value)}</td></tr>`,
  );
  return `<table class="facts"><tbody>${lines.join('')}</tbody></table>`;
}

function recordedTable({ device, media, frames, timeline }: ReportFacts): string {
  const first = timeline.wallAt(0);
  const last = timeline.wallAt(timeline.durationMs);
  const sureness =
    first === undefined
      ? 'no clock was set'
      : `from ${CLOCKS[first.source]}, right to within ${formatSeconds(first.uncertaintyMs / 1_000)}`;
  return rows([
    ['Camera', device ?? 'no manifest names it'],
    ['Wearer, as configured', timeline.wearer ?? 'not said'],
    ['Mount', timeline.mount ?? 'not said'],
    ['First picture', utc(first)],
    ['Last picture', utc(last)],
    ['These times', sureness],
    ['Length', `${formatSeconds(timeline.durationMs / 1_000)}, ${frames} pictures`],
    ['Pictures', media ?? 'not said'],
  ]);
}

const CLOCKS: Readonly<Record<WallTime['source'], string>> = {
  gnss: 'satellites',
  ntp: 'network time',
  rtc: 'the clock chip of the camera',
  unset: 'a clock that nobody had set',
};

function timelineSection({ timeline, segments }: ReportFacts): string {
  const bars = segments
    .filter(({ durationMs, inMp4 }) => durationMs > 0 && inMp4 !== 'missing' && inMp4 !== 'none')
    .map(({ seg, state, fromMs, durationMs }) => ({
      ...{ fromMs, toMs: fromMs + durationMs, state: BARS[state ?? 'none'] },
      title: `segment ${seg}: ${SEGMENT_WORDS[state ?? 'none']}`,
    }));
  const events = timeline.events.map((event) => {
    const until = event.toMs > event.fromMs ? ` to ${momentText(event.toMs)}` : '';
    const time = `${momentText(event.fromMs)}${until}`;
    return `<tr><td>${time}</td><td>${utc(timeline.wallAt(event.fromMs))}</td><td><span class="key ${event.kind}"></span>${KINDS[event.kind]}</td><td>${escapeHtml(event.what)}</td></tr>`;
  });
  const table =
    events.length === 0
      ? '<p>Nothing was marked, muted, triggered or lost.</p>'
      : `<table><thead><tr><th>In the MP4</th><th>Time</th><th>What</th><th></th></tr></thead><tbody>${events.join('')}</tbody></table>`;
  const legend = LEGEND.map(([style, text]) => `<span><i class="key ${style}"></i>${text}</span>`);
  return `<section><h2>Timeline</h2>${timelineSvg(timeline.durationMs, bars, timeline.events)}<p class="legend">${legend.join('')}</p>${table}</section>\n`;
}

const KINDS: Readonly<Record<TimelineEvent['kind'], string>> = {
  trigger: 'trigger',
  mark: 'mark',
  mute: 'mute',
  'audio-lost': 'no sound',
  stealth: 'stealth',
  sleep: 'sleep',
  gap: 'gap',
};

const LEGEND = [
  ['ok', 'unchanged'],
  ['missing', 'not complete'],
  ['unproven', 'could not be verified'],
  ['bad', 'changed'],
  ['unverified', 'not verified'],
  ['gap', 'no pictures'],
  ['mute', 'muted or no sound'],
  ['stealth', 'stealth or sleep'],
  ['mark', 'mark'],
  ['trigger', 'trigger'],
] as const;

function picturesSection({ pictures, timeline }: ReportFacts): string {
  if (pictures.length === 0) return '';
  const figures = pictures.map(({ atMs, label, jpeg }) => {
    const caption = `${momentText(atMs)} · ${label} · ${utc(timeline.wallAt(atMs))}`;
    const picture =
      jpeg === undefined
        ? '<div class="none">no picture could be decoded here</div>'
        : `<img alt="${escapeHtml(caption)}" src="data:image/jpeg;base64,${jpeg.toString('base64')}">`;
    return `<figure class="${label === 'mark' ? 'marked' : ''}">${picture}<figcaption>${escapeHtml(caption)}</figcaption></figure>`;
  });
  return `<section><h2>Pictures</h2><p class="fine">One at the start, each minute, each mark and each trigger; made smaller for this page. The MP4 is what counts.</p><div class="strip">${figures.join('')}</div></section>\n`;
}

function segmentsSection({ segments }: ReportFacts): string {
  const lines = segments.map(({ seg, state, inMp4, fromMs, durationMs, frames, problems }) => {
    const isThere = inMp4 === 'whole' || inMp4 === 'part';
    const time = isThere ? `${clockText(fromMs)} to ${clockText(fromMs + durationMs)}` : '';
    const answer = inMp4 === 'missing' ? 'missing' : SEGMENT_WORDS[state ?? 'none'];
    const style = inMp4 === 'missing' ? 'gap' : BARS[state ?? 'none'];
    return `<tr><td>${seg}</td><td>${time}</td><td>${isThere ? frames : ''}</td><td>${IN_MP4[inMp4]}</td><td><span class="key ${style}"></span>${answer}${sentences(problems)}</td></tr>`;
  });
  return `<section><h2>Segments</h2><table><thead><tr><th>Segment</th><th>In the MP4</th><th>Pictures</th><th>Exported</th><th>Verification</th></tr></thead><tbody>${lines.join('')}</tbody></table></section>\n`;
}

function exportSection(facts: ReportFacts): string {
  const { exporter, createdMs, version, key, files, stem } = facts;
  const created = formatUtc(wallTimeMs(createdMs))
    .replace('T', ' ')
    .replace(/\.\d+Z$/, ' UTC');
  const signed = rows([
    ['Exported by', exporter],
    ['At', `${created}, by the clock of that machine`],
    ['Program', `lapel ${version}`],
    ['Key of the export, minisign', `${key.minisign} (id ${key.id})`],
    ['The same key, OpenSSH', key.ssh],
  ]);
  const lines = files.map(
    ({ name, size, sha256 }) =>
      `<tr><td>${escapeHtml(name)}</td><td class="number">${formatBytes(size)}</td><td><code>${sha256}</code></td></tr>`,
  );
  const how = `Compare the key with one that you got from the exporter by another way. Then, in the directory of these files: minisign -V -p KEY -m ${stem}.sha256, and sha256sum -c ${stem}.sha256. This report is in that list, too. What the camera signed is proven by ${stem}.evidence: lapel verify, or openssl and age as the manual of Lapel says.`;
  return [
    `<section><h2>This export</h2>${signed}<p class="fine">${escapeHtml(how)}</p></section>\n`,
    '<section><h2>Files</h2><table class="files"><thead><tr><th>File</th><th>Size</th><th>SHA-256</th></tr></thead>',
    `<tbody>${lines.join('')}</tbody></table></section>\n`,
  ].join('');
}

const STYLE = `
@page { size: A4; margin: 15mm 14mm; }
* { box-sizing: border-box; -webkit-print-color-adjust: exact; print-color-adjust: exact; }
body { font: 10.5pt/1.4 "DejaVu Sans", "Helvetica Neue", Arial, sans-serif; color: #111; background: #fff; max-width: 182mm; margin: 8mm auto; padding: 0 4mm; }
h1 { font-size: 17pt; margin: 0; } header p { margin: 1mm 0 5mm; }
h2 { font-size: 12.5pt; margin: 6mm 0 2mm; break-after: avoid; } h2 + .fine { break-after: avoid; }
table { border-collapse: collapse; width: 100%; } thead { display: table-header-group; }
th, td { text-align: left; vertical-align: top; padding: 0.8mm 2mm 0.8mm 0; border-bottom: 0.2mm solid #bbb; overflow-wrap: anywhere; }
tr, figure, svg { break-inside: avoid; } .facts th { width: 52mm; font-weight: normal; color: #444; }
.files { font-size: 8pt; } .files th:nth-child(2) { width: 19mm; } .files th:nth-child(3) { width: 93mm; } .files td:nth-child(3) { padding-right: 0; overflow-wrap: normal; }
code { font: 6.6pt/1.5 "DejaVu Sans Mono", monospace; white-space: nowrap; } .number { white-space: nowrap; }
.answer { border: 0.6mm solid #111; border-left-width: 4mm; padding: 2mm 4mm; break-inside: avoid; background: #fff; }
.answer h2 { margin: 0; font-size: 15pt; } .answer.ok { border-color: #1b7f3b; } .answer.bad { border-color: #b00020; }
.answer.missing, .answer.unproven { border-color: #b26a00; } .answer.unverified { border-color: #777; }
.answer p, .answer ul { margin: 1.5mm 0; } td ul { margin: 0; padding-left: 4mm; font-size: 9pt; }
.fine { font-size: 9pt; color: #444; } svg { width: 100%; height: auto; display: block; } svg text { font-size: 13px; fill: #111; }
.legend { font-size: 9pt; margin: 1mm 0 3mm; } .legend span { display: inline-block; margin-right: 4mm; }
.key { display: inline-block; width: 3.4mm; height: 3.4mm; margin-right: 1.5mm; border: 0.2mm solid #555; vertical-align: -0.4mm; }
.key.mark { clip-path: polygon(0 0, 100% 0, 50% 100%); background: #0b57d0; border: 0; }
.key.trigger { clip-path: polygon(50% 0, 100% 50%, 50% 100%, 0 50%); background: #d0590b; border: 0; }
rect { stroke: #333; stroke-width: 0.6; } rect.line { fill: #e4e4e4; stroke: none; } pattern rect { stroke: none; }
rect.ok { fill: #8fd0a3; } rect.missing { fill: #ffd98a; } rect.unproven { fill: #ffe9bf; stroke-dasharray: 4 2; } rect.bad { fill: #e0566b; stroke-width: 2; } rect.unverified { fill: #d6d6d6; }
rect.gap { fill: url(#hatch-gap); } rect.mute, rect.audio-lost { fill: url(#hatch-mute); } rect.stealth, rect.sleep { fill: url(#hatch-dark); }
polygon.mark { fill: #0b57d0; } polygon.trigger { fill: #d0590b; } .tick { stroke: #555; fill: none; }
.key.ok { background: #8fd0a3; } .key.missing { background: #ffd98a; } .key.unproven { background: #ffe9bf; border-style: dashed; } .key.bad { background: #e0566b; border-width: 0.6mm; } .key.unverified { background: #d6d6d6; }
.key.gap { background: repeating-linear-gradient(45deg, #b00020 0 0.7mm, #fff 0.7mm 1.6mm); }
.key.mute, .key.audio-lost { background: repeating-linear-gradient(-45deg, #6a1b9a 0 0.7mm, #fff 0.7mm 1.6mm); }
.key.stealth, .key.sleep { background: repeating-linear-gradient(90deg, #444 0 0.7mm, #fff 0.7mm 1.6mm); }
.strip { display: flex; flex-wrap: wrap; gap: 3mm; } figure { margin: 0; width: calc((100% - 6mm) / 3); }
figure img, figure .none { width: 100%; display: block; border: 0.2mm solid #888; } figure.marked img { border: 0.8mm solid #0b57d0; }
figure .none { padding: 12mm 4mm; text-align: center; color: #444; } figcaption { font-size: 8pt; }
@media print { body { margin: 0; max-width: none; padding: 0; } }
@media (max-width: 480px) { figure { width: 100%; } }
`;

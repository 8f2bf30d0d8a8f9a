import fc from 'fast-check';
import test from 'ava';
import { makeReport } from '../../../src/cli/export-report.js';
import type { ReportFacts, ReportSegment } from '../../../src/cli/export-report.js';
import { clockText, momentText } from '../../../src/cli/report-timeline.js';
import { makeTimeline } from '../../../src/cli/timeline.js';

const segment = (seq: number, more: Partial<ReportSegment> = {}): ReportSegment => ({
  ...{ seg: `1/2/${seq}`, state: 'ok', inMp4: 'whole', fromMs: seq * 1_000, durationMs: 1_000 },
  ...{ frames: 30, problems: [], ...more },
});

const facts = (more: Partial<ReportFacts> = {}): ReportFacts => ({
  ...{ device: 'lapel-7', boot: 1, rec: 2, media: '320 × 240, avc1', frames: 60 },
  ...{ verified: 'ok', problems: [], segments: [segment(0), segment(1)] },
  timeline: makeTimeline(
    [0, 1].map((seq) => ({
      ...{ ref: { boot: 1, rec: 2, seq }, manifest: undefined, lines: [] },
      ...{ offsetMs: seq * 1_000, durationMs: 1_000 },
    })),
    [],
  ),
  pictures: [{ atMs: 0, label: 'start', jpeg: undefined }],
  ...{ exporter: 'officer.7', createdMs: Date.UTC(2026, 10, 24, 12), version: '0.1.0' },
  key: { minisign: 'RWQ', id: '0011', ssh: 'SHA256:x' },
  files: [{ name: 'ev.mp4', size: 1_234_567, sha256: 'ab'.repeat(32) }],
  stem: 'ev',
  ...more,
});

test('each of the four answers, and no answer, is said in plain words', (t) => {
  for (const [verified, words] of [
    ['ok', 'Unchanged and complete'],
    ['ok-with-missing', 'Unchanged, but not complete'],
    ['not-feasible', 'Could not be verified'],
    ['not-ok', 'Changed'],
    [undefined, 'Not verified'],
  ] as const) {
    t.true(makeReport(facts({ verified })).includes(`<h2>${words}</h2>`), words);
  }
});

test('a partial export is said to be one, with what is missing, lost or cut', (t) => {
  const whole = makeReport(facts());
  t.false(whole.includes('partial export'));
  const segments = [
    segment(0, { inMp4: 'part', state: 'not-ok', problems: ['1/2/0.age was changed'] }),
    segment(1, { inMp4: 'none', state: 'not-ok', frames: 0 }),
    segment(2, { inMp4: 'missing', state: undefined, frames: 0 }),
  ];
  const partial = makeReport(facts({ verified: 'not-ok', segments }));
  t.regex(partial, /1 of 3 segments are not there/);
  t.regex(partial, /Of 1 of 3 segments nothing could be decrypted/);
  t.regex(partial, /Of 1 of 3 segments only the beginning could be/);
  t.true(partial.includes('1/2/0.age was changed'));
});

test('who exported, by which key, and the digest of each file stand in it', (t) => {
  const html = makeReport(facts());
  for (const text of ['officer.7', 'RWQ (id 0011)', 'SHA256:x', '2026-11-24 12:00:00 UTC']) {
    t.true(html.includes(text), text);
  }
  t.true(html.includes(`<td>ev.mp4</td><td class="number">1.2 MB</td>`));
  t.true(html.includes('ab'.repeat(32)));
});

test('whatever stands in names and sentences comes out as text: no tag, no attribute, no script', (t) => {
  const tags = (html: string): string =>
    [...html.matchAll(/<\/?[a-z!][^>]*>/gi)].map(([tag]) => tag.replace(/"[^"]*"/g, '""')).join('');
  const expected = tags(makeReport(facts({ problems: ['x'] })));
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: 'binary', maxLength: 40 }),
        fc.constantFrom(
          '<script>alert(1)</script>',
          '"><img src=x onerror=y>',
          "' onload='",
          '&lt;',
        ),
      ),
      (text) => {
        const given = facts({
          ...{ device: text, exporter: text, media: text, problems: [text], stem: text },
          files: [{ name: text, size: 1_234_567, sha256: 'ab'.repeat(32) }],
          pictures: [{ atMs: 0, label: text, jpeg: undefined }],
        });
        return tags(makeReport(given)) === expected;
      },
    ),
    { numRuns: 100 },
  );
  t.pass();
});

test('times read as on a player', (t) => {
  t.is(clockText(0), '0:00');
  t.is(clockText(61_999), '1:01');
  t.is(clockText(3_600_000 + 62_000), '1:01:02');
  t.is(momentText(61_999), '1:01.9');
  t.is(momentText(0), '0:00.0');
});

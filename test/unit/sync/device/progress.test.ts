import test from 'ava';
import { ProgressMeter } from '../../../../src/sync/device/progress.js';
import type { DockProgress } from '../../../../src/sync/device/progress.js';

const MIB = 1024 * 1024;

function meter(): { readonly reports: DockProgress[]; readonly meter: ProgressMeter } {
  const reports: DockProgress[] = [];
  return { reports, meter: new ProgressMeter((progress) => reports.push(progress)) };
}

test('progress counts what has its receipt, and of the segment under way what was sent', (t) => {
  const { reports, meter: m } = meter();
  m.backlog({ segments: 2, bytes: 10 * MIB });
  m.sent(3 * MIB);
  m.receipted(6 * MIB);
  m.receipted(4 * MIB);
  t.deepEqual(reports, [
    { segmentsDone: 0, segmentsTotal: 2, bytesDone: 0, bytesTotal: 10 * MIB },
    { segmentsDone: 0, segmentsTotal: 2, bytesDone: 3 * MIB, bytesTotal: 10 * MIB },
    { segmentsDone: 1, segmentsTotal: 2, bytesDone: 6 * MIB, bytesTotal: 10 * MIB },
    { segmentsDone: 2, segmentsTotal: 2, bytesDone: 10 * MIB, bytesTotal: 10 * MIB },
  ]);
});

test('a report comes for every MiB, not for every chunk', (t) => {
  const { reports, meter: m } = meter();
  m.backlog({ segments: 1, bytes: 100 * MIB });
  for (let sent = 0; sent <= 4 * MIB; sent += 65_552) m.sent(sent);
  t.true(reports.length >= 4 && reports.length <= 6, String(reports.length));
});

test('what is sealed while docked adds to the total', (t) => {
  const { reports, meter: m } = meter();
  m.backlog({ segments: 1, bytes: MIB });
  m.receipted(MIB);
  m.backlog({ segments: 1, bytes: 2 * MIB });
  t.deepEqual(reports.at(-1), {
    segmentsDone: 1,
    segmentsTotal: 2,
    bytesDone: MIB,
    bytesTotal: 3 * MIB,
  });
});

test('bytes done never pass the total', (t) => {
  const { reports, meter: m } = meter();
  m.backlog({ segments: 1, bytes: MIB });
  m.sent(5 * MIB);
  m.receipted(5 * MIB);
  t.true(reports.every(({ bytesDone, bytesTotal }) => bytesDone <= bytesTotal));
});

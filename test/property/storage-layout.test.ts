import path from 'node:path';
import test from 'ava';
import fc from 'fast-check';
import {
  CardLayout,
  SEGMENT_FILES,
  parseCounter,
  parseSegmentFile,
} from '../../src/storage/layout.js';

const COUNTER_MAX = 9_999_999_999;
const counter = fc.integer({ min: 0, max: COUNTER_MAX });
const segmentFile = fc.constantFrom(...SEGMENT_FILES);

test('every segment is found again by the path that the layout gives it', (t) => {
  const layout = new CardLayout('/card');
  fc.assert(
    fc.property(counter, counter, counter, segmentFile, (boot, rec, seq, file) => {
      const location = layout.segment({ boot, rec, seq }, file);
      const [name = '', recName = '', bootName = ''] = location.split('/').reverse();
      t.deepEqual(parseSegmentFile(name), { seq, file });
      t.is(parseCounter(recName), rec);
      t.is(parseCounter(bootName), boot);
      t.is(path.dirname(location), layout.recording(boot, rec));
      t.true(location.startsWith(`${layout.evidence}/`));
    }),
  );
});

test('a name that parses is exactly the name that the layout prints', (t) => {
  const likeName = fc
    .tuple(
      fc.oneof(
        counter.map(String),
        fc.string(),
        fc.constantFrom('01', '+1', '-1', '1e3', ' 1', ''),
      ),
      fc.oneof(segmentFile, fc.string(), fc.constantFrom('.age.tmp', '.AGE', '', '.meta')),
    )
    .map(([stem, end]) => stem + end);
  fc.assert(
    fc.property(fc.oneof(likeName, fc.string()), (name) => {
      const parsed = parseSegmentFile(name);
      if (parsed !== undefined) t.is(`${parsed.seq}${parsed.file}`, name);
      const number = parseCounter(name);
      if (number !== undefined) t.is(String(number), name);
    }),
  );
});

test('names that others leave on a card are not ours', (t) => {
  for (const name of [
    '',
    '.',
    '..',
    '01',
    '1 ',
    '1.age.tmp',
    'a.age',
    '.age',
    '1',
    '1.mp4',
    '1..age',
  ]) {
    t.is(parseSegmentFile(name), undefined, name);
  }
  for (const name of ['', '00', '1.0', '-1', '0x1', '12345678901', 'lost+found', 'NaN']) {
    t.is(parseCounter(name), undefined, name);
  }
});

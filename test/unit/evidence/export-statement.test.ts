import test from 'ava';
import { formatStatement, readStatement } from '../../../src/evidence/export-statement.js';
import type { ExportStatement } from '../../../src/evidence/export-statement.js';

const statement: ExportStatement = {
  ...{ v: 1, type: 'export', created_ms: 1_795_000_000_000, exporter: 'officer.7' },
  ...{ key: '0123456789abcdef', spki: 'MCow', device: 'lapel-1', boot: 1, rec: 2 },
  mp4: 'evidence.mp4',
  files: [{ name: 'evidence.evidence/lapel-1/1/2/0.age', size: 7, sha256: 'ab'.repeat(32) }],
  ...{ verified: 'ok-with-missing', problems: ['1/2/1.dsse is missing'], missing: ['1/2/1'] },
  segments: [
    { seg: '1/2/0', verified: 'ok', in_mp4: 'whole', at_ms: 0, duration_ms: 60_000, frames: 1800 },
  ],
};

test('an export statement is one line of canonical JSON and reads back as it was', (t) => {
  const bytes = formatStatement(statement);
  t.regex(bytes.toString(), /^\{"boot":1,.*\}\n$/);
  t.deepEqual(readStatement(bytes), statement);
});

test('a statement in another form, or with a name outside of the export, is refused', (t) => {
  const text = formatStatement(statement).toString();
  for (const wrong of [
    text.trim(),
    text.replace('"v":1', '"v":2'),
    text.replace('{"boot"', '{ "boot"'),
    text.replace('evidence.evidence/', '../'),
    text.replace('evidence.evidence/', '/'),
    text.replace('"officer.7"', '"officer 7"'),
    '',
    '[]\n',
  ]) {
    t.throws(() => readStatement(Buffer.from(wrong)), { code: 'evidence/malformed' }, wrong);
  }
});

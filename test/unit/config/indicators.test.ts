import test from 'ava';
import { parseConfig } from '../../../src/config/config.js';
import { indicatorTable, signals, states } from '../../../src/config/indicators.js';
import { generateIdentity } from '../../../src/evidence/age-recipients.js';

const { recipient } = generateIdentity();
const parse = (indicators: unknown) =>
  parseConfig({ deviceId: 'cam-1', recipients: [recipient], indicators }).indicators;

test('a configuration changes single words of the table and leaves the others', (t) => {
  const table = indicatorTable(
    parse({ buffering: { status: 'on' }, started: { toneMs: [] }, recording: { everyMs: 60_000 } }),
  );
  t.is(table.states.buffering.status, 'on');
  t.deepEqual(table.signals.started, { ...signals.started, toneMs: [] });
  t.deepEqual(table.states.recording, { ...states.recording, everyMs: 60_000 });
  t.deepEqual(table.states.fault, states.fault);
  t.deepEqual(indicatorTable(parse(undefined)), indicatorTable());
});

const REFUSED: readonly [what: string, indicators: unknown, fault: RegExp][] = [
  ['a dark recording', { recording: { record: 'off' } }, /indicators\.recording\.record: must be/],
  ['red beside no recording', { buffering: { record: 'on' } }, /buffering\.record: must be off/],
  ['red for what is not durable', { notDurable: { record: 'on' } }, /notDurable\.record: must be/],
  ['no reminder', { recording: { everyMs: 0 } }, /recording\.everyMs: must be at most 120000/],
  ['a late one', { recording: { everyMs: 120_001 } }, /recording\.everyMs: must be at most 120000/],
  ['a silent one', { recording: { vibrationMs: [] } }, /recording\.vibrationMs: must not be/],
  ['no reminder asleep', { asleep: { everyMs: 900_001 } }, /asleep\.everyMs: must be at most 9/],
  ['a refusal nobody feels', { refused: { vibrationMs: [] } }, /refused\.vibrationMs: must not/],
  ['a dark fault', { fault: { fault: 'off' } }, /indicators\.fault\.fault: must be lit/],
  ['a hidden fault', { batteryLow: { fault: 'off' } }, /batteryLow\.fault: must not hide/],
  ['a start like a stop', { started: { vibrationMs: [600] } }, /stopped\.vibrationMs: must differ/],
  ['a count of twos', { category: { vibrationMs: [9, 9, 9] } }, /category\.vibrationMs/],
  ['a blink no eye sees', { buffering: { status: { blinkMs: 50 } } }, /status\.blinkMs: must be/],
  [
    'a pause at the end',
    { marked: { vibrationMs: [100, 100] } },
    /marked\.vibrationMs: must begin/,
  ],
  [
    'a long pulse',
    { marked: { vibrationMs: [2001] } },
    /marked\.vibrationMs\[0\]: must be a whole/,
  ],
  ['a row that is none', { stealth: { record: 'on' } }, /indicators\.stealth: unknown key/],
];

for (const [what, indicators, message] of REFUSED) {
  test(`the table refuses ${what}`, (t) => {
    t.throws(() => parse(indicators), { code: 'config/invalid', message });
  });
}

import { format } from 'prettier';
import {
  indicatorTable,
  signalKinds,
  stateNames,
  type LightPattern,
  type SignalKind,
  type StateName,
  type StateRow,
} from '../../src/config/indicators.js';

// The indicator table as the README shows it: a picture of two seconds of every light, and the same in words.

const STATE_WORDS: Readonly<Record<StateName, string>> = {
  idle: 'starting, or ended',
  asleep: 'asleep: a press begins without pre-event',
  buffering: 'ready: a press will be recorded with its pre-event',
  picking: 'the category is asked for',
  uploaded: 'docked: everything has its receipt',
  uploading: 'docked: footage is being handed over',
  recording: 'recording, durable within the last 3 s',
  postEvent: 'recording goes on after the stop',
  storageHour: 'less than an hour of room on the card',
  storageHalfHour: 'less than half an hour of room',
  batteryLow: 'the battery is below 10 %',
  clockUnset: 'nothing has set the clock',
  notReady: 'a part is broken, or the check failed; what works goes on',
  muted: 'sound is muted while recording',
  notDurable: 'recording, and nothing durable for 3 s',
  fault: 'no press can be recorded',
};
const SIGNAL_WORDS: Readonly<Record<SignalKind, string>> = {
  started: 'a recording has started',
  marked: 'the moment is marked; red turns over for 0.1 s',
  holding: 'the stop button is held: once after 1 s, twice after 2 s',
  stopped: 'the recording has stopped',
  refused: 'the press is refused',
  muteOn: 'sound is muted',
  muteOff: 'sound is on again',
  stealthOn: 'stealth begins after this pulse',
  stealthOff: 'stealth has ended',
  category: 'as many pulses as the number of the category',
  sleepOn: 'the camera goes to sleep',
  sleepOff: 'the camera is awake again',
};
const LIGHTS = [
  { role: 'record', colour: '#d22', name: 'red', swatch: '🔴' },
  { role: 'status', colour: '#2a2', name: 'green', swatch: '🟢' },
  { role: 'fault', colour: '#e80', name: 'amber', swatch: '🟠' },
] as const;

/** What the strips show, in milliseconds: one period of the slowest blink. */
const SHOWN_MS = 2000;
const STRIP = 180;
const ROW = 26;
const TOP = 64;
const NAME = 16;
const FIRST = 170;
const GAP = 16;
const WIDTH = FIRST + 4 * (STRIP + GAP) + 380;
const DARK = '#e6e8ec';
const stripX = (column: number): number => FIRST + column * (STRIP + GAP);

/** The picture as an SVG document. */
export function indicatorPicture(): string {
  const { states, signals } = indicatorTable();
  const heads = ['red', 'green', 'amber', 'vibration and tone'].map(
    (text, column) => `<text x="${stripX(column)}" y="52" font-weight="bold">${text}</text>`,
  );
  const rows = [
    ...stateNames.map((name): [string, string, Partial<StateRow>] => [
      name,
      STATE_WORDS[name],
      states[name],
    ]),
    ...signalKinds.map((kind): [string, string, Partial<StateRow>] => [
      kind,
      SIGNAL_WORDS[kind],
      signals[kind],
    ]),
  ];
  const height = TOP + ROW * (rows.length + 1);
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="DejaVu Sans, sans-serif" font-size="13" fill="#223">`,
    '<title>What lights, vibration and tones say</title>',
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${NAME}" y="26" font-size="18" font-weight="bold">What lights, vibration and tones say: two seconds of each</text>`,
    ...heads,
    ...rows.flatMap(([name, words, row], index) =>
      drawRow(TOP + ROW * (index + (index < stateNames.length ? 0 : 1)), name, words, row),
    ),
    '</svg>',
  ].join('\n')}\n`;
}

function drawRow(y: number, name: string, words: string, row: Partial<StateRow>): string[] {
  const lights = LIGHTS.flatMap(({ role, colour }, column) => {
    const pattern = row[role];
    return pattern === undefined ? [] : drawLight(stripX(column), y, pattern, colour);
  });
  const says = row.everyMs === undefined || row.everyMs === 0 ? '' : `, every ${time(row.everyMs)}`;
  return [
    `<text x="${NAME}" y="${y + 15}" font-weight="bold">${name}</text>`,
    ...lights,
    ...drawPulses(stripX(3), y, row.vibrationMs ?? []),
    `<text x="${stripX(4)}" y="${y + 15}">${words}${says}</text>`,
  ];
}

function drawLight(x: number, y: number, pattern: LightPattern, colour: string): string[] {
  const strip = box(x, y, STRIP, DARK);
  if (pattern === 'off') return [strip];
  if (pattern === 'on') return [box(x, y, STRIP, colour)];
  const half = (STRIP * pattern.blinkMs) / 2 / SHOWN_MS;
  const count = Math.ceil(STRIP / (2 * half));
  return [
    strip,
    ...Array.from({ length: count }, (_, index) => box(x + 2 * index * half, y, half, colour)),
  ];
}

function drawPulses(x: number, y: number, pulsesMs: readonly number[]): string[] {
  let at = x;
  return pulsesMs.flatMap((ms, index) => {
    const width = (STRIP * ms) / SHOWN_MS;
    const from = at;
    at += width;
    return index % 2 === 0 ? [box(from, y, width, '#36c')] : [];
  });
}

const box = (x: number, y: number, width: number, fill: string): string =>
  `<rect x="${round(x)}" y="${y}" width="${round(width)}" height="20" fill="${fill}"/>`;
const round = (value: number): number => Math.round(value * 10) / 10;

/** The table as Markdown. */
export async function indicatorMarkdown(): Promise<string> {
  const { states, signals } = indicatorTable();
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const table = [
    line(['row', 'says', 'lights', 'pulses in ms (on off on)', 'every']),
    line(['---', '---', '---', '---', '---']),
    ...stateNames.map((name) => {
      const row = states[name];
      const pulses = pulseWords(row.vibrationMs, row.toneMs);
      const often = row.everyMs === 0 ? '' : time(row.everyMs);
      return line([`\`${name}\``, STATE_WORDS[name], lightWords(row), pulses, often]);
    }),
    ...signalKinds.map((kind) => {
      const { vibrationMs, toneMs } = signals[kind];
      const pulses = pulseWords(vibrationMs, toneMs);
      return line([`\`${kind}\``, SIGNAL_WORDS[kind], '', pulses, 'once']);
    }),
  ].join('\n');
  return format(table, { parser: 'markdown', printWidth: 100 });
}

function lightWords(row: StateRow): string {
  return LIGHTS.flatMap(({ role, name, swatch }) => {
    const pattern = row[role];
    if (pattern === undefined) return [];
    if (pattern === 'off') return [`${name} off`];
    if (pattern === 'on') return [`${swatch} ${name}`];
    return [`${swatch} ${name}, every ${pattern.blinkMs / 1000} s`];
  }).join('<br>');
}

function pulseWords(vibrationMs: readonly number[], toneMs: readonly number[]): string {
  const felt = vibrationMs.join(' ');
  if (felt === toneMs.join(' ')) return felt;
  return `${felt}, ${toneMs.length === 0 ? 'no tone' : `tone ${toneMs.join(' ')}`}`;
}

const time = (ms: number): string => (ms % 60_000 === 0 ? `${ms / 60_000} min` : `${ms / 1000} s`);

import type { TimelineEvent } from './timeline.js';

// The timeline of a report as an SVG that also prints in black and white. Pure.

/** A stretch of pictures, and what was said of it. */
export interface TimelineBar {
  readonly fromMs: number;
  readonly toMs: number;
  readonly state: 'ok' | 'missing' | 'unproven' | 'bad' | 'unverified';
  readonly title: string;
}

const WIDTH = 1000;
const LEFT = 84;
/** Half of the last number of the axis. */
const RIGHT = 30;
/** Steps of the axis in seconds; the first with at most `TICKS_MAX` of them is taken. */
const STEPS_S = [1, 2, 5, 10, 30, 60, 120, 300, 600, 1_800, 3_600, 7_200, 14_400];
const TICKS_MAX = 12;
/** Narrower than this nobody sees it. */
const WIDTH_MIN = 2;

const ROWS = { pictures: 10, sound: 52, lights: 80, moments: 112, axis: 140 } as const;

/** Text in markup and attributes. */
export const escapeHtml = (text: string): string =>
  text.replace(/[&<>"']/g, (sign) => `&#${sign.codePointAt(0) ?? 0};`);

/** `m:ss`, or `h:mm:ss` from an hour on. */
export function clockText(ms: number): string {
  const whole = Math.floor(ms / 1_000);
  const two = (value: number): string => String(value).padStart(2, '0');
  const [hours, minutes, seconds] = [
    Math.floor(whole / 3_600),
    Math.floor(whole / 60) % 60,
    whole % 60,
  ];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds)}` : `${minutes}:${two(seconds)}`;
}

/** The same with tenths of a second, cut: what is told of a moment is never after it. */
export const momentText = (ms: number): string =>
  `${clockText(ms)}.${Math.floor(Math.max(0, ms) / 100) % 10}`;

/** Pictures, sound, lights, and marks and triggers over one axis. */
export function timelineSvg(
  durationMs: number,
  bars: readonly TimelineBar[],
  events: readonly TimelineEvent[],
): string {
  const x = (ms: number): number =>
    LEFT +
    ((WIDTH - LEFT - RIGHT) * Math.min(Math.max(ms, 0), durationMs)) / Math.max(1, durationMs);
  const box = (fromMs: number, toMs: number, y: number, height: number, style: string): string => {
    const width = Math.max(WIDTH_MIN, x(toMs) - x(fromMs));
    return `<rect x="${round(x(fromMs))}" y="${y}" width="${round(width)}" height="${height}" class="${style}">`;
  };
  const titled = (shape: string, text: string): string =>
    `${shape}<title>${escapeHtml(text)}</title></rect>`;
  const spans = (kinds: readonly string[], y: number, height: number): string =>
    events
      .filter(({ kind }) => kinds.includes(kind))
      .map(({ fromMs, toMs, kind, what }) => titled(box(fromMs, toMs, y, height, kind), what))
      .join('');
  const pictures = bars.map(({ fromMs, toMs, state, title }) =>
    titled(box(fromMs, toMs, ROWS.pictures, 30, state), title),
  );
  return [
    `<svg viewBox="0 0 ${WIDTH} 168" role="img" aria-label="timeline of the recording">`,
    HATCHES,
    ...Object.entries({ pictures: 30, sound: 71, lights: 97, moments: 120 }).map(
      ([name, y]) => `<text x="0" y="${y}">${name}</text>`,
    ),
    ...pictures,
    spans(['gap'], ROWS.pictures, 30),
    `<rect x="${LEFT}" y="${ROWS.sound + 5}" width="${WIDTH - LEFT - RIGHT}" height="10" class="line"></rect>`,
    spans(['mute', 'audio-lost'], ROWS.sound, 20),
    `<rect x="${LEFT}" y="${ROWS.lights + 5}" width="${WIDTH - LEFT - RIGHT}" height="10" class="line"></rect>`,
    spans(['stealth', 'sleep'], ROWS.lights, 20),
    ...events.map((event) => momentShape(event, x(event.fromMs))),
    axis(durationMs, x),
    '</svg>',
  ].join('');
}

const round = (value: number): string => value.toFixed(1);

/** A mark is a triangle, a trigger a diamond; nothing for what lasts. */
function momentShape({ kind, what, fromMs }: TimelineEvent, x: number): string {
  if (kind !== 'mark' && kind !== 'trigger') return '';
  const y = ROWS.moments;
  const corners =
    kind === 'mark'
      ? [`${round(x - 6)},${y - 6}`, `${round(x + 6)},${y - 6}`, `${round(x)},${y + 8}`]
      : [
          ...[`${round(x)},${y - 8}`, `${round(x + 7)},${y}`],
          ...[`${round(x)},${y + 8}`, `${round(x - 7)},${y}`],
        ];
  const title = `${momentText(fromMs)} ${what}`;
  return `<polygon points="${corners.join(' ')}" class="${kind}"><title>${escapeHtml(title)}</title></polygon>`;
}

function axis(durationMs: number, x: (ms: number) => number): string {
  const seconds = durationMs / 1_000;
  const step =
    STEPS_S.find((candidate) => seconds / candidate <= TICKS_MAX) ?? Math.ceil(seconds / TICKS_MAX);
  const ticks = Array.from({ length: Math.floor(seconds / step) + 1 }, (_, index) => {
    const at = index * step * 1_000;
    const place = round(x(at));
    return `<path d="M${place} ${ROWS.axis - 8}v6" class="tick"/><text x="${place}" y="${ROWS.axis + 14}" text-anchor="middle">${clockText(at)}</text>`;
  });
  return `<path d="M${LEFT} ${ROWS.axis - 8}H${WIDTH - RIGHT}" class="tick"/>${ticks.join('')}`;
}

/** What is told by colour on a screen is told by hatching on paper. */
const HATCHES = [
  '<defs>',
  ...(
    [
      ['hatch-gap', '#b00020', 45],
      ['hatch-mute', '#6a1b9a', -45],
      ['hatch-dark', '#444', 90],
    ] as const
  ).map(
    ([id, colour, turn]) =>
      `<pattern id="${id}" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(${turn})"><rect width="6" height="6" fill="#fff"/><rect width="2.5" height="6" fill="${colour}"/></pattern>`,
  ),
  '</defs>',
].join('');

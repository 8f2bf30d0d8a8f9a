import type { SoakSample } from './soak-samples.js';

// The curves of a soak as one SVG: memory, open files, event loop. Lengths in pixels.

const WIDTH = 1000;
const LEFT = 90;
const RIGHT = 20;
const PANEL = 150;
const GAP = 50;
const TOP = 60;
const MIB = 2 ** 20;
/** Points a curve: more than pixels make a larger file and no better picture. */
const POINTS_MAX = 900;

interface Curve {
  readonly name: string;
  readonly colour: string;
  readonly value: (sample: SoakSample) => number;
}
interface Panel {
  readonly title: string;
  readonly unit: string;
  readonly curves: readonly Curve[];
  /** A line that no value should cross. */
  readonly aim?: number;
}

const PANELS: readonly Panel[] = [
  {
    title: 'Resident memory',
    unit: 'MiB',
    curves: [
      { name: 'runtime', colour: '#36c', value: ({ rssBytes }) => rssBytes / MIB },
      { name: 'capture child', colour: '#999', value: (it) => it.childRssBytes / MIB },
    ],
  },
  {
    title: 'Open files of the runtime',
    unit: '',
    curves: [{ name: 'files', colour: '#2a2', value: ({ fds }) => fds }],
  },
  {
    title: 'Event-loop delay of each second',
    unit: 'ms',
    curves: [
      { name: 'longest', colour: '#ccd', value: ({ loopMaxMs }) => loopMaxMs },
      { name: 'p99', colour: '#d22', value: ({ loopP99Ms }) => loopP99Ms },
    ],
    aim: 15,
  },
];

/** The picture; `settleS` is where the figures begin to be judged. */
export function soakPicture(samples: readonly SoakSample[], settleS: number): string {
  const height = TOP + PANELS.length * (PANEL + GAP);
  const lastS = samples.at(-1)?.at ?? 1;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="DejaVu Sans, sans-serif" font-size="13" fill="#223">`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${LEFT}" y="26" font-size="18" font-weight="bold">Soak: ${(lastS / 60).toFixed(0)} minutes of recording</text>`,
    ...PANELS.flatMap((panel, index) =>
      drawPanel(panel, samples, TOP + index * (PANEL + GAP), lastS, settleS),
    ),
    '</svg>',
  ].join('\n')}\n`;
}

function drawPanel(
  { title, unit, curves, aim }: Panel,
  samples: readonly SoakSample[],
  y: number,
  lastS: number,
  settleS: number,
): string[] {
  const values = curves.flatMap(({ value }) => samples.map(value));
  const top = Math.max(1, aim ?? 0, ...values) * 1.1;
  const placeX = (at: number): number => LEFT + (at / lastS) * (WIDTH - LEFT - RIGHT);
  const placeY = (value: number): number => y + PANEL - (value / top) * PANEL;
  const step = Math.ceil(samples.length / POINTS_MAX);
  const line = ({ value, colour }: Curve): string => {
    const points: string[] = [];
    for (let from = 0; from < samples.length; from += step) {
      const part = samples.slice(from, from + step);
      const at = part[0]?.at ?? 0;
      points.push(`${placeX(at).toFixed(1)},${placeY(Math.max(...part.map(value))).toFixed(1)}`);
    }
    return `<polyline points="${points.join(' ')}" fill="none" stroke="${colour}" stroke-width="1.5"/>`;
  };
  return [
    `<text x="${LEFT}" y="${y - 8}" font-weight="bold">${title}${unit === '' ? '' : `, ${unit}`}</text>`,
    `<rect x="${LEFT}" y="${y}" width="${WIDTH - LEFT - RIGHT}" height="${PANEL}" fill="none" stroke="#ccc"/>`,
    `<text x="${LEFT - 8}" y="${y + 12}" text-anchor="end">${top.toFixed(0)}</text>`,
    `<text x="${LEFT - 8}" y="${y + PANEL}" text-anchor="end">0</text>`,
    `<text x="${WIDTH - RIGHT}" y="${y + PANEL + 16}" text-anchor="end">${(lastS / 60).toFixed(0)} min</text>`,
    `<path d="M${placeX(settleS).toFixed(1)} ${y}v${PANEL}" stroke="#bbb" stroke-dasharray="4 4"/>`,
    ...(aim === undefined
      ? []
      : [
          `<path d="M${LEFT} ${placeY(aim).toFixed(1)}H${WIDTH - RIGHT}" stroke="#e80" stroke-dasharray="6 4"/>`,
        ]),
    ...curves.map(line),
    ...curves.map(
      ({ name, colour }, index) =>
        `<text x="${WIDTH - RIGHT - 8 - 120 * index}" y="${y - 8}" text-anchor="end" fill="${colour}">${name}</text>`,
    ),
  ];
}

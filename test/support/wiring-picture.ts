import type { BoardFile } from '../../src/hal/board-schema.js';
import { PINS, pinLabel, wiringOf } from './wiring.js';
import type { BoardWiring, Connection, Module, Step } from './wiring.js';

// The wiring of a board as a picture: the header in the middle as it lies on the board, each wire a row of its own from
// its pin outwards, so that none crosses another. Lengths are in pixels.

const WIDTH = 1700;
const CENTRE = WIDTH / 2;
const TOP = 100;
const ROW = 42;
/** From the centre outwards: the pin, its label, the beginning of the wire, the first thing on it. */
const PIN = 22;
const LABEL = 42;
const WIRE = 118;
const FIRST = 140;
/** The near and the far module of a side. */
const MODULES = [
  { from: 190, to: 400 },
  { from: 450, to: 660 },
] as const;
const GAP = 22;
const WIDTHS: Readonly<Record<Step['kind'], number>> = {
  resistor: 64,
  light: 44,
  switch: 60,
  part: 150,
  ground: 22,
  supply: 34,
  wire: 80,
};
const INK = '#223';
const SIGNAL = '#36c';
const RED = '#c22';

/** One side of the header: `x` turns a distance from the centre into a place. */
class Side {
  readonly #sign: 1 | -1;
  constructor(sign: 1 | -1) {
    this.#sign = sign;
  }

  x(distance: number): number {
    return CENTRE + this.#sign * distance;
  }

  /** Text that begins at the distance and runs outwards. */
  text(distance: number, y: number, text: string, style = ''): string {
    const anchor = this.#sign > 0 ? 'start' : 'end';
    return `<text x="${this.x(distance)}" y="${y}" text-anchor="${anchor}" ${style}>${escape(text)}</text>`;
  }

  line(from: number, to: number, y: number, colour: string): string {
    return `<path d="M${this.x(from)} ${y}H${this.x(to)}" stroke="${colour}" stroke-width="2.5"/>`;
  }

  box(from: number, to: number, y: number, height: number, style: string): string {
    const x = Math.min(this.x(from), this.x(to));
    return `<rect x="${x}" y="${y}" width="${Math.abs(to - from)}" height="${height}" rx="4" ${style}/>`;
  }

  middle(from: number, to: number, y: number, text: string, style = ''): string {
    return `<text x="${this.x((from + to) / 2)}" y="${y}" text-anchor="middle" ${style}>${escape(text)}</text>`;
  }
}

const LEFT = new Side(-1);
const RIGHT = new Side(1);
const sideOf = (pin: number): Side => (pin % 2 === 1 ? LEFT : RIGHT);
const rowOf = (pin: number): number => TOP + Math.floor((pin - 1) / 2) * ROW + ROW / 2;
const escape = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');

/** The picture as an SVG document. */
export function wiringPicture(board: BoardFile): string {
  const wiring = wiringOf(board);
  const bottom = TOP + (PINS / 2) * ROW;
  const height = bottom + 60 + 24 * notesOf(wiring).length;
  return `${[
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" font-family="DejaVu Sans, sans-serif" font-size="15" fill="${INK}">`,
    `<title>Wiring: ${escape(board.model)}</title>`,
    `<rect width="${WIDTH}" height="${height}" fill="#fff"/>`,
    `<text x="${CENTRE}" y="40" text-anchor="middle" font-size="24" font-weight="bold">${escape(board.model)}</text>`,
    `<text x="${CENTRE}" y="70" text-anchor="middle" fill="#667">The 40-pin header seen from above; pin 1 is the square one. Grey pins stay free.</text>`,
    ...wiring.modules.flatMap((module, index) => drawModule(module, slotOf(wiring, index))),
    ...wiring.connections.flatMap(drawConnection),
    ...drawHeader(usedPins(wiring)),
    ...notesOf(wiring).map(
      (note, index) =>
        `<text x="${CENTRE}" y="${bottom + 46 + 24 * index}" text-anchor="middle">${escape(note)}</text>`,
    ),
    '</svg>',
  ].join('\n')}\n`;
}

const usedPins = ({ connections, modules }: BoardWiring): ReadonlySet<number> =>
  new Set([
    ...connections.map(({ pin }) => pin),
    ...modules.flatMap(({ pins }) => Object.keys(pins).map(Number)),
  ]);

const notesOf = ({ connections, sockets }: BoardWiring): string[] => {
  const pulled = connections.filter(({ isPulledUp }) => isPulledUp).map(({ gpio }) => gpio);
  return [
    ...(sockets.length > 0 ? [sockets.join(' · ')] : []),
    ...(pulled.length > 0
      ? [`The pull-up of GPIO ${pulled.join(', ')} is the one in the chip, set in config.txt.`]
      : []),
    'GND and 3V3 at the end of a wire are any pin of that name. A fuel gauge takes its supply from the cell.',
  ];
};

function drawHeader(used: ReadonlySet<number>): string[] {
  const height = (PINS / 2) * ROW;
  const parts = [
    `<rect x="${CENTRE - LABEL + 4}" y="${TOP}" width="${2 * LABEL - 8}" height="${height}" rx="6" fill="#222"/>`,
  ];
  for (let pin = 1; pin <= PINS; pin++) {
    const [side, y, label] = [sideOf(pin), rowOf(pin), pinLabel(pin)];
    const fill = used.has(pin) ? pinColour(label) : '#999';
    const box = { x: side.x(PIN) - 13, y: y - 13 };
    parts.push(
      `<rect x="${box.x}" y="${box.y}" width="26" height="26" rx="${pin === 1 ? 0 : 13}" fill="${fill}"/>`,
      `<text x="${side.x(PIN)}" y="${y + 5}" text-anchor="middle" font-size="13" fill="#fff">${pin}</text>`,
      side.text(LABEL + 4, y + 5, label, used.has(pin) ? 'font-weight="bold"' : 'fill="#aaa"'),
    );
  }
  return parts;
}

const pinColour = (label: string): string =>
  label === 'GND' ? '#000' : label.includes('V') ? RED : SIGNAL;

function drawConnection({ role, pin, steps, readBackPin }: Connection): string[] {
  const [side, y] = [sideOf(pin), rowOf(pin)];
  const parts: string[] = [];
  let at = FIRST;
  let from = WIRE;
  for (const step of steps) {
    parts.push(side.line(from, at, y, SIGNAL));
    const to = at + WIDTHS[step.kind];
    parts.push(...drawStep(step, side, at, to, y));
    from = to;
    at = to + GAP;
  }
  const note = readBackPin === undefined ? '' : `; pin ${readBackPin} reads it back`;
  parts.push(side.text(from + 18, y + 5, `${role}${note}`, 'font-style="italic"'));
  return parts;
}

function drawStep(step: Step, side: Side, from: number, to: number, y: number): string[] {
  const outline = `fill="#fff" stroke="${INK}" stroke-width="2"`;
  const small = 'font-size="13"';
  const centre = side.x((from + to) / 2);
  switch (step.kind) {
    case 'resistor':
      return [
        side.box(from, to, y - 11, 22, outline),
        side.middle(from, to, y + 5, step.text, small),
      ];
    case 'part':
      return [
        side.box(from, to, y - 14, 28, `fill="#eef" stroke="${INK}" stroke-width="2"`),
        side.middle(from, to, y + 5, step.text, small),
      ];
    case 'light':
      return [
        side.line(from, to, y, SIGNAL),
        `<circle cx="${centre}" cy="${y}" r="15" fill="${step.colour ?? INK}" stroke="${INK}" stroke-width="2"/>`,
        `<text x="${centre}" y="${y + 4}" text-anchor="middle" font-size="11" font-weight="bold" fill="#fff">LED</text>`,
      ];
    case 'switch':
      return [
        `<circle cx="${side.x(from)}" cy="${y}" r="4" fill="${INK}"/>`,
        `<circle cx="${side.x(to)}" cy="${y}" r="4" fill="${INK}"/>`,
        `<path d="M${side.x(from)} ${y}L${side.x(to - 6)} ${y - 16}" stroke="${INK}" stroke-width="2.5"/>`,
      ];
    case 'ground':
      return [
        side.line(from, from + 8, y, SIGNAL),
        `<path d="M${side.x(from + 8)} ${y - 13}v26M${side.x(from + 14)} ${y - 8}v16M${side.x(from + 20)} ${y - 3}v6" stroke="${INK}" stroke-width="2.5"/>`,
      ];
    case 'supply':
      return [side.text(from + 2, y + 5, step.text, `fill="${RED}" font-weight="bold"`)];
    case 'wire':
      return [
        side.box(from, to, y - 12, 24, `fill="#ffd" stroke="${SIGNAL}" stroke-width="2"`),
        side.middle(from, to, y + 5, step.text, small),
      ];
  }
}

/** Modules of one side stand beside each other, in the order in which they are named. */
function slotOf({ modules }: BoardWiring, index: number): (typeof MODULES)[number] {
  const side = (module: Module | undefined): number =>
    Number(Object.keys(module?.pins ?? {})[0]) % 2;
  const before = modules.slice(0, index).filter((other) => side(other) === side(modules[index]));
  const slot = MODULES[before.length];
  if (!slot) throw new Error('there is no room for another module on this side of the picture');
  return slot;
}

/** Drawn in order, so the wires of a far module pass below the near one, as those of a bus pass a module. */
function drawModule(
  { role, title, pins }: Module,
  { from, to }: (typeof MODULES)[number],
): string[] {
  const rows = Object.entries(pins).map(([pin, name]) => ({ pin: Number(pin), name }));
  const [first, last] = [rows[0], rows.at(-1)];
  if (!first || !last) return [];
  const side = sideOf(first.pin);
  const top = rowOf(first.pin) - ROW / 2 + 2;
  const height = rowOf(last.pin) - rowOf(first.pin) + ROW - 4;
  const start = from === MODULES[0].from ? WIRE : MODULES[0].to;
  return [
    ...rows.map(({ pin }) => side.line(start, from, rowOf(pin), moduleColour(pin))),
    side.box(from, to, top, height, `fill="#eef" stroke="${INK}" stroke-width="2"`),
    ...rows.map(({ pin, name }) => side.text(from + 10, rowOf(pin) + 5, name)),
    side.middle(from + 40, to, top + height / 2 - 4, role, 'font-weight="bold"'),
    side.middle(from + 40, to, top + height / 2 + 18, title, 'font-size="12"'),
  ];
}

const moduleColour = (pin: number): string => {
  const label = pinLabel(pin);
  return label.startsWith('GPIO') ? SIGNAL : pinColour(label);
};

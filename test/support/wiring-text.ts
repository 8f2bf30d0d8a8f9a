import { format } from 'prettier';
import type { BoardFile } from '../../src/hal/board-schema.js';
import { isUsb, wiringOf } from './wiring.js';
import type { BoardWiring, Step } from './wiring.js';

/** A board with the name of its file. */
export interface NamedBoard {
  readonly name: string;
  readonly board: BoardFile;
}

/** The wires of the boards as Markdown: a table of all of them, and what each needs in config.txt. */
export async function wiringMarkdown(boards: readonly NamedBoard[]): Promise<string> {
  const text = [
    table(boards),
    ...boards.map(({ name, board }) =>
      [`\`config.txt\` of \`${name}\`:`, '', '```ini', ...configLines(board), '```'].join('\n'),
    ),
  ].join('\n\n');
  return format(text, { parser: 'markdown', printWidth: 100 });
}

function table(boards: readonly NamedBoard[]): string {
  const columns = boards.map(({ board }) => cellsOf(wiringOf(board)));
  const roles = [...new Set(columns.flatMap((cells) => [...cells.keys()]))];
  const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [
    row(['role', 'from the pin outwards', ...boards.map(({ name }) => `\`${name}\``)]),
    row(['role', '', ...boards.map(() => '')].map(() => '---')),
    ...roles.map((role) => {
      const how = columns.find((cells) => cells.has(role))?.get(role)?.how ?? '';
      return row([`\`${role}\``, how, ...columns.map((cells) => cells.get(role)?.where ?? 'none')]);
    }),
  ].join('\n');
}

interface Cell {
  readonly where: string;
  readonly how: string;
}

function cellsOf({ connections, modules, sockets }: BoardWiring): Map<string, Cell> {
  const cells = new Map<string, Cell>();
  for (const { role, gpio, pin, steps } of connections) {
    cells.set(role, { where: `pin ${pin}, GPIO${gpio}`, how: howOf(role, steps) });
  }
  for (const { role, title, pins } of modules) {
    const wires = Object.entries(pins).map(([pin, name]) => `${name} ${pin}`);
    cells.set(role, { where: `${title}: ${wires.join(', ')}`, how: 'module: its pin, ours' });
  }
  for (const socket of sockets) {
    const [role = '', where = ''] = socket.split(': ');
    cells.set(role, { where, how: cells.get(role)?.how ?? 'socket' });
  }
  return cells;
}

const howOf = (role: string, steps: readonly Step[]): string =>
  role.endsWith('.readBack')
    ? '1 kΩ, wire to the pin of the output'
    : steps.map(({ text }) => text).join(', ');

/** What the firmware must be told so that the parts of the board are there. */
function configLines(board: BoardFile): string[] {
  const pulled = wiringOf(board).connections.filter(({ isPulledUp }) => isPulledUp);
  const isFive = Object.keys(board.gpio.chips).includes('pinctrl-rp1');
  const { camera, gnss, i2c } = board;
  return [
    ...(i2c ? ['# I2C of pins 3 and 5', 'dtparam=i2c_arm=on,i2c_arm_baudrate=400000'] : []),
    ...(gnss.status === 'okay' && !isUsb(gnss.path) ? serialLines(isFive) : []),
    ...(pulled.length > 0
      ? ['# inputs with the pull-up of the chip', ...pulled.map(({ gpio }) => `gpio=${gpio}=ip,pu`)]
      : []),
    ...(camera.source.startsWith('libcamerasrc')
      ? ['# the camera module of Raspberry Pi; for others: camera_auto_detect=0 and its dtoverlay']
      : []),
    'camera_auto_detect=1',
    ...(camera.encoder === 'v4l2h264enc'
      ? [
          '# the encoder is in the full firmware; gpu_mem=16 would load one without it',
          'gpu_mem=64',
        ]
      : []),
  ];
}

/** Where UART 0 is: on the Pi 5 at the header of itself, before it behind Bluetooth. */
const serialLines = (isFive: boolean): string[] =>
  isFive
    ? ['# UART 0 at pins 8 and 10', 'dtparam=uart0=on']
    : [
        '# the good UART at pins 8 and 10, the small one for Bluetooth',
        'enable_uart=1',
        'dtoverlay=miniuart-bt',
      ];

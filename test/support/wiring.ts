import type { BoardFile } from '../../src/hal/board-schema.js';

// What of a board file is wire: which pin of the 40-pin header goes through what to what.

/** Pin of the header by GPIO; the same on every Raspberry Pi with 40 pins. */
const PIN_OF_GPIO: Readonly<Record<number, number>> = {
  ...{ 0: 27, 1: 28, 2: 3, 3: 5, 4: 7, 5: 29, 6: 31, 7: 26, 8: 24, 9: 21, 10: 19, 11: 23, 12: 32 },
  ...{ 13: 33, 14: 8, 15: 10, 16: 36, 17: 11, 18: 12, 19: 35, 20: 38, 21: 40, 22: 15, 23: 16 },
  ...{ 24: 18, 25: 22, 26: 37, 27: 13 },
};
const SUPPLY_OF_PIN: Readonly<Record<number, string>> = {
  ...{ 1: '3V3', 17: '3V3', 2: '5V', 4: '5V' },
  ...{ 6: 'GND', 9: 'GND', 14: 'GND', 20: 'GND', 25: 'GND', 30: 'GND', 34: 'GND', 39: 'GND' },
};
export const PINS = 40;

/** What is printed beside a pin. */
export function pinLabel(pin: number): string {
  const gpio = Object.entries(PIN_OF_GPIO).find(([, other]) => other === pin)?.[0];
  return SUPPLY_OF_PIN[pin] ?? `GPIO${gpio}`;
}

/** One thing on the way of a wire, from the header outwards. */
export interface Step {
  readonly kind: 'resistor' | 'light' | 'switch' | 'part' | 'ground' | 'supply' | 'wire';
  readonly text: string;
  readonly colour?: string;
}

/** A wire of one role. */
export interface Connection {
  readonly role: string;
  readonly gpio: number;
  readonly pin: number;
  readonly steps: readonly Step[];
  /** True for an input that the board must pull up itself. */
  readonly isPulledUp: boolean;
  /** Pin of the input that reads this output back. */
  readonly readBackPin?: number;
}

/** A module on several pins; `pins` are its own names by pin of the header. */
export interface Module {
  readonly role: string;
  readonly title: string;
  readonly pins: Readonly<Record<number, string>>;
}

export interface BoardWiring {
  readonly connections: readonly Connection[];
  readonly modules: readonly Module[];
  /** What has its own socket. */
  readonly sockets: readonly string[];
}

/** 330 Ω lets (3.3 - 2.0) V / 330 Ω = 4 mA through a light; a pin of the header gives 8 mA by default. */
const LIGHT_RESISTOR: Step = { kind: 'resistor', text: '330 Ω' };
/** 1 kΩ keeps a pin that is an output by mistake at 3.3 mA, and a pulled-up input below 0.1 V. */
const GUARD_RESISTOR: Step = { kind: 'resistor', text: '1 kΩ' };
const GROUND: Step = { kind: 'ground', text: 'GND' };
const LIGHT_COLOURS = { record: '#d22', status: '#2a2', fault: '#e80' } as const;

type LineSpec = BoardFile['buttons']['record'];
type OutputSpec = BoardFile['leds']['record'];

/** The wires of a board; throws for a line that is not on the header. */
export function wiringOf(board: BoardFile): BoardWiring {
  const { buttons, leds, vibration, buzzer, dock } = board;
  const connections = [
    input('buttons.record', buttons.record, 'push button'),
    ...(buttons.function ? [input('buttons.function', buttons.function, 'push button')] : []),
    ...light('leds.record', leds.record, LIGHT_COLOURS.record),
    ...light('leds.status', leds.status, LIGHT_COLOURS.status),
    ...(leds.fault ? light('leds.fault', leds.fault, LIGHT_COLOURS.fault) : []),
    ...(vibration ? driven('vibration', vibration, 'motor, diode across') : []),
    ...(buzzer ? driven('buzzer', buzzer, 'active buzzer, 3 V') : []),
    ...(dock.compatible === 'gpio-dock' ? [input('dock', dock, 'dock contact')] : []),
  ];
  return { connections, modules: modulesOf(board), sockets: socketsOf(board) };
}

function input(role: string, { line, activeLow }: LineSpec, what: string): Connection {
  const end: Step = activeLow ? GROUND : { kind: 'supply', text: '3V3' };
  const steps: Step[] = [GUARD_RESISTOR, { kind: 'switch', text: what }, end];
  return { role, ...place(line), steps, isPulledUp: activeLow };
}

function light(role: string, spec: OutputSpec, colour: string): Connection[] {
  const end: Step = spec.activeLow ? { kind: 'supply', text: '3V3' } : GROUND;
  const word = { '#d22': 'red', '#2a2': 'green', '#e80': 'amber' }[colour] ?? '';
  return output(role, spec, [LIGHT_RESISTOR, { kind: 'light', text: `${word} LED`, colour }, end]);
}

/** A part that takes more than a pin gives: a transistor switches it. */
function driven(role: string, spec: OutputSpec, part: string): Connection[] {
  return output(role, spec, [
    GUARD_RESISTOR,
    { kind: 'part', text: spec.activeLow ? 'PNP, emitter on 3V3' : 'NPN, emitter on GND' },
    { kind: 'part', text: part },
    spec.activeLow ? GROUND : { kind: 'supply', text: '3V3' },
  ]);
}

function output(role: string, spec: OutputSpec, steps: readonly Step[]): Connection[] {
  const here = place(spec.line);
  if (!spec.readBack) return [{ role, ...here, steps, isPulledUp: false }];
  const there = place(spec.readBack.line);
  return [
    { role, ...here, steps, isPulledUp: false, readBackPin: there.pin },
    {
      role: `${role}.readBack`,
      ...there,
      steps: [GUARD_RESISTOR, { kind: 'wire', text: `to pin ${here.pin}` }],
      isPulledUp: false,
    },
  ];
}

/** The GPIO and its pin. On the chips of all three boards the offset of a line is its GPIO, and so is its name. */
function place(line: number | string): { gpio: number; pin: number } {
  const gpio = Number(String(line).replace(/^GPIO/, ''));
  const pin = PIN_OF_GPIO[gpio];
  if (pin === undefined) throw new Error(`line ${line} is not on the header`);
  return { gpio, pin };
}

function modulesOf({ imu, power, gnss }: BoardFile): Module[] {
  const modules: Module[] = [];
  const bus = { 3: 'SDA', 5: 'SCL', 9: 'GND' };
  if (imu.status === 'okay') {
    const title = `${partName(imu.compatible)} at ${hex(imu.address)}`;
    modules.push({ role: 'imu', title, pins: { 1: 'VCC', ...bus } });
  }
  if (power?.compatible === 'maxim,max17048') {
    const title = `${partName(power.compatible)} at ${hex(power.address)}`;
    modules.push({ role: 'power', title, pins: bus });
  }
  if (gnss.status === 'okay' && !isUsb(gnss.path)) {
    const title = `NMEA 0183, ${gnss.baudRate} baud`;
    modules.push({ role: 'gnss', title, pins: { 4: 'VIN', 6: 'GND', 8: 'RX', 10: 'TX' } });
  }
  return modules;
}

function socketsOf({ camera, gnss, dock }: BoardFile): string[] {
  const sockets = camera.source.startsWith('libcamerasrc') ? ['camera: ribbon, CSI socket'] : [];
  if (gnss.status === 'okay' && isUsb(gnss.path)) sockets.push(`gnss: USB, ${gnss.path}`);
  if (dock.compatible === 'linux,network-dock') {
    sockets.push(`dock: network socket, ${dock.interface}`);
  }
  if (dock.compatible === 'linux,power-supply-dock') sockets.push(`dock: supply ${dock.supply}`);
  return sockets;
}

/** Whether a receiver is on USB and not on the header. */
export const isUsb = (path: string | undefined): boolean =>
  path !== undefined && /^\/dev\/tty(ACM|USB)/.test(path);

const partName = (compatible: string | undefined): string =>
  (compatible?.split(',')[1] ?? '').toUpperCase();
const hex = (address: number | undefined): string => `0x${(address ?? 0).toString(16)}`;

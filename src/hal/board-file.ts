import { describeFaults, joinFaults } from '../config/faults.js';
import { readJson } from '../config/json-document.js';
import { CameraError, hasErrorCode } from '../errors.js';
import { boardSchema, wiringSchema, type BoardFile, type Wiring } from './board-schema.js';
import type { FileSystem } from './ports/file-system.js';

/** Longest board file read; a full one is about 2 KB. */
const BOARD_BYTES_MAX = 256 * 1024;
const BOARD_NAME_PATTERN = /^[a-z0-9][a-z0-9-]*$/;
const SCHEMA_FILE = 'board.schema.json';

/** A line of the board with the place in the file that names it. */
interface RoleLine {
  readonly role: string;
  readonly chip: string;
  readonly line: number | string;
}

/**
 * The board in a JSON text. `path` is only for the message.
 * Throws `board/invalid`, whose one line names every fault: path and reason, or line and column where the text is
 * not JSON at all.
 */
export function parseBoard(text: string, path: string): BoardFile {
  const json = readJson(text);
  if (!json.ok) {
    throw new CameraError('board/invalid', `${path}: not a JSON document, ${json.fault}`);
  }
  const result = boardSchema.safeParse(json.value);
  const wiring = wiringSchema.safeParse(json.value);
  const faults = [
    ...describeFaults(result.error?.issues ?? [], json.value, Object.keys(boardSchema.shape)),
    ...(wiring.success ? lineFaults(wiring.data) : []),
    ...(result.success ? [...busFaults(result.data), ...heatFaults(result.data)] : []),
  ];
  if (result.data === undefined || faults.length > 0) {
    throw new CameraError('board/invalid', `${path}: ${joinFaults(faults)}`);
  }
  return result.data;
}

/**
 * The board called `name`: `sim` is `<boardDirectory>/sim.json`; anything with a slash or a dot is a path.
 * Rejects with `board/not-found`, which lists the known names, or `board/invalid`.
 */
export async function findBoard(
  name: string,
  files: Pick<FileSystem, 'readFile' | 'list'>,
  boardDirectory: string,
): Promise<BoardFile> {
  const path = BOARD_NAME_PATTERN.test(name) ? `${boardDirectory}/${name}.json` : name;
  try {
    const text = await files.readFile(path, BOARD_BYTES_MAX);
    return parseBoard(text.toString('utf8'), path);
  } catch (error) {
    if (!hasErrorCode(error, 'storage/not-found')) throw error;
    const known = await knownBoards(files, boardDirectory);
    throw new CameraError('board/not-found', `no board ${name}; known are: ${known.join(', ')}`, {
      cause: error,
    });
  }
}

async function knownBoards(files: Pick<FileSystem, 'list'>, directory: string): Promise<string[]> {
  const entries = await files.list(directory);
  return entries
    .filter(({ name, isDirectory }) => !isDirectory && name !== SCHEMA_FILE)
    .flatMap(({ name }) => (name.endsWith('.json') ? [name.slice(0, -'.json'.length)] : []));
}

/** Every line that has a role, in the order of the file's documentation. */
export function linesOf({ buttons, leds, vibration, buzzer, dock }: Wiring): RoleLine[] {
  const roles = {
    'buttons.record': buttons.record,
    'buttons.function': buttons.function,
    'leds.record': leds.record,
    'leds.status': leds.status,
    'leds.fault': leds.fault,
    'leds.record.readBack': leds.record.readBack,
    'leds.status.readBack': leds.status.readBack,
    'leds.fault.readBack': leds.fault?.readBack,
    vibration,
    'vibration.readBack': vibration?.readBack,
    buzzer,
    'buzzer.readBack': buzzer?.readBack,
    dock: dock.compatible === 'gpio-dock' ? dock : undefined,
  };
  return Object.entries(roles).flatMap(([role, spec]) =>
    spec === undefined ? [] : [{ role, chip: spec.chip, line: spec.line }],
  );
}

/** Parts on a bus that the board does not say it has. */
function busFaults({ imu, gnss, power, i2c, serial }: BoardFile): string[] {
  const faults: string[] = [];
  if (i2c === undefined) {
    if (imu.status === 'okay') faults.push('i2c: is missing, the imu is on it');
    if (power?.compatible === 'maxim,max17048') faults.push('i2c: is missing, the gauge is on it');
  }
  if (serial === undefined && gnss.status === 'okay') {
    faults.push('serial: is missing, the gnss is on it');
  }
  return faults;
}

/** Without a gap between the two, a camera at the limit would start and stop by every look. */
const heatFaults = ({ thermal }: BoardFile): string[] =>
  thermal !== undefined && thermal.clearC >= thermal.limitC
    ? ['thermal.clearC: must be below thermal.limitC']
    : [];

/** Lines that do not exist, and lines with two roles. */
function lineFaults(wiring: Wiring): string[] {
  const owners = new Map<string, string>();
  return linesOf(wiring).flatMap(({ role, chip, line }) => {
    const chips = wiring.gpio.chips;
    const lines = Object.hasOwn(chips, chip) ? chips[chip]?.lines : undefined;
    if (lines === undefined) return [`${role}.chip: gpio.chips has no such chip`];
    if (typeof line === 'number' && line >= lines) {
      return [`${role}.line: the chip has only the lines 0 to ${lines - 1}`];
    }
    const place = `${line} of ${chip}`;
    const owner = owners.get(place);
    if (owner !== undefined) return [`${role}.line: is the line of ${owner} already`];
    owners.set(place, role);
    return [];
  });
}

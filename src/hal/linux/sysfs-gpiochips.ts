import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { CameraError } from '../../errors.js';
import type { LineSpec } from '../ports/gpio.js';
import { GpiodTools } from './gpiod-tools.js';

/** A chip as /sys/class/gpio shows it (Documentation/ABI/obsolete/sysfs-gpio of the kernel). */
interface SysfsChip {
  readonly directory: string;
  /** Number of its first line among all lines of the system; differs from kernel to kernel. */
  readonly base: number;
  readonly lines: number;
}

/** Where sysfs and the device files are; tests have their own. */
export interface SysfsGpioPaths {
  readonly gpio: string;
  readonly dev: string;
}

export const SYSFS_GPIO_PATHS: SysfsGpioPaths = { gpio: '/sys/class/gpio', dev: '/dev' };

/**
 * The number that sysfs has for a line. Chips are found by label, never by number or order; where several have the same
 * label, the one with the lowest number counts. A name is looked up with the gpiod tools where the kernel has the
 * character device, else, and when they do not know it, in the devicetree of the chip. Rejects with `hal/disconnected` when there is no such line.
 */
export async function findSysfsLine(
  { chip: label, line }: Pick<LineSpec, 'chip' | 'line'>,
  paths: SysfsGpioPaths = SYSFS_GPIO_PATHS,
): Promise<number> {
  const chip = await findChip(label, paths.gpio);
  if (chip === undefined) throw new CameraError('hal/disconnected', `no gpiochip ${label}`);
  const offset = typeof line === 'number' ? line : await offsetOf(line, label, chip, paths.dev);
  if (offset === undefined || !(Number.isInteger(offset) && offset >= 0 && offset < chip.lines)) {
    throw new CameraError('hal/disconnected', `no line ${line} on gpiochip ${label}`);
  }
  return chip.base + offset;
}

/** The names in a `gpio-line-names` property of devicetree, by offset: strings that end in NUL, empty for none. */
export const parseLineNames = (property: string): readonly string[] =>
  property.replace(/\0$/, '').split('\0');

async function findChip(label: string, root: string): Promise<SysfsChip | undefined> {
  const names = (await readdir(root).catch((): string[] => [])).filter((name) =>
    /^gpiochip\d+$/.test(name),
  );
  const numberOf = (name: string): number => Number(name.slice('gpiochip'.length));
  for (const name of names.sort((a, b) => numberOf(a) - numberOf(b))) {
    const directory = path.join(root, name);
    const read = (attribute: string): Promise<string | undefined> =>
      readText(path.join(directory, attribute)).then((text) => text?.trim());
    if ((await read('label')) !== label) continue;
    const base = Number((await read('base')) ?? NaN);
    const lines = Number((await read('ngpio')) ?? NaN);
    if (Number.isInteger(base) && Number.isInteger(lines)) return { directory, base, lines };
  }
  return undefined;
}

async function offsetOf(
  name: string,
  label: string,
  chip: SysfsChip,
  dev: string,
): Promise<number | undefined> {
  const devices = await readdir(dev).catch((): string[] => []);
  if (devices.some((device) => /^gpiochip\d+$/.test(device))) {
    const located = await GpiodTools.find()
      .then((tools) => tools.locate({ chip: label, line: name }))
      .catch(() => undefined);
    if (located !== undefined) return located.offset;
  }
  const property = await readText(path.join(chip.directory, 'device/of_node/gpio-line-names'));
  if (property === undefined) return undefined;
  const offset = parseLineNames(property).indexOf(name);
  return offset === -1 ? undefined : offset;
}

/** Undefined when there is no such file, or when its device went away while it was read. */
const readText = (file: string): Promise<string | undefined> =>
  readFile(file, 'utf8').catch(() => undefined);

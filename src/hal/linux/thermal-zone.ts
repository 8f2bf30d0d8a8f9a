import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { CameraError } from '../../errors.js';
import type { ThermalPort } from '../ports/thermal.js';
import { readAttribute } from './sysfs-attribute.js';

const THERMAL_ROOT = '/sys/class/thermal';
const ZONE = /^thermal_zone\d{1,4}$/;
/** No processor works outside of it, so it is a driver that says nonsense. */
const PLAUSIBLE_C = { min: -60, max: 200 } as const;

/**
 * A thermal zone of the kernel (Documentation/ABI/testing/sysfs-class-thermal), found by its type, since the numbers of the
 * zones differ from kernel to kernel. `hal/disconnected` when there is no such zone, or it gives no temperature.
 */
export class ThermalZone implements ThermalPort {
  readonly #type: string;
  readonly #root: string;

  /** `root` is for tests. */
  constructor(type: string, root: string = THERMAL_ROOT) {
    this.#type = type;
    this.#root = root;
  }

  async read(): Promise<number> {
    const names = await readdir(this.#root).catch(() => []);
    for (const name of names.filter((entry) => ZONE.test(entry))) {
      if ((await readAttribute(path.join(this.#root, name, 'type'))) !== this.#type) continue;
      const celsius = parseMilliCelsius(await readAttribute(path.join(this.#root, name, 'temp')));
      if (celsius !== undefined) return celsius;
      throw new CameraError('hal/disconnected', `thermal zone ${this.#type} gives no temperature`);
    }
    throw new CameraError('hal/disconnected', `there is no thermal zone ${this.#type}`);
  }
}

/** Degrees Celsius from the kernel's thousandths. Undefined for anything that is no temperature. */
export function parseMilliCelsius(text: string | undefined): number | undefined {
  if (text === undefined || !/^-?\d{1,6}$/.test(text)) return undefined;
  const celsius = Number(text) / 1000;
  return celsius >= PLAUSIBLE_C.min && celsius <= PLAUSIBLE_C.max ? celsius : undefined;
}

import path from 'node:path';
import { CameraError } from '../../errors.js';
import type { PowerPort, PowerReading } from '../ports/power.js';
import { readAttribute } from './sysfs-attribute.js';

/** Where the kernel shows batteries and chargers (Documentation/ABI/testing/sysfs-class-power). */
export const POWER_SUPPLY_ROOT = '/sys/class/power_supply';

/**
 * The gauge of a battery as the kernel's power supply class shows it: `capacity` in whole percent, `status`, and `present`
 * where there is one. `hal/disconnected` when the supply is not there, says it is not present, or gives no charge.
 */
export class PowerSupply implements PowerPort {
  readonly #directory: string;
  readonly #name: string;

  /** `root` is for tests. */
  constructor(name: string, root: string = POWER_SUPPLY_ROOT) {
    this.#name = name;
    this.#directory = path.join(root, name);
  }

  async read(): Promise<PowerReading> {
    const [present, capacity, status] = await Promise.all(
      ['present', 'capacity', 'status'].map((attribute) =>
        readAttribute(path.join(this.#directory, attribute)),
      ),
    );
    const chargePercent = parseCapacity(capacity);
    if (present === '0' || chargePercent === undefined) {
      throw new CameraError('hal/disconnected', `power supply ${this.#name} gives no charge`);
    }
    return { chargePercent, isCharging: status === 'Charging' };
  }
}

/** Percent as the kernel writes it: a whole number from 0 to 100. Undefined for anything else. */
export function parseCapacity(text: string | undefined): number | undefined {
  if (text === undefined || !/^\d{1,3}$/.test(text)) return undefined;
  const percent = Number(text);
  return percent <= 100 ? percent : undefined;
}

import path from 'node:path';
import type { Clock } from '../../clock.js';
import { CameraError } from '../../errors.js';
import type { OnState } from '../drivers/part-state.js';
import { PolledDock } from '../drivers/polled-dock.js';
import { POWER_SUPPLY_ROOT } from './power-supply.js';
import { readAttribute } from './sysfs-attribute.js';

/**
 * Docked while a power supply is online: 1 for fixed, 2 for programmable (Documentation/ABI/testing/sysfs-class-power).
 * A supply that is not there is a fault. Asked every second. `root` is for tests.
 */
export function openPowerSupplyDock(
  supply: string,
  clock: Clock,
  onState: OnState,
  root: string = POWER_SUPPLY_ROOT,
): Promise<PolledDock> {
  const file = path.join(root, supply, 'online');
  const ask = async (): Promise<boolean> => {
    const online = await readAttribute(file);
    if (online === undefined) {
      throw new CameraError('hal/disconnected', `there is no power supply ${supply}`);
    }
    return online === '1' || online === '2';
  };
  return PolledDock.open(ask, clock, onState);
}

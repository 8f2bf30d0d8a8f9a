import path from 'node:path';
import type { Clock } from '../../clock.js';
import type { OnState } from '../drivers/part-state.js';
import { PolledDock } from '../drivers/polled-dock.js';
import { readAttribute } from './sysfs-attribute.js';

/** Where the kernel shows network interfaces (Documentation/ABI/testing/sysfs-class-net). */
const NETWORK_ROOT = '/sys/class/net';

/**
 * Docked while a network interface has a carrier. An interface that is down (reading `carrier` is EINVAL then) or not
 * there is no fault: the adapter may be a part of the dock. Asked every second. `root` is for tests.
 */
export function openNetworkDock(
  interfaceName: string,
  clock: Clock,
  onState: OnState,
  root: string = NETWORK_ROOT,
): Promise<PolledDock> {
  const file = path.join(root, interfaceName, 'carrier');
  return PolledDock.open(async () => (await readAttribute(file)) === '1', clock, onState);
}

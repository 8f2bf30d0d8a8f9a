import type { Clock } from '../clock.js';
import type { Logger } from '../log.js';
import { NodeFileSystem } from './linux/node-file-system.js';
import { SystemClock } from './linux/system-clock.js';
import { Systemd } from './linux/systemd.js';
import type { FileSystem } from './ports/file-system.js';
import type { ServiceManager } from './ports/service-manager.js';

/** The machine this program runs on, camera or not: what a receiver and a verifier need of it. */
export interface Machine {
  readonly fs: FileSystem;
  readonly clock: Clock;
}

export const openMachine = (): Machine => ({
  fs: new NodeFileSystem(),
  clock: new SystemClock(),
});

/** Who started this program as a service; nobody hears it when it was started by hand. */
export const openServiceManager = ({ clock }: Machine, log: Logger): ServiceManager =>
  new Systemd(clock, log);

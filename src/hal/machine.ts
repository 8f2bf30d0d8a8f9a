import type { Clock } from '../clock.js';
import { NodeFileSystem } from './linux/node-file-system.js';
import { SystemClock } from './linux/system-clock.js';
import type { FileSystem } from './ports/file-system.js';

/** The machine this program runs on, camera or not: what a receiver and a verifier need of it. */
export interface Machine {
  readonly fs: FileSystem;
  readonly clock: Clock;
}

export const openMachine = (): Machine => ({
  fs: new NodeFileSystem(),
  clock: new SystemClock(),
});

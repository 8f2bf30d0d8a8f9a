import type { Cancel, Clock } from '../clock.js';
import type { Logger } from '../log.js';
import type { TimeMark } from './drivers/gnss-time.js';
import { watchClockQuality } from './linux/clock-quality.js';
import { NodeFileRemover } from './linux/node-file-remover.js';
import { NodeFileSystem } from './linux/node-file-system.js';
import { SystemClock } from './linux/system-clock.js';
import { Systemd } from './linux/systemd.js';
import type { FileRemover } from './ports/file-remover.js';
import type { FileSystem } from './ports/file-system.js';
import type { ServiceManager } from './ports/service-manager.js';

/** The machine this program runs on, camera or not: what a receiver and a verifier need of it. */
export interface Machine {
  readonly fs: FileSystem;
  /** The right to delete; for the card of a camera, and nobody else. */
  readonly remover: FileRemover;
  readonly clock: Clock;
  readonly time: MachineTime;
}

/** Who vouches for the wall time of this machine. Nobody does until a camera asks. */
export interface MachineTime {
  /** Looks now and every minute who holds the system clock, until cancelled. */
  keep(): Cancel;
  /** A wall time that a satellite receiver gave; it counts while it is surer than the system clock. */
  offer(mark: TimeMark): void;
}

export function openMachine(): Machine {
  const clock = new SystemClock();
  return {
    fs: new NodeFileSystem(),
    remover: new NodeFileRemover(),
    clock,
    time: {
      keep: () =>
        watchClockQuality(clock, (quality) => {
          clock.setQuality(quality);
        }),
      offer: ({ at, wall: { ms, uncertaintyMs } }) => {
        clock.offer({ utcMs: ms, at, uncertaintyMs, source: 'gnss' });
      },
    },
  };
}

export { openLoopMonitor } from './linux/event-loop.js';

/** Who started this program as a service; nobody hears it when it was started by hand. */
export const openServiceManager = ({ clock }: Machine, log: Logger): ServiceManager =>
  new Systemd(clock, log);

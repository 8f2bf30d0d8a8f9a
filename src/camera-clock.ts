import type { Cancel, Clock, TimeSource, WallTime } from './clock.js';
import { CameraError, messageOf } from './errors.js';
import type { PartsHealth } from './hal/parts-health.js';
import type { Logger } from './log.js';
import type { Card } from './storage/card.js';
import { carriedTo, judgeWall, startTime } from './timekeeping.js';
import type { KeptTime, TimeAnchor, TimeFact } from './timekeeping.js';
import { formatUtc } from './units.js';
import type { MonotonicMs, WallTimeMs } from './units.js';

/** A step of the clock is in the log within a second. */
const LOOK_PERIOD_MS = 1_000;
/** A clock that flaps between two sources must not swell the log: one entry a minute is more than any real clock makes. */
const ENTRIES_PER_HOUR_MAX = 60;
const HOUR_MS = 3_600_000;

/** What `lapel status` tells of the time. */
export interface TimeStatus {
  /** RFC 3339 in UTC, as believed. */
  readonly utc: string;
  readonly source: TimeSource;
  readonly uncertaintyMs: number;
  /** False when nobody has ever told the time; part `clock` is a fault then. */
  readonly isSet: boolean;
  /** True while the clock of the machine says something else that is not believed; a fault of `clock` as well. */
  readonly isDoubted: boolean;
}

export interface CameraClockPorts {
  readonly clock: Clock;
  readonly health: PartsHealth;
  readonly log: Logger;
}

/** Where steps of the clock are written down. */
type TimeJournal = Pick<Card['journal'], 'record'>;

/**
 * Watches the wall clock from a monotonic footing: every step goes into the device log, what is believed of the time
 * outlives a lie of the clock, and an unset or lying clock is a fault of the part `clock`. No recording ever waits for it.
 */
export class CameraClock {
  readonly #ports: CameraClockPorts;
  readonly #report: (fault: CameraError | undefined) => void;
  #journal: TimeJournal | undefined;
  #state: KeptTime = startTime;
  #cancel: Cancel = () => undefined;
  #hourAt: MonotonicMs;
  #entries = 0;

  /** Looks at the clock once; `start` goes on with it. */
  constructor(ports: CameraClockPorts) {
    this.#ports = ports;
    this.#report = ports.health.reporter('clock');
    this.#hourAt = ports.clock.monotonicMs();
    this.#look();
  }

  /** Looks every second from now on, and writes what it sees into the journal. Once. */
  start(journal: TimeJournal): void {
    this.#journal = journal;
    this.#cancel = this.#ports.clock.every(LOOK_PERIOD_MS, () => {
      this.#look();
    });
  }

  close(): void {
    this.#cancel();
  }

  /** The wall time believed of a moment of this boot, as far as is known now. */
  wallAt(at: MonotonicMs): WallTime {
    return this.#state.kept === undefined
      ? this.#ports.clock.wallTime()
      : carriedTo(this.#state.kept, at);
  }

  /** What was believed in this boot, oldest first, at most 32. */
  get anchors(): readonly TimeAnchor[] {
    return this.#state.anchors;
  }

  status(): TimeStatus {
    const { ms, source, uncertaintyMs } = this.wallAt(this.#ports.clock.monotonicMs());
    return {
      utc: formatUtc(ms),
      source,
      uncertaintyMs: Math.round(uncertaintyMs),
      isSet: source !== 'unset',
      isDoubted: this.#state.isDoubted,
    };
  }

  #look(): void {
    const { clock } = this.#ports;
    const now = clock.monotonicMs();
    const { state, facts } = judgeWall(this.#state, clock.wallTime(), now);
    this.#state = state;
    for (const fact of facts) this.#note(fact, now);
    this.#report(faultOf(state));
  }

  #note(fact: TimeFact, now: MonotonicMs): void {
    const { log } = this.#ports;
    if (now - this.#hourAt >= HOUR_MS) {
      this.#hourAt = now;
      this.#entries = 0;
    }
    this.#entries += 1;
    log.warn(fact, 'the wall clock was set');
    if (this.#entries > ENTRIES_PER_HOUR_MAX) return;
    this.#journal?.record(fact).catch((error: unknown) => {
      log.error({ error: messageOf(error) }, 'a step of the clock could not be written');
    });
  }
}

function faultOf({ kept, claimed, isDoubted }: KeptTime): CameraError | undefined {
  if (kept?.wall.source === 'unset') {
    return new CameraError('hal/clock-unset', 'nothing has set the clock');
  }
  if (!isDoubted || claimed === undefined) return undefined;
  const said = formatUtc(Math.max(0, claimed.wall.ms) as WallTimeMs);
  return new CameraError('hal/clock-jumped', `the clock says ${said}, which cannot be`);
}

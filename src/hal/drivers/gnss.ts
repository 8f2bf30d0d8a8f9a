import type { Cancel, Clock } from '../../clock.js';
import { CameraError } from '../../errors.js';
import type { MonotonicMs } from '../../units.js';
import type { SerialLine, SerialPort } from '../ports/serial.js';
import { FixAssembler } from './gnss-fix.js';
import type { GnssFix } from './gnss-fix.js';
import { NmeaSplitter } from './nmea-splitter.js';
import { readSentence } from './nmea.js';
import { PartState, withDeadline } from './part-state.js';
import type { OnState } from './part-state.js';

export interface GnssSpec {
  readonly path: string;
  readonly baudRate: number;
}

/** Every receiver speaks once a second, with or without a fix; three in a row do not get lost. */
const SILENCE_MS_MAX = 3_000;
/** How often silence is looked for: it is found within 3.5 s. */
const SILENCE_CHECK_MS = 500;
/** Opening and closing a line takes milliseconds; a driver that hangs is not waited for. */
const OPEN_MS_MAX = 5_000;
const CLOSE_MS_MAX = 1_000;

export interface GnssCounts {
  /** With the right checksum, of any type. */
  readonly sentences: number;
  /** Without a checksum, with a wrong one, or torn. */
  readonly badChecksum: number;
  /** With the right checksum and what cannot be: a date, a position, a number of fields. */
  readonly refused: number;
  /** Longer than NMEA 0183 allows. */
  readonly overlong: number;
  /** How often the line was opened, the first time included. */
  readonly opened: number;
}

/**
 * A satellite receiver that speaks NMEA 0183 on a serial line.
 *
 * INVARIANTS
 * 1. A sentence without the right checksum has no effect, other than to be counted.
 * 2. A line that is silent for 3 s, or on which nothing but noise comes, is closed and opened again, whether the adapter
 *    noticed its end or not.
 */
export class Gnss {
  readonly #serial: SerialPort;
  readonly #spec: GnssSpec;
  readonly #clock: Clock;
  readonly #state: PartState;
  readonly #listeners = new Set<(fix: GnssFix) => void>();
  readonly #assembler = new FixAssembler();
  readonly #splitter = new NmeaSplitter({
    line: (text) => {
      this.#take(text);
    },
    overlong: () => {
      this.#counts.overlong += 1;
    },
    broken: () => {
      this.#counts.badChecksum += 1;
    },
  });
  readonly #counts = { sentences: 0, badChecksum: 0, refused: 0, overlong: 0, opened: 0 };
  /** Counts lives of the line, so that what comes from an old one is ignored. */
  #life = 0;
  #line: SerialLine | undefined;
  #cancelTimer: Cancel | undefined;
  #heardAt: MonotonicMs;
  #hasBytes = false;

  private constructor(serial: SerialPort, spec: GnssSpec, clock: Clock, onState: OnState) {
    this.#serial = serial;
    this.#spec = spec;
    this.#clock = clock;
    this.#state = new PartState(onState);
    this.#heardAt = clock.monotonicMs();
  }

  /**
   * Opens the line and goes on until `close`, whether a receiver is there or not. `onState` hears `hal/no-data` when no
   * sentence comes for 3 s, else the fault of the line; and undefined when sentences come. To be without a fix is no
   * fault.
   */
  static start(serial: SerialPort, spec: GnssSpec, clock: Clock, onState: OnState): Gnss {
    const gnss = new Gnss(serial, spec, clock, onState);
    void gnss.#open();
    return gnss;
  }

  /** The last fix; undefined when it is older than 2 s, or the receiver has taken it back. */
  fix(): GnssFix | undefined {
    return this.#assembler.fix(this.#clock.monotonicMs());
  }

  /** Calls back with every fix. A listener only validates and enqueues. */
  watch(listener: (fix: GnssFix) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  get counts(): GnssCounts {
    return { ...this.#counts };
  }

  /** No fix comes afterwards. Resolves when the line is closed, or does not close within a second. */
  async close(): Promise<void> {
    this.#life += 1;
    this.#cancelTimer?.();
    this.#listeners.clear();
    this.#assembler.reset();
    const line = this.#line;
    this.#line = undefined;
    if (line !== undefined) await this.#closeLine(line);
  }

  async #open(): Promise<void> {
    this.#life += 1;
    const life = this.#life;
    this.#splitter.reset();
    const { path, baudRate } = this.#spec;
    const opening = this.#serial.open(path, baudRate, {
      bytes: (chunk) => {
        if (life !== this.#life) return;
        this.#hasBytes = true;
        this.#splitter.push(chunk);
      },
      closed: (error) => {
        if (life === this.#life) this.#lose(error);
      },
    });
    opening
      .then((line) => {
        if (life === this.#life) this.#opened(line);
        else void this.#closeLine(line);
      })
      // Told below, where a line that never opens is told too.
      .catch(() => undefined);
    try {
      await withDeadline(
        this.#clock,
        opening,
        OPEN_MS_MAX,
        () => new CameraError('hal/no-data', `${path} does not open`),
      );
    } catch (error) {
      if (life === this.#life) this.#lose(error);
    }
  }

  #opened(line: SerialLine): void {
    this.#line = line;
    this.#counts.opened += 1;
    this.#heardAt = this.#clock.monotonicMs();
    this.#hasBytes = false;
    this.#cancelTimer = this.#clock.every(SILENCE_CHECK_MS, () => {
      if (this.#clock.monotonicMs() - this.#heardAt < SILENCE_MS_MAX) return;
      const { path, baudRate } = this.#spec;
      this.#lose(
        new CameraError(
          'hal/no-data',
          this.#hasBytes
            ? `no sentence among the bytes of ${path} at ${baudRate} baud`
            : `nothing comes from ${path}`,
        ),
      );
    });
  }

  /** Closes the line and opens it again later. */
  #lose(error: unknown): void {
    this.#life += 1;
    this.#cancelTimer?.();
    this.#assembler.reset();
    const line = this.#line;
    this.#line = undefined;
    const delayMs = this.#state.fails(error);
    this.#cancelTimer = this.#clock.after(delayMs, () => void this.#open());
    if (line !== undefined) void this.#closeLine(line);
  }

  #closeLine(line: SerialLine): Promise<void> {
    const late = (): CameraError => new CameraError('hal/disconnected', 'the line does not close');
    // A line that cannot be closed is as gone as it gets; opening it again says so if it matters.
    return withDeadline(this.#clock, line.close(), CLOSE_MS_MAX, late).catch(() => undefined);
  }

  #take(text: string): void {
    const verdict = readSentence(text);
    if (verdict.kind === 'bad-checksum') {
      this.#counts.badChecksum += 1;
      return;
    }
    const now = this.#clock.monotonicMs();
    this.#counts.sentences += 1;
    this.#heardAt = now;
    this.#state.works();
    if (verdict.kind === 'refused') this.#counts.refused += 1;
    if (verdict.kind !== 'fact') return;
    const fix = this.#assembler.take(verdict.fact, now);
    if (fix === undefined) return;
    for (const listener of this.#listeners) listener(fix);
  }
}

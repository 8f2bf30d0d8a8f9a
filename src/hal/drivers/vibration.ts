import type { Cancel, Clock } from '../../clock.js';
import type { OutputLine } from '../ports/gpio.js';
import { LevelWriter } from './level-writer.js';

/** Longest pulse: beyond it the motor heats up and the wearer stops counting. */
export const PULSE_MS_MAX = 2_000;
/** Most pulses and pauses of one pattern; nobody counts more than 8 pulses. */
export const PULSES_MAX = 16;

/**
 * A vibration motor on an output line, or a buzzer that sounds while its line is active: both take pulses, and neither
 * makes a tune, which a line of this speed cannot. It stands still at the start.
 */
export class Vibration {
  readonly #writer: LevelWriter;
  readonly #clock: Clock;
  #cancel: Cancel | undefined;

  /** Takes over the line. `onFault` hears of a level that cannot be set. */
  constructor(line: OutputLine, clock: Clock, onFault: (error: unknown) => void) {
    this.#writer = new LevelWriter(line, onFault);
    this.#clock = clock;
  }

  /**
   * Plays `[on, off, on, …]` in milliseconds and stands still afterwards. A pattern that is playing is cut short: the
   * newest word is the one the wearer needs. Throws a RangeError outside the limits above.
   */
  play(pulsesMs: readonly number[]): void {
    if (pulsesMs.length > PULSES_MAX || !pulsesMs.every((ms) => ms > 0 && ms <= PULSE_MS_MAX)) {
      throw new RangeError(`Expected at most ${PULSES_MAX} pulses of up to ${PULSE_MS_MAX} ms`);
    }
    this.#cancel?.();
    this.#step(pulsesMs, true);
  }

  /** Stops the motor and closes the line; rejects when the line cannot be closed. */
  async close(): Promise<void> {
    this.#cancel?.();
    await this.#writer.close();
  }

  #step([durationMs, ...rest]: readonly number[], isOn: boolean): void {
    this.#cancel = undefined;
    this.#writer.set(isOn && durationMs !== undefined);
    if (durationMs === undefined) return;
    this.#cancel = this.#clock.after(durationMs, () => {
      this.#step(rest, !isOn);
    });
  }
}

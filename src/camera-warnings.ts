import type { IndicatorFacts } from './capture/indicator.js';
import type { Cancel } from './clock.js';
import { messageOf } from './errors.js';
import type { Board } from './hal/board.js';
import type { Logger } from './log.js';
import type { Card } from './storage/card.js';

/** Battery and card change within minutes; a fix of the clock is seen within this time too. */
const LOOK_PERIOD_MS = 5000;
/** With less the camera does not last for half an hour; the same limit as in the check of the battery. */
const CHARGE_PERCENT_MIN = 10;
/** Enough to end a recording well and to answer a person; below it the supply may give way under the encoder. */
const EMPTY_PERCENT_MAX = 3;
/** Above the limit by this much a battery is no longer empty: its gauge wavers. */
const REFILLED_PERCENT_MIN = 5;
const HOUR_S = 3600;

export interface Warnings extends Pick<
  IndicatorFacts,
  'storage' | 'isBatteryLow' | 'isClockUnset'
> {
  /** No recording can go on. */
  readonly isBatteryEmpty: boolean;
}

/** Looks now and then at what runs low, and tells of every change. A look that fails leaves what was known. */
export class CameraWarnings {
  readonly #board: Pick<Board, 'clock' | 'power' | 'camera'>;
  readonly #card: Pick<Card, 'freeBytes'>;
  readonly #reserveBytes: number;
  readonly #log: Logger;
  readonly #tell: (warnings: Partial<Warnings>) => void;
  readonly #cancel: Cancel;
  #isLooking = false;
  #isBatteryEmpty = false;
  #isClosed = false;

  /** `reserveBytes`: what no recording may start with less than, and therefore does not count as room. */
  constructor(
    board: Pick<Board, 'clock' | 'power' | 'camera'>,
    card: Pick<Card, 'freeBytes'>,
    reserveBytes: number,
    log: Logger,
    tell: (warnings: Partial<Warnings>) => void,
  ) {
    this.#board = board;
    this.#card = card;
    this.#reserveBytes = reserveBytes;
    this.#log = log;
    this.#tell = tell;
    this.#cancel = board.clock.every(LOOK_PERIOD_MS, () => void this.#look());
    void this.#look();
  }

  close(): void {
    this.#isClosed = true;
    this.#cancel();
  }

  /** One look at a time: a gauge that hangs is not asked again meanwhile. */
  async #look(): Promise<void> {
    this.#tell({ isClockUnset: this.#board.clock.wallTime().source === 'unset' });
    if (this.#isLooking) return;
    this.#isLooking = true;
    try {
      const storage = this.#roomOf(await this.#card.freeBytes());
      if (!this.#isClosed) this.#tell({ storage });
      const reading = await this.#board.power?.read();
      if (reading === undefined || this.#isClosed) return;
      const { chargePercent, isCharging } = reading;
      const limit = this.#isBatteryEmpty ? REFILLED_PERCENT_MIN : EMPTY_PERCENT_MAX;
      this.#isBatteryEmpty = chargePercent < limit && !isCharging;
      this.#tell({
        isBatteryLow: chargePercent < CHARGE_PERCENT_MIN && !isCharging,
        isBatteryEmpty: this.#isBatteryEmpty,
      });
    } catch (error) {
      this.#log.debug({ error: messageOf(error) }, 'a look at card and battery failed');
    } finally {
      this.#isLooking = false;
    }
  }

  #roomOf(freeBytes: number): Warnings['storage'] {
    const bytesPerHour = ((this.#board.camera.bitrateKbps * 1000) / 8) * HOUR_S;
    const room = Math.max(0, freeBytes - this.#reserveBytes);
    if (room < bytesPerHour / 2) return 'half-hour';
    return room < bytesPerHour ? 'hour' : 'ample';
  }
}

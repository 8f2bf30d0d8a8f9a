import { hourOf } from './camera-card.js';
import type { IndicatorFacts } from './capture/indicator.js';
import type { Cancel } from './clock.js';
import { CameraError, messageOf } from './errors.js';
import type { Board } from './hal/board.js';
import { judgeHeat, startHeat } from './hal/drivers/heat.js';
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

export interface Warnings extends Pick<
  IndicatorFacts,
  'storage' | 'isBatteryLow' | 'isClockUnset'
> {
  /** No recording can go on. */
  readonly isBatteryEmpty: boolean;
  readonly isTooHot: boolean;
}

type WatchedBoard = Pick<Board, 'clock' | 'power' | 'camera' | 'thermal' | 'file' | 'health'>;

/** Looks now and then at what runs low or hot, and tells of every change. A look that fails leaves what was known. */
export class CameraWarnings {
  readonly #board: WatchedBoard;
  readonly #card: Pick<Card, 'freeBytes'>;
  readonly #reserveBytes: number;
  readonly #bitrateKbps: () => number;
  readonly #log: Logger;
  readonly #tell: (warnings: Partial<Warnings>) => void;
  readonly #cancel: Cancel;
  #isLooking = false;
  #isFeeling = false;
  #heat = startHeat;
  #isBatteryEmpty = false;
  #isClosed = false;

  /**
   * `reserveBytes`: what no recording may start with less than, and therefore does not count as room. `bitrateKbps`: what
   * the footage takes just now; that of the board when it is left out.
   */
  constructor(
    board: WatchedBoard,
    card: Pick<Card, 'freeBytes'>,
    reserveBytes: number,
    log: Logger,
    tell: (warnings: Partial<Warnings>) => void,
    bitrateKbps: () => number = () => board.camera.bitrateKbps,
  ) {
    this.#bitrateKbps = bitrateKbps;
    this.#board = board;
    this.#card = card;
    this.#reserveBytes = reserveBytes;
    this.#log = log;
    this.#tell = tell;
    this.#cancel = board.clock.every(LOOK_PERIOD_MS, () => {
      void this.#look();
      void this.#feel();
    });
    void this.#look();
    void this.#feel();
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

  /** The temperature. A sensor that is lost or hangs is told like every part, and ends nothing. */
  async #feel(): Promise<void> {
    const { thermal, file, health } = this.#board;
    if (thermal === undefined || file.thermal === undefined || this.#isFeeling) return;
    this.#isFeeling = true;
    let celsius: number | undefined;
    let fault: CameraError | undefined;
    try {
      celsius = await thermal.read();
    } catch (error) {
      fault = new CameraError('hal/disconnected', messageOf(error), { cause: error });
    }
    this.#isFeeling = false;
    if (this.#isClosed) return;
    this.#heat = judgeHeat(this.#heat, celsius, file.thermal);
    const { isHot } = this.#heat;
    if (isHot && celsius !== undefined) {
      fault = new CameraError(
        'hal/too-hot',
        `${celsius.toFixed(1)} °C, the limit is ${file.thermal.limitC} °C`,
      );
    }
    health.reporter('thermal')(fault);
    this.#tell({ isTooHot: isHot });
  }

  #roomOf(freeBytes: number): Warnings['storage'] {
    const bytesPerHour = hourOf(this.#bitrateKbps());
    const room = Math.max(0, freeBytes - this.#reserveBytes);
    if (room < bytesPerHour / 2) return 'half-hour';
    return room < bytesPerHour ? 'hour' : 'ample';
  }
}

import { CameraError, messageOf } from '../../errors.js';
import type { I2cPort } from '../ports/i2c.js';
import type { PowerPort, PowerReading } from '../ports/power.js';

/*
 * MAX17048 fuel gauge, data sheet 19-6171, register summary and register descriptions. Words, high byte first.
 */

/** VCELL (0x02), 78.125 µV/LSB; SOC (0x04) follows it, 1/256 % per LSB. */
const VCELL = 0x02;
const VOLTS_PER_LSB = 78.125e-6;
const PERCENT_PER_LSB = 1 / 256;
/** CRATE, two's complement, 0.208 %/h per LSB: above 0 the cell charges. */
const CRATE = 0x16;
/** The lower end of what the gauge measures: below it there is no cell, and the charge is made up. */
const CELL_VOLTS_MIN = 2.5;

/**
 * The gauge of one lithium cell. The charge is rounded to whole percent. The gauge feels charging by the voltage of the
 * cell, so that a change shows after a minute or so, and a full cell on the charger does not charge.
 */
export class Max17048 implements PowerPort {
  readonly #i2c: I2cPort;
  readonly #address: number;

  constructor(i2c: I2cPort, address: number) {
    this.#i2c = i2c;
    this.#address = address;
  }

  /** Rejects with `hal/disconnected` when the gauge does not answer, or answers without a cell. */
  async read(): Promise<PowerReading> {
    const [cell, rate] = await this.#registers();
    const volts = cell.readUInt16BE(0) * VOLTS_PER_LSB;
    if (volts < CELL_VOLTS_MIN) {
      throw new CameraError(
        'hal/disconnected',
        `the gauge measures ${volts.toFixed(2)} V: no cell`,
      );
    }
    const percent = cell.readUInt16BE(2) * PERCENT_PER_LSB;
    // The model may overshoot 100 % on a new cell.
    return {
      chargePercent: Math.min(100, Math.round(percent)),
      isCharging: rate.readInt16BE(0) > 0,
    };
  }

  async #registers(): Promise<readonly [cell: Buffer, rate: Buffer]> {
    try {
      const cell = await this.#i2c.readBlock(this.#address, VCELL, 4);
      const rate = await this.#i2c.readBlock(this.#address, CRATE, 2);
      return [cell, rate];
    } catch (error) {
      throw new CameraError('hal/disconnected', `the gauge: ${messageOf(error)}`, { cause: error });
    }
  }
}

import { CameraError } from '../../errors.js';
import type { PowerPort, PowerReading } from '../ports/power.js';

/** A battery that holds the charge it was given. Full and not charging at the start. */
export class SimPower implements PowerPort {
  #chargePercent = 100;
  #isCharging = false;
  #isPlugged = true;

  async read(): Promise<PowerReading> {
    await Promise.resolve();
    if (!this.#isPlugged) throw new CameraError('hal/disconnected', 'the gauge does not answer');
    return this.reading;
  }

  /** What the battery really has, whether its gauge answers or not. */
  get reading(): PowerReading {
    return { chargePercent: this.#chargePercent, isCharging: this.#isCharging };
  }

  setCharge(percent: number): void {
    if (!(percent >= 0 && percent <= 100)) {
      throw new RangeError(`Expected percent from 0 to 100, got ${percent}`);
    }
    this.#chargePercent = percent;
  }

  setCharging(isCharging: boolean): void {
    this.#isCharging = isCharging;
  }

  /** Connects the gauge or takes it off. */
  setPlugged(isPlugged: boolean): void {
    this.#isPlugged = isPlugged;
  }
}

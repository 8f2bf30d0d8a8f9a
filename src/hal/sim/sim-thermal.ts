import { CameraError } from '../../errors.js';
import type { ThermalPort } from '../ports/thermal.js';

/** A processor at work in a room. */
const START_C = 45;

/** A sensor that measures what it is told. */
export class SimThermal implements ThermalPort {
  #celsius = START_C;
  #isPlugged = true;

  async read(): Promise<number> {
    await Promise.resolve();
    if (!this.#isPlugged) throw new CameraError('hal/disconnected', 'the sensor does not answer');
    return this.#celsius;
  }

  /** What is really there, whether the sensor answers or not. */
  get celsius(): number {
    return this.#celsius;
  }

  setCelsius(celsius: number): void {
    if (!Number.isFinite(celsius)) throw new RangeError(`Expected a temperature, got ${celsius}`);
    this.#celsius = celsius;
  }

  setPlugged(isPlugged: boolean): void {
    this.#isPlugged = isPlugged;
  }
}

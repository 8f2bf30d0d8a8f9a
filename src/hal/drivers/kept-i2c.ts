import { CameraError, hasErrorCode } from '../../errors.js';
import type { I2cPort } from '../ports/i2c.js';

/**
 * An I2C bus that is opened when it is first needed, and again after it broke: its device file may come later than this
 * program, and a bus driver may be loaded anew. The parts on the bus retry; the bus itself waits for nothing.
 */
export class KeptI2c implements I2cPort {
  readonly #open: () => Promise<I2cPort>;
  #bus: Promise<I2cPort> | undefined;
  #isClosed = false;

  constructor(open: () => Promise<I2cPort>) {
    this.#open = open;
  }

  readBlock(address: number, register: number, length: number): Promise<Buffer> {
    return this.#on((bus) => bus.readBlock(address, register, length));
  }

  writeByte(address: number, register: number, value: number): Promise<void> {
    return this.#on((bus) => bus.writeByte(address, register, value));
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    await this.#forget();
  }

  async #on<T>(operation: (bus: I2cPort) => Promise<T>): Promise<T> {
    if (this.#isClosed) throw new CameraError('hal/bus', 'the I2C bus is closed');
    const opening = (this.#bus ??= this.#open());
    try {
      return await operation(await opening);
    } catch (error) {
      // A chip that does not answer says nothing about the bus; every other fault may.
      if (!hasErrorCode(error, 'hal/no-acknowledge') && this.#bus === opening) await this.#forget();
      throw error;
    }
  }

  async #forget(): Promise<void> {
    const opening = this.#bus;
    this.#bus = undefined;
    await opening?.then((bus) => bus.close()).catch(() => undefined);
  }
}

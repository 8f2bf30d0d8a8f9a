import type * as I2cPackage from 'i2c-bus';
import type { PromisifiedBus } from 'i2c-bus';
import { CameraError, messageOf, systemCode } from '../../errors.js';
import { I2C_BLOCK_BYTES_MAX } from '../ports/i2c.js';
import type { I2cPort } from '../ports/i2c.js';

/** Calls that may wait for the bus; 64 block reads of 32 bytes take half a second at 100 kbit/s, so more is a stuck bus. */
const CALLS_WAITING_MAX = 64;

/**
 * What drivers of the kernel say when nothing acknowledges: ENXIO by its own rules (Documentation/i2c/fault-codes.rst),
 * EREMOTEIO the BCM2835 and DesignWare controllers of the Raspberry Pi, EIO the BCM2835 as well, ENODEV i2c-stub.
 */
const NO_ACKNOWLEDGE: ReadonlySet<string | undefined> = new Set([
  'ENXIO',
  'ENODEV',
  'EREMOTEIO',
  'EIO',
]);

/** An I2C bus of the machine with the package i2c-bus. One call at a time; calls keep their order. */
export class I2cBus implements I2cPort {
  readonly #number: number;
  readonly #bus: PromisifiedBus;
  #work: Promise<unknown> = Promise.resolve();
  #waiting = 0;
  #closing: Promise<void> | undefined;

  private constructor(number: number, bus: PromisifiedBus) {
    this.#number = number;
    this.#bus = bus;
  }

  /**
   * Opens /dev/i2c-`number`. Rejects with `hal/disconnected` when it is not there, else with `hal/bus`, also for a bus
   * that cannot do what `I2cPort` needs.
   */
  static async open(number: number): Promise<I2cBus> {
    const { openPromisified } = await loadPackage();
    try {
      const bus = await openPromisified(number);
      // The package opens the device file with its first use only; this is one.
      const { smbusReadI2cBlock, smbusWriteByte } = await bus.i2cFuncs();
      if (smbusReadI2cBlock && smbusWriteByte) return new I2cBus(number, bus);
      await bus.close();
      throw new Error('it has no I2C block reads or no byte writes');
    } catch (error) {
      const isMissing = ['ENOENT', 'ENXIO', 'ENODEV'].includes(systemCode(error) ?? '');
      const code = isMissing ? 'hal/disconnected' : 'hal/bus';
      throw new CameraError(code, `I2C bus ${number}: ${messageOf(error)}`, { cause: error });
    }
  }

  readBlock(address: number, register: number, length: number): Promise<Buffer> {
    if (!(Number.isInteger(length) && length >= 1 && length <= I2C_BLOCK_BYTES_MAX)) {
      const text = `Expected a length of 1 to ${I2C_BLOCK_BYTES_MAX}, got ${length}`;
      return Promise.reject(new RangeError(text));
    }
    return this.#inTurn(address, async () => {
      const buffer = Buffer.alloc(length);
      const { bytesRead } = await this.#bus.readI2cBlock(address, register, length, buffer);
      if (bytesRead !== length) {
        throw new CameraError('hal/bus', `the chip gave ${bytesRead} of ${length} bytes`);
      }
      return buffer;
    });
  }

  writeByte(address: number, register: number, value: number): Promise<void> {
    return this.#inTurn(address, () => this.#bus.writeByte(address, register, value));
  }

  /** Resolves when the calls before it are done. */
  close(): Promise<void> {
    this.#closing ??= this.#work
      .catch(() => undefined)
      .then(() => this.#bus.close())
      .catch((error: unknown) => {
        throw this.#fault(error);
      });
    return this.#closing;
  }

  #inTurn<T>(address: number, operation: () => Promise<T>): Promise<T> {
    const where = `0x${address.toString(16)}`;
    if (this.#closing !== undefined) {
      return Promise.reject(this.#fault(new CameraError('hal/bus', 'it is closed')));
    }
    if (this.#waiting >= CALLS_WAITING_MAX) {
      const text = `${this.#waiting} calls wait already`;
      return Promise.reject(this.#fault(new CameraError('hal/bus', text)));
    }
    this.#waiting += 1;
    const result = this.#work
      .catch(() => undefined)
      .then(operation)
      .catch((error: unknown) => {
        throw this.#fault(error, where);
      })
      .finally(() => {
        this.#waiting -= 1;
      });
    this.#work = result;
    return result;
  }

  #fault(error: unknown, where?: string): CameraError {
    const isSilent = where !== undefined && NO_ACKNOWLEDGE.has(systemCode(error));
    const place = `I2C bus ${this.#number}${where === undefined ? '' : ` at ${where}`}`;
    const text = isSilent ? 'no answer' : messageOf(error);
    const code = isSilent ? 'hal/no-acknowledge' : 'hal/bus';
    return new CameraError(code, `${place}: ${text}`, { cause: error });
  }
}

async function loadPackage(): Promise<typeof I2cPackage> {
  try {
    return await import('i2c-bus');
  } catch (error) {
    throw new CameraError('hal/no-binding', 'i2c-bus cannot be loaded', { cause: error });
  }
}

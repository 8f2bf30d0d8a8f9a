import { CameraError } from '../../errors.js';
import { I2C_BLOCK_BYTES_MAX } from '../ports/i2c.js';
import type { I2cPort } from '../ports/i2c.js';

/** Registers of one chip: their numbers are one byte. */
const REGISTERS = 256;
/** Addresses that the I2C specification (UM10204, 3.1.12) leaves to chips. */
const ADDRESS_MIN = 0x08;
const ADDRESS_MAX = 0x77;

/**
 * An I2C bus in memory. A chip is 256 bytes that a block read walks through, from 0xff on to 0x00: no FIFO, no bits
 * that clear themselves. A driver that needs those puts them in with `onWrite`.
 */
export class SimI2c implements I2cPort {
  readonly #chips = new Map<number, Buffer>();
  readonly #writeHooks = new Map<number, (register: number, value: number) => void>();
  readonly #readHooks = new Map<number, (register: number, length: number) => void>();
  #isBroken = false;
  #isClosed = false;

  async readBlock(address: number, register: number, length: number): Promise<Buffer> {
    if (!(Number.isInteger(length) && length >= 1 && length <= I2C_BLOCK_BYTES_MAX)) {
      throw new RangeError(`Expected a length of 1 to ${I2C_BLOCK_BYTES_MAX}, got ${length}`);
    }
    const chip = await this.#select(address, register);
    this.#readHooks.get(address)?.(register, length);
    const end = register + length;
    const block = Buffer.from(chip.subarray(register, end));
    if (end <= REGISTERS) return block;
    return Buffer.concat([block, chip.subarray(0, end - REGISTERS)]);
  }

  async writeByte(address: number, register: number, value: number): Promise<void> {
    checkByte('value', value);
    const chip = await this.#select(address, register);
    chip[register] = value;
    this.#writeHooks.get(address)?.(register, value);
  }

  close(): Promise<void> {
    this.#isClosed = true;
    return Promise.resolve();
  }

  /** Puts a chip on the bus, all registers 0 but those given; one that is there already starts anew. */
  plug(address: number, registers: Readonly<Record<number, number>> = {}): void {
    if (!(Number.isInteger(address) && address >= ADDRESS_MIN && address <= ADDRESS_MAX)) {
      throw new RangeError(
        `Expected an address of ${ADDRESS_MIN} to ${ADDRESS_MAX}, got ${address}`,
      );
    }
    const chip = Buffer.alloc(REGISTERS);
    for (const [register, value] of Object.entries(registers)) chip[Number(register)] = value;
    this.#chips.set(address, chip);
  }

  /** Takes a chip off the bus: nothing answers at its address. */
  unplug(address: number): void {
    this.#chips.delete(address);
  }

  /** Sets registers from `register` on, as the chip itself does when it has measured. */
  poke(address: number, register: number, bytes: readonly number[]): void {
    const chip = this.#chip(address);
    for (const [index, value] of bytes.entries()) chip[(register + index) % REGISTERS] = value;
  }

  peek(address: number, register: number): number {
    return this.#chip(address)[register] ?? 0;
  }

  /** Lets a chip react to a write: clear a reset bit, fill a FIFO. One hook an address. */
  onWrite(address: number, hook: (register: number, value: number) => void): void {
    this.#writeHooks.set(address, hook);
  }

  /** Lets a chip measure when it is read, before its registers are taken. One hook an address. */
  onRead(address: number, hook: (register: number, length: number) => void): void {
    this.#readHooks.set(address, hook);
  }

  /** Shorts the bus, or mends it: no chip can be reached. */
  setBroken(isBroken: boolean): void {
    this.#isBroken = isBroken;
  }

  async #select(address: number, register: number): Promise<Buffer> {
    checkByte('register', register);
    await Promise.resolve();
    if (this.#isClosed) throw new CameraError('hal/bus', 'the I2C bus is closed');
    if (this.#isBroken) throw new CameraError('hal/bus', 'the I2C bus is stuck');
    return this.#chip(address);
  }

  #chip(address: number): Buffer {
    const chip = this.#chips.get(address);
    if (chip === undefined) {
      throw new CameraError('hal/no-acknowledge', `no answer at 0x${address.toString(16)}`);
    }
    return chip;
  }
}

function checkByte(what: string, value: number): void {
  if (!(Number.isInteger(value) && value >= 0 && value < 256)) {
    throw new RangeError(`Expected ${what} to be a byte, got ${value}`);
  }
}

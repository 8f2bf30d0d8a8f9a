/** Byte and I2C-block access, the subset of SMBus that every adapter of the field offers. */
export interface I2cPort {
  /**
   * Reads `length` (1 to 32) consecutive registers: START, address, register, repeated START, data.
   * Rejects with `hal/no-acknowledge` when nothing answers at the address (7-bit, right-aligned), else `hal/bus`.
   */
  readBlock(address: number, register: number, length: number): Promise<Buffer>;
  /** Writes one register. Rejects like `readBlock`. */
  writeByte(address: number, register: number, value: number): Promise<void>;
  /** Every call afterwards rejects with `hal/bus`. Idempotent. */
  close(): Promise<void>;
}

/** The longest block an SMBus transfer carries (SMBus 3.1, 6.5.7: 32 bytes of data). */
export const I2C_BLOCK_BYTES_MAX = 32;

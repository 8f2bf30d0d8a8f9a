import type { MonotonicMs } from '../../units.js';

export interface Vector3 {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

/** One measurement in the axes of the chip. At rest the acceleration points up, with 1 g. */
export interface ImuSample {
  /** When the chip was asked; it measured at most one sample period before. */
  readonly at: MonotonicMs;
  readonly accelG: Vector3;
  readonly gyroDps: Vector3;
  readonly temperatureC: number;
}

export interface RegisterWrite {
  readonly register: number;
  readonly value: number;
  /** How long the chip needs afterwards before it is spoken to again. */
  readonly settleMs?: number;
}

/** A motion sensor as data. Every figure is from the data sheet named where it is written. */
export interface ImuChip {
  readonly name: string;
  readonly whoAmI: { readonly register: number; readonly accepted: readonly number[] };
  /** Brings the chip from any state to ±16 g, ±2000 °/s, 100 Hz; in order. */
  readonly init: readonly RegisterWrite[];
  /** A register that `init` has set to what it is not after power-up: it tells of a chip that was reset meanwhile. */
  readonly proof: { readonly register: number; readonly value: number };
  /** One block with everything; `accel`, `gyro` and `temperature` are offsets in it. */
  readonly data: {
    readonly register: number;
    readonly length: number;
    readonly isBigEndian: boolean;
    readonly accel: number;
    readonly gyro: number;
    readonly temperature: number;
  };
  readonly scale: {
    readonly accelLsbPerG: number;
    readonly gyroLsbPerDps: number;
    readonly temperatureLsbPerC: number;
    /** Temperature at a reading of 0. */
    readonly temperatureZeroC: number;
  };
}

/** The measurement in a data block of the chip; the block has `chip.data.length` bytes. */
export function decodeSample(chip: ImuChip, block: Buffer, at: MonotonicMs): ImuSample {
  const { isBigEndian, accel, gyro, temperature } = chip.data;
  const { accelLsbPerG, gyroLsbPerDps, temperatureLsbPerC, temperatureZeroC } = chip.scale;
  const word = (offset: number): number =>
    isBigEndian ? block.readInt16BE(offset) : block.readInt16LE(offset);
  const vector = (offset: number, lsb: number): Vector3 => ({
    x: word(offset) / lsb,
    y: word(offset + 2) / lsb,
    z: word(offset + 4) / lsb,
  });
  return {
    at,
    accelG: vector(accel, accelLsbPerG),
    gyroDps: vector(gyro, gyroLsbPerDps),
    temperatureC: word(temperature) / temperatureLsbPerC + temperatureZeroC,
  };
}

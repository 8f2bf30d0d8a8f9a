import type { Cancel, Clock } from '../../clock.js';
import { CameraError } from '../../errors.js';
import type { MonotonicMs } from '../../units.js';
import type { I2cPort } from '../ports/i2c.js';
import { decodeSample } from './imu-chip.js';
import type { ImuChip, ImuSample, Vector3 } from './imu-chip.js';
import { lsm6Chips } from './imu-lsm6.js';
import { mpuChips } from './imu-mpu.js';
import { PartState, withDeadline } from './part-state.js';
import type { OnState } from './part-state.js';

/** The motion sensors that can be driven, by the word of the board file. */
export const imuChips = { ...mpuChips, ...lsm6Chips } as const;
export type ImuCompatible = keyof typeof imuChips;

export interface ImuSpec {
  readonly compatible: ImuCompatible;
  /** 7 bits, right-aligned. */
  readonly address: number;
}

/** 100 Hz: a free fall of 30 ms is three samples. */
const PERIOD_MS = 10;
/** A block takes 2 ms at 100 kHz; a bus that holds a transfer for a second is stuck. */
const TRANSFER_MS_MAX = 1_000;
/** A chip that was reset between two reads is found within a second, for one more byte a second. */
const PROOF_PERIOD_READS = 100;
/** 2 s. The noise of a live chip is above its resolution: over so many reads it cannot stand still. */
const FROZEN_READS = 200;
const SELF_TEST_SAMPLES = 100;
/** A second of samples, and as much again for a busy machine and a part that is just being set up. */
const SELF_TEST_MS_MAX = 3_000;

/** What a sensor says of itself when it lies still. */
export interface ImuSelfTest {
  readonly identity: number;
  /** Standard deviation of the noisiest axis. */
  readonly noiseG: number;
  /** Magnitude of the mean: 1 at rest, anywhere on earth within 0.3 %. */
  readonly gravityG: number;
  readonly meanG: Vector3;
}

export interface ImuCounts {
  readonly reads: number;
  /** Ticks at which the read before was still under way. */
  readonly skipped: number;
  /** How often the chip was set up, the first time included. */
  readonly starts: number;
}

/**
 * A motion sensor on an I2C bus, read 100 times a second.
 *
 * INVARIANTS
 * 1. Transfers of one sensor never overlap.
 * 2. Samples come only from a chip whose identity was checked and that was set up since the last failure: a chip that
 *    was replugged is asleep, or measures in another range.
 * 3. A sensor counts as working when its readings change, and not before.
 */
export class Imu {
  readonly #i2c: I2cPort;
  readonly #chip: ImuChip;
  readonly #address: number;
  readonly #clock: Clock;
  readonly #state: PartState;
  readonly #listeners = new Set<(sample: ImuSample) => void>();
  #cancelTimer: Cancel | undefined;
  #busySince: MonotonicMs | undefined;
  #last: Buffer | undefined;
  #sameReads = 0;
  #reads = 0;
  #skipped = 0;
  #starts = 0;
  #isClosed = false;

  private constructor(i2c: I2cPort, spec: ImuSpec, clock: Clock, onState: OnState) {
    this.#i2c = i2c;
    this.#chip = imuChips[spec.compatible];
    this.#address = spec.address;
    this.#clock = clock;
    this.#state = new PartState(onState);
  }

  /**
   * Starts reading at once and goes on until `close`, whether the sensor is there or not. `onState` hears
   * `hal/wrong-device` when another chip is at the address, `hal/no-data` when the readings stand still or the chip was
   * reset, else the fault of the bus; and undefined when the sensor works.
   */
  static start(i2c: I2cPort, spec: ImuSpec, clock: Clock, onState: OnState): Imu {
    const imu = new Imu(i2c, spec, clock, onState);
    void imu.#begin();
    return imu;
  }

  get counts(): ImuCounts {
    return { reads: this.#reads, skipped: this.#skipped, starts: this.#starts };
  }

  /** Calls back with every sample. A listener only validates and enqueues. */
  watch(listener: (sample: ImuSample) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** The WHO_AM_I register. Rejects with `hal/wrong-device` when it is not of the chip named, else as the bus does. */
  async identify(): Promise<number> {
    const { name, whoAmI } = this.#chip;
    const [identity = 0] = await this.#transfer(
      this.#i2c.readBlock(this.#address, whoAmI.register, 1),
    );
    if (whoAmI.accepted.includes(identity)) return identity;
    const expected = whoAmI.accepted.map(hex).join(' or ');
    throw new CameraError(
      'hal/wrong-device',
      `the chip at ${hex(this.#address)} says ${hex(identity)}, a ${name} says ${expected}`,
    );
  }

  /**
   * Collects a second of samples of a sensor that lies still. Rejects with the fault of the sensor, with `hal/no-data`
   * when samples do not come or are all the same.
   */
  async selfTest(): Promise<ImuSelfTest> {
    const identity = await this.identify();
    const samples = await this.#collect();
    if (this.#state.fault !== undefined) throw this.#state.fault;
    const [first] = samples;
    if (first === undefined || samples.every((sample) => isSameReading(sample, first))) {
      throw new CameraError('hal/no-data', 'the readings of the motion sensor stand still');
    }
    const axes = (['x', 'y', 'z'] as const).map((axis) => samples.map((s) => s.accelG[axis]));
    const [x = 0, y = 0, z = 0] = axes.map(mean);
    return {
      identity,
      noiseG: Math.max(...axes.map(standardDeviation)),
      gravityG: Math.hypot(x, y, z),
      meanG: { x, y, z },
    };
  }

  /** No sample comes afterwards. The bus stays open: other chips may be on it. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer?.();
    this.#listeners.clear();
  }

  async #begin(): Promise<void> {
    try {
      await this.identify();
      for (const { register, value, settleMs } of this.#chip.init) {
        if (this.#isClosed) return;
        await this.#transfer(this.#i2c.writeByte(this.#address, register, value));
        if (settleMs !== undefined) await this.#clock.sleep(settleMs);
      }
    } catch (error) {
      this.#lose(error);
      return;
    }
    if (this.#isClosed) return;
    this.#starts += 1;
    this.#last = undefined;
    this.#sameReads = 0;
    this.#cancelTimer = this.#clock.every(PERIOD_MS, () => {
      this.#tick();
    });
  }

  /** Stops reading and sets the chip up again later. */
  #lose(error: unknown): void {
    if (this.#isClosed) return;
    this.#cancelTimer?.();
    this.#cancelTimer = this.#clock.after(this.#state.fails(error), () => void this.#begin());
  }

  #tick(): void {
    const now = this.#clock.monotonicMs();
    if (this.#busySince === undefined) {
      this.#busySince = now;
      void this.#poll(now);
      return;
    }
    this.#skipped += 1;
    // Told, but not acted upon: nothing can be started on a bus that holds a transfer.
    if (now - this.#busySince > TRANSFER_MS_MAX) this.#state.fails(this.#stuck());
  }

  async #poll(at: MonotonicMs): Promise<void> {
    const block = await this.#read();
    this.#busySince = undefined;
    if (block === undefined || this.#isClosed) return;
    const sample = decodeSample(this.#chip, block, at);
    for (const listener of this.#listeners) listener(sample);
  }

  /** The data block; undefined when the sensor was found lost, which is told. */
  async #read(): Promise<Buffer | undefined> {
    const { data, proof } = this.#chip;
    try {
      const block = await this.#i2c.readBlock(this.#address, data.register, data.length);
      if (block.length !== data.length) {
        throw new CameraError('hal/bus', `${block.length} bytes instead of ${data.length}`);
      }
      this.#reads += 1;
      if (this.#reads % PROOF_PERIOD_READS === 0) {
        const [value] = await this.#i2c.readBlock(this.#address, proof.register, 1);
        if (value !== proof.value) throw new CameraError('hal/no-data', 'the chip was reset');
      }
      this.#judgeChange(block);
      return block;
    } catch (error) {
      this.#lose(error);
      return undefined;
    }
  }

  #judgeChange(block: Buffer): void {
    const isSame = this.#last?.equals(block) ?? true;
    this.#last = block;
    if (isSame) {
      this.#sameReads += 1;
      if (this.#sameReads < FROZEN_READS) return;
      throw new CameraError('hal/no-data', 'the readings of the motion sensor stand still');
    }
    this.#sameReads = 0;
    this.#state.works();
  }

  #collect(): Promise<readonly ImuSample[]> {
    const samples: ImuSample[] = [];
    let cancel: Cancel | undefined;
    const collecting = new Promise<readonly ImuSample[]>((resolve) => {
      cancel = this.watch((sample) => {
        samples.push(sample);
        if (samples.length === SELF_TEST_SAMPLES) resolve(samples);
      });
    });
    const collected = withDeadline(this.#clock, collecting, SELF_TEST_MS_MAX, () => {
      const detail = `${samples.length} samples in ${SELF_TEST_MS_MAX / 1000} s`;
      return this.#state.fault ?? new CameraError('hal/no-data', detail);
    });
    return collected.finally(() => cancel?.());
  }

  #transfer<T>(transfer: Promise<T>): Promise<T> {
    return withDeadline(this.#clock, transfer, TRANSFER_MS_MAX, () => this.#stuck());
  }

  #stuck(): CameraError {
    return new CameraError('hal/bus', `a transfer to ${hex(this.#address)} does not end`);
  }
}

const hex = (value: number): string => `0x${value.toString(16).padStart(2, '0')}`;

function isSameReading(a: ImuSample, b: ImuSample): boolean {
  return (
    a.temperatureC === b.temperatureC &&
    (['x', 'y', 'z'] as const).every(
      (axis) => a.accelG[axis] === b.accelG[axis] && a.gyroDps[axis] === b.gyroDps[axis],
    )
  );
}

const mean = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

function standardDeviation(values: readonly number[]): number {
  const centre = mean(values);
  return Math.sqrt(mean(values.map((value) => (value - centre) ** 2)));
}

import type { Clock } from '../../clock.js';
import type { SimI2c } from './sim-i2c.js';

/** Which of the two register layouts, and what WHO_AM_I says. */
interface SimChip {
  readonly family: 'mpu' | 'lsm6';
  readonly identity: number;
  /** Registers that are not 0 after power-up. */
  readonly reset: Readonly<Record<number, number>>;
}

const simChips = {
  'invensense,mpu6050': { family: 'mpu', identity: 0x68, reset: { 0x6b: 0x40 } },
  'invensense,mpu6500': { family: 'mpu', identity: 0x70, reset: { 0x6b: 0x01 } },
  'invensense,mpu9250': { family: 'mpu', identity: 0x71, reset: { 0x6b: 0x01 } },
  'st,lsm6ds3': { family: 'lsm6', identity: 0x69, reset: { 0x12: 0x04 } },
  'st,lsm6ds3tr-c': { family: 'lsm6', identity: 0x6a, reset: { 0x12: 0x04 } },
  'st,lsm6dso': { family: 'lsm6', identity: 0x6c, reset: { 0x12: 0x04 } },
  'st,lsm6dsox': { family: 'lsm6', identity: 0x6c, reset: { 0x12: 0x04 } },
} as const satisfies Record<string, SimChip>;

export interface SimImuSpec {
  readonly compatible: keyof typeof simChips;
  readonly address: number;
}

type Axes = readonly [x: number, y: number, z: number];

/** What happens to the sensor at a moment. */
interface Motion {
  readonly accelG: Axes;
  readonly gyroDps: Axes;
}

/** A wearer who stands: gravity along y. One who lies: along z. */
const STANDING: Axes = [0, 1, 0];
const LYING: Axes = [0, 0, 1];
const NO_TURN: Axes = [0, 0, 0];

/** A fall from standing: 400 ms through the air, a strike of 5 g, then the floor. */
const FREE_FALL_MS = 400;
const FREE_FALL_G = 0.2;
const FALL_TURN_DPS = 180;
const STRIKE_MS = 60;
const STRIKE_G = 5;
/** Then the wearer lies for 10 s and gets up within 2 s. */
const LYING_MS = 10_000;
const GET_UP_MS = 2_000;

/** About what the chips have at 44 Hz of bandwidth. */
const NOISE_G = 0.004;
const NOISE_DPS = 0.1;
/** Somewhat below 25 °C in most of the chips; nothing depends on it. */
const TEMPERATURE_WORDS = { mpu: -4_260, lsm6: -16 } as const;

/**
 * A motion sensor on a simulated bus, of either family. It measures when it is read: gravity, noise, and a fall when
 * asked. Like the real one it is asleep, or in another range, after power-up, until it is set up.
 */
export class SimImu {
  readonly #i2c: SimI2c;
  readonly #chip: SimChip;
  readonly #address: number;
  readonly #clock: Clock;
  #seed = 1;
  #fallAt: number | undefined;
  #isFrozen = false;
  #isInverted = false;
  #isPlugged = false;

  /** Plugged in from the start. */
  constructor(i2c: SimI2c, spec: SimImuSpec, clock: Clock) {
    this.#i2c = i2c;
    this.#chip = simChips[spec.compatible];
    this.#address = spec.address;
    this.#clock = clock;
    i2c.onRead(this.#address, () => {
      if (!this.#isFrozen) this.#measure();
    });
    i2c.onWrite(this.#address, (register, value) => {
      this.#react(register, value);
    });
    this.plug();
  }

  /** Puts the chip on the bus, as after power-up; nothing changes while it is there. */
  plug(): void {
    if (!this.#isPlugged) this.#powerUp();
    this.#isPlugged = true;
  }

  unplug(): void {
    this.#i2c.unplug(this.#address);
    this.#isPlugged = false;
  }

  get isPlugged(): boolean {
    return this.#isPlugged;
  }

  /** Lets the wearer fall now: free fall, strike, 10 s on the ground, up again. A fall under way starts anew. */
  fall(): void {
    this.#fallAt = this.#clock.monotonicMs();
  }

  /** Whether the camera is worn upside down: turned by half a turn about its optical axis. */
  setInverted(isInverted: boolean): void {
    this.#isInverted = isInverted;
  }

  /** Holds the readings as they are, as a broken sensor does. */
  setFrozen(isFrozen: boolean): void {
    this.#isFrozen = isFrozen;
  }

  #powerUp(): void {
    const { family, identity, reset } = this.#chip;
    const whoAmI = family === 'mpu' ? 0x75 : 0x0f;
    this.#i2c.plug(this.#address, { ...reset, [whoAmI]: identity });
  }

  #react(register: number, value: number): void {
    const isReset =
      this.#chip.family === 'mpu'
        ? register === 0x6b && (value & 0x80) !== 0
        : register === 0x12 && (value & 0x01) !== 0;
    if (isReset) this.#powerUp();
  }

  #measure(): void {
    const { accelG, gyroDps } = this.#motion();
    const accel = this.#worn(accelG).map((g) => g + this.#noise(NOISE_G));
    const gyro = this.#worn(gyroDps).map((dps) => dps + this.#noise(NOISE_DPS));
    if (this.#chip.family === 'mpu') this.#measureMpu(accel, gyro);
    else this.#measureLsm6(accel, gyro);
  }

  /** RM-MPU-6000A-00, 4.4, 4.5, 4.17 to 4.19 and 4.28. */
  #measureMpu(accelG: readonly number[], gyroDps: readonly number[]): void {
    const isAsleep = (this.#peek(0x6b) & 0x40) !== 0;
    const accelLsb = 16_384 >> ((this.#peek(0x1c) >> 3) & 3);
    const gyroLsb = 131 / (1 << ((this.#peek(0x1b) >> 3) & 3));
    const words = [
      ...accelG.map((g) => g * accelLsb),
      TEMPERATURE_WORDS.mpu,
      ...gyroDps.map((dps) => dps * gyroLsb),
    ];
    const block = Buffer.alloc(14);
    if (!isAsleep) words.forEach((word, index) => block.writeInt16BE(clamp(word), index * 2));
    this.#i2c.poke(this.#address, 0x3b, [...block]);
  }

  /** DS12140, chapter 9: CTRL1_XL, CTRL2_G and the output registers from OUT_TEMP_L on. */
  #measureLsm6(accelG: readonly number[], gyroDps: readonly number[]): void {
    const accelControl = this.#peek(0x10);
    const gyroControl = this.#peek(0x11);
    const gLsb = [0.061, 0.488, 0.122, 0.244][(accelControl >> 2) & 3] ?? 0.061;
    const dpsLsb = [8.75, 17.5, 35, 70][(gyroControl >> 2) & 3] ?? 8.75;
    const isAccelOn = accelControl >> 4 !== 0;
    const isGyroOn = gyroControl >> 4 !== 0;
    const words = [
      isAccelOn ? TEMPERATURE_WORDS.lsm6 : 0,
      ...gyroDps.map((dps) => (isGyroOn ? (dps * 1000) / dpsLsb : 0)),
      ...accelG.map((g) => (isAccelOn ? (g * 1000) / gLsb : 0)),
    ];
    const block = Buffer.alloc(14);
    words.forEach((word, index) => block.writeInt16LE(clamp(word), index * 2));
    this.#i2c.poke(this.#address, 0x20, [...block]);
  }

  #motion(): Motion {
    if (this.#fallAt === undefined) return { accelG: STANDING, gyroDps: NO_TURN };
    const sinceMs = this.#clock.monotonicMs() - this.#fallAt;
    const lyingFromMs = FREE_FALL_MS + STRIKE_MS;
    const upFromMs = lyingFromMs + LYING_MS;
    if (sinceMs < FREE_FALL_MS) {
      const accelG = between(STANDING, LYING, sinceMs / FREE_FALL_MS, FREE_FALL_G);
      return { accelG, gyroDps: [FALL_TURN_DPS, 0, 0] };
    }
    if (sinceMs < lyingFromMs) return { accelG: [0, 0, STRIKE_G], gyroDps: NO_TURN };
    if (sinceMs < upFromMs) return { accelG: LYING, gyroDps: NO_TURN };
    const risen = (sinceMs - upFromMs) / GET_UP_MS;
    if (risen < 1) {
      return {
        accelG: between(LYING, STANDING, risen, 1),
        gyroDps: [-90 / (GET_UP_MS / 1000), 0, 0],
      };
    }
    this.#fallAt = undefined;
    return { accelG: STANDING, gyroDps: NO_TURN };
  }

  /** The optical axis is z. */
  #worn([x, y, z]: Axes): Axes {
    return this.#isInverted ? [-x, -y, z] : [x, y, z];
  }

  #peek(register: number): number {
    return this.#i2c.peek(this.#address, register);
  }

  /** Triangular, of the standard deviation given, and the same in every run. */
  #noise(deviation: number): number {
    return deviation * Math.sqrt(6) * (this.#random() + this.#random() - 1);
  }

  #random(): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2_147_483_648;
    return this.#seed / 2_147_483_648;
  }
}

/** On the way from one posture to another, of the length given. */
function between(from: Axes, to: Axes, fraction: number, lengthG: number): Axes {
  const angle = (fraction * Math.PI) / 2;
  const [a, b] = [lengthG * Math.cos(angle), lengthG * Math.sin(angle)];
  return [from[0] * a + to[0] * b, from[1] * a + to[1] * b, from[2] * a + to[2] * b];
}

const clamp = (word: number): number => Math.max(-32_768, Math.min(32_767, Math.round(word)));

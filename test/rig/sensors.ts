import type { Rig } from './rig.js';

/** MPU-6050 at ±16 g: 2048 counts a g (PS-MPU-6000A, 6.2). */
const COUNTS_PER_G = 2048;
const WHO_AM_I = 0x75;
const MPU6050 = 0x68;
const ACCEL_XOUT_H = 0x3b;

type Vector = readonly [x: number, y: number, z: number];

/**
 * Lets the motion sensor and the satellite receiver of the rig live: i2c-stub and the shim are plain memory and say
 * nothing by themselves. Gravity with a little noise ten times a second, RMC and GGA once a second.
 */
export class Sensors {
  readonly #rig: Rig;
  #gravity: Vector = [0, 0, 1];
  #seed = 1;
  #work: Promise<void> = Promise.resolve();
  #isRunning = true;
  isMoving = true;
  isSpeaking = true;

  constructor(rig: Rig) {
    this.#rig = rig;
  }

  async start(): Promise<void> {
    await this.#rig.imu.poke(WHO_AM_I, [MPU6050]);
    await this.#rig.gnss.plug();
    this.#work = this.#live();
  }

  /** Free fall, strike, lying still on the side. Resolves when the wearer lies; he stays there. */
  async fall(): Promise<void> {
    this.isMoving = false;
    await this.#hold([0, 0, 0.1], 400);
    await this.#hold([3, 1, 3], 80);
    this.#gravity = [1, 0, 0];
    this.isMoving = true;
  }

  /** Upright again. */
  standUp(): void {
    this.#gravity = [0, 0, 1];
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    await this.#work;
  }

  async #live(): Promise<void> {
    for (let tick = 0; this.#isRunning; tick += 1) {
      // A part that a test has unplugged takes nothing.
      if (this.isMoving) await this.#measure(this.#gravity).catch(() => undefined);
      if (this.isSpeaking && tick % 10 === 0) {
        await this.#rig.gnss.write(sentences(new Date())).catch(() => undefined);
      }
      await wait(100);
    }
  }

  async #hold(gravity: Vector, ms: number): Promise<void> {
    const end = performance.now() + ms;
    while (performance.now() < end) {
      await this.#measure(gravity);
      await wait(10);
    }
  }

  #measure(gravity: Vector): Promise<void> {
    const bytes = gravity.flatMap((g) => {
      const word = Math.round(g * COUNTS_PER_G) + this.#noise();
      return [(word >> 8) & 0xff, word & 0xff];
    });
    return this.#rig.imu.poke(ACCEL_XOUT_H, bytes);
  }

  /** -8 to 7 counts, 4 mg. */
  #noise(): number {
    this.#seed = (this.#seed * 1_103_515_245 + 12_345) % 2 ** 31;
    return ((this.#seed >> 16) % 16) - 8;
  }
}

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** RMC and GGA of a place in Dublin, at the time given. */
export function sentences(now: Date): string {
  const two = (value: number): string => String(value).padStart(2, '0');
  const hundredths = Math.floor(now.getUTCMilliseconds() / 10);
  const time = `${two(now.getUTCHours())}${two(now.getUTCMinutes())}${two(now.getUTCSeconds())}.${two(hundredths)}`;
  const date = `${two(now.getUTCDate())}${two(now.getUTCMonth() + 1)}${two(now.getUTCFullYear() % 100)}`;
  const place = '5321.6802,N,00630.3371,W';
  const bodies = [
    `GPRMC,${time},A,${place},0.06,31.66,${date},,,A`,
    `GPGGA,${time},${place},1,08,1.0,61.7,M,55.2,M,,`,
  ];
  return bodies.map((body) => `$${body}*${checksum(body)}\r\n`).join('');
}

const checksum = (body: string): string =>
  Buffer.from(body, 'ascii')
    .reduce((sum, byte) => sum ^ byte, 0)
    .toString(16)
    .toUpperCase()
    .padStart(2, '0');

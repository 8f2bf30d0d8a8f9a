import type { ImuSample, Vector3 } from '../../src/hal/drivers/imu-chip.js';
import { monotonicMs } from '../../src/units.js';

/*
 * Motion of a wearer's chest, made up from parts: rest, gait, flight, strike, turn. Shapes and ranges follow what the
 * literature on falls and gait reports for sensors on the trunk; they are not recordings.
 */

const PERIOD_MS = 10;
const DEGREE = Math.PI / 180;

/** Uniform numbers of a seed: mulberry32 reduced to what is needed. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed >>> 0;
  }

  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0;
    let word = this.#state;
    word = Math.imul(word ^ (word >>> 15), word | 1);
    word ^= word + Math.imul(word ^ (word >>> 7), word | 61);
    return ((word ^ (word >>> 14)) >>> 0) / 4_294_967_296;
  }

  between(min: number, max: number): number {
    return min + (max - min) * this.next();
  }

  /** Normal, of standard deviation 1, near enough. */
  normal(): number {
    let sum = -3;
    for (let count = 0; count < 6; count += 1) sum += this.next();
    return sum * Math.SQRT2;
  }
}

const scaled = ({ x, y, z }: Vector3, by: number): Vector3 => ({ x: x * by, y: y * by, z: z * by });
const sum = (a: Vector3, b: Vector3): Vector3 => ({ x: a.x + b.x, y: a.y + b.y, z: a.z + b.z });
const dot = (a: Vector3, b: Vector3): number => a.x * b.x + a.y * b.y + a.z * b.z;
const unit = (v: Vector3): Vector3 => scaled(v, 1 / Math.hypot(v.x, v.y, v.z));

/** Rodrigues: `v` turned about the unit vector `axis`. */
function turned(v: Vector3, axis: Vector3, degrees: number): Vector3 {
  const [cos, sin] = [Math.cos(degrees * DEGREE), Math.sin(degrees * DEGREE)];
  const cross = {
    x: axis.y * v.z - axis.z * v.y,
    y: axis.z * v.x - axis.x * v.z,
    z: axis.x * v.y - axis.y * v.x,
  };
  return sum(sum(scaled(v, cos), scaled(cross, sin)), scaled(axis, dot(axis, v) * (1 - cos)));
}

/** Axes of the trunk in a camera worn upright, which sits up to 15° askew. */
const PITCH: Vector3 = { x: 1, y: 0, z: 0 };
const ROLL: Vector3 = { x: 0, y: 0, z: 1 };

export class Trace {
  readonly samples: ImuSample[] = [];
  readonly random: Random;
  /** Where up is, in the axes of the camera. */
  #up: Vector3;
  #atMs = 0;

  constructor(seed: number) {
    this.random = new Random(seed);
    const askew = turned({ x: 0, y: 1, z: 0 }, PITCH, this.random.between(-15, 15));
    this.#up = unit(turned(askew, ROLL, this.random.between(-15, 15)));
  }

  /**
   * `ms` long; `lift` is the force along up, in g, and `shake` the deviation of what comes from the sides; both take the
   * part of the time that has passed, 0 to 1. `turn` is how far the trunk turns meanwhile, about `axis`.
   */
  move(
    ms: number,
    lift: (part: number, ms: number) => number,
    { shakeG = 0.01, turnDeg = 0, axis = PITCH }: MoveOptions = {},
  ): this {
    const steps = Math.max(1, Math.round(ms / PERIOD_MS));
    const from = this.#up;
    for (let step = 1; step <= steps; step += 1) {
      const part = step / steps;
      this.#up = turned(from, axis, -turnDeg * part);
      const rate = turnDeg / (steps * (PERIOD_MS / 1000));
      this.#push(scaled(this.#up, lift(part, step * PERIOD_MS)), shakeG, scaled(axis, rate));
    }
    return this;
  }

  rest(ms: number, shakeG = 0.015): this {
    return this.move(ms, () => 1, { shakeG });
  }

  /** Steps: a fundamental and its double, as the chest feels them. */
  gait(ms: number, stepsPerSecond: number, amplitudeG: number, shakeG: number): this {
    const phase = this.random.between(0, 1);
    return this.move(
      ms,
      (_part, at) => {
        const angle = 2 * Math.PI * (phase + (at / 1000) * stepsPerSecond);
        return 1 + amplitudeG * (0.75 * Math.sin(angle) + 0.25 * Math.sin(2 * angle));
      },
      { shakeG },
    );
  }

  /** A fall of the force to `floorG`, at its lowest two thirds of the way. */
  drop(ms: number, floorG: number, options?: MoveOptions): this {
    return this.move(ms, (part) => 1 + (floorG - 1) * Math.min(1, part * 1.5) ** 0.7, {
      shakeG: 0.05,
      ...options,
    });
  }

  /** A strike: half a sine of `peakG`, then ringing that dies away. */
  strike(ms: number, peakG: number, options?: MoveOptions): this {
    this.move(ms, (part) => 1 + (peakG - 1) * Math.sin(Math.PI * part), {
      shakeG: 0.15,
      ...options,
    });
    return this.move(150, (part) => 1 + 0.15 * peakG * Math.sin(14 * part) * Math.exp(-4 * part), {
      shakeG: 0.1,
    });
  }

  #push(accel: Vector3, shakeG: number, gyroDps: Vector3): void {
    const { random } = this;
    const noisy = (v: Vector3, deviation: number): Vector3 => ({
      x: v.x + deviation * random.normal(),
      y: v.y + deviation * random.normal(),
      z: v.z + deviation * random.normal(),
    });
    const clipped = (value: number): number => Math.max(-16, Math.min(16, value));
    const { x, y, z } = noisy(accel, Math.hypot(shakeG, 0.004));
    this.#atMs += PERIOD_MS;
    this.samples.push({
      at: monotonicMs(this.#atMs),
      accelG: { x: clipped(x), y: clipped(y), z: clipped(z) },
      gyroDps: noisy(gyroDps, 3),
      temperatureC: 25,
    });
  }
}

interface MoveOptions {
  readonly shakeG?: number;
  readonly turnDeg?: number;
  readonly axis?: Vector3;
}

/** Before anything happens the wearer stands or walks. */
function before(trace: Trace): Trace {
  const { random } = trace;
  return random.next() < 0.5
    ? trace.rest(random.between(2_000, 4_000))
    : trace
        .gait(
          random.between(2_000, 4_000),
          random.between(1.6, 2.1),
          random.between(0.15, 0.35),
          0.05,
        )
        .rest(random.between(0, 300), 0.05);
}

/** A body that goes down: knees or hip first in some, then the trunk; it stirs a while and then lies. */
function fall(trace: Trace, axis: Vector3, sign: number): Trace {
  const { random } = trace;
  const totalDeg = sign * random.between(60, 100);
  const airDeg = totalDeg * random.between(0.5, 0.9);
  before(trace).drop(random.between(180, 450), random.between(0.2, 0.65), {
    turnDeg: airDeg,
    axis,
  });
  if (random.next() < 0.4) trace.strike(random.between(40, 80), random.between(1.4, 2.6), { axis });
  return trace
    .strike(random.between(40, 90), random.between(2.3, 8), { turnDeg: totalDeg - airDeg, axis })
    .rest(random.between(100, 1_000), random.between(0.03, 0.2))
    .rest(5_000, 0.02);
}

export interface MotionClass {
  readonly name: string;
  readonly isFall: boolean;
  readonly make: (trace: Trace) => Trace;
}

export const motionClasses: readonly MotionClass[] = [
  { name: 'fall forward', isFall: true, make: (trace: Trace): Trace => fall(trace, PITCH, 1) },
  { name: 'fall backward', isFall: true, make: (trace: Trace): Trace => fall(trace, PITCH, -1) },
  {
    name: 'fall sideways',
    isFall: true,
    make: (trace: Trace): Trace => fall(trace, ROLL, trace.random.next() < 0.5 ? 1 : -1),
  },
  {
    name: 'drop and lie still',
    isFall: true,
    make: (trace: Trace): Trace => {
      const { random } = trace;
      const axis = random.next() < 0.5 ? PITCH : ROLL;
      return before(trace)
        .drop(random.between(300, 700), random.between(0.3, 0.6), {
          turnDeg: random.between(45, 80),
          axis,
        })
        .strike(random.between(60, 120), random.between(2.2, 5), {
          turnDeg: random.between(10, 25),
          axis,
        })
        .rest(6_000, 0.015);
    },
  },
  {
    name: 'jump',
    isFall: false,
    make: (trace: Trace): Trace => {
      const { random } = trace;
      for (let jumps = random.between(1, 4); jumps > 0; jumps -= 1) {
        trace
          .rest(random.between(400, 1_500))
          .move(random.between(150, 250), (part) => 1 - 0.5 * Math.sin(Math.PI * part))
          .strike(random.between(150, 250), random.between(1.8, 2.8))
          .move(random.between(250, 500), () => random.between(0, 0.12), { shakeG: 0.05 })
          .strike(random.between(60, 120), random.between(3, 8), {
            turnDeg: random.between(-15, 15),
          });
      }
      return trace.rest(5_000);
    },
  },
  {
    name: 'run',
    isFall: false,
    make: (trace: Trace): Trace => {
      const { random } = trace;
      return trace
        .rest(1_500)
        .gait(
          random.between(6_000, 12_000),
          random.between(2.4, 3.2),
          random.between(0.9, 2.2),
          random.between(0.1, 0.3),
        )
        .move(800, () => 1, { shakeG: 0.15, turnDeg: random.between(-25, 25) })
        .rest(5_000, 0.04);
    },
  },
  {
    name: 'sit down hard',
    isFall: false,
    make: (trace: Trace): Trace => {
      const { random } = trace;
      const leanDeg = random.between(10, 35);
      return before(trace)
        .drop(random.between(150, 350), random.between(0.35, 0.75), { turnDeg: leanDeg })
        .strike(random.between(50, 100), random.between(2, 4.5), { turnDeg: -leanDeg })
        .move(random.between(300, 800), () => 1, { turnDeg: -random.between(0, 35) })
        .rest(5_000);
    },
  },
  {
    name: 'car over a kerb',
    isFall: false,
    make: (trace: Trace): Trace => {
      const { random } = trace;
      trace.move(500, () => 1, { turnDeg: -random.between(5, 25) }).rest(2_500, 0.05);
      for (let axle = 0; axle < 2; axle += 1) {
        trace
          .drop(random.between(40, 120), random.between(0.2, 0.7), { shakeG: 0.1 })
          .strike(random.between(40, 100), random.between(1.8, 4), { shakeG: 0.3 })
          .rest(random.between(100, 400), 0.1);
      }
      // Then it stands: an engine that idles and a wearer who sits still.
      return trace.rest(5_000, random.between(0.01, 0.05));
    },
  },
  {
    name: 'stumble, no fall',
    isFall: false,
    make: (trace: Trace): Trace => {
      const { random } = trace;
      const pitchDeg = random.between(15, 50);
      return before(trace)
        .drop(random.between(80, 250), random.between(0.3, 0.7), { turnDeg: pitchDeg })
        .strike(random.between(50, 100), random.between(1.8, 4))
        .move(random.between(300, 800), () => 1, { shakeG: 0.15, turnDeg: -pitchDeg })
        .gait(random.between(0, 3_000), 1.8, 0.3, 0.05)
        .rest(5_000);
    },
  },
  {
    name: 'stairs down',
    isFall: false,
    make: (trace: Trace): Trace => {
      const { random } = trace;
      return before(trace)
        .gait(
          random.between(6_000, 12_000),
          random.between(1.5, 2.3),
          random.between(0.4, 1.1),
          random.between(0.08, 0.2),
        )
        .rest(5_000, 0.03);
    },
  },
  {
    name: 'camera thrown on a seat',
    isFall: false,
    make: (trace: Trace): Trace => {
      const { random } = trace;
      const axis = unit({ x: random.normal(), y: random.normal(), z: random.normal() });
      const flightMs = random.between(250, 600);
      return trace
        .rest(1_500, 0.05)
        .move(200, (part) => 1 + random.between(0.5, 1.5) * Math.sin(Math.PI * part), {
          shakeG: 0.2,
        })
        .move(flightMs, () => 0.05, {
          shakeG: 0.03,
          turnDeg: (flightMs / 1000) * random.between(200, 1_200),
          axis,
        })
        .strike(random.between(30, 60), random.between(2.5, 6))
        .move(random.between(80, 200), () => 0.3, { turnDeg: random.between(-60, 60), axis })
        .strike(40, random.between(1.5, 3))
        .rest(5_000, 0.002);
    },
  },
];

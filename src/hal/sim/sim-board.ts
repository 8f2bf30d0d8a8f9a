import type { Cancel, Clock } from '../../clock.js';
import { CameraError } from '../../errors.js';
import type { TimeAnchor } from '../../timekeeping.js';
import type { LineSpec } from '../ports/gpio.js';
import type { PowerReading } from '../ports/power.js';
import type { FaultyVideo } from './faulty-video.js';
import type { SimDock } from './sim-dock.js';
import type { SimGnss } from './sim-gnss.js';
import type { SimGpio } from './sim-gpio.js';
import type { SimImu } from './sim-imu.js';
import type { SimPower } from './sim-power.js';
import type { SimThermal } from './sim-thermal.js';
import type { ClockSetter, SimWallClock } from './sim-wall-clock.js';

export type ButtonRole = 'record' | 'function';
/** What can happen to the motion sensor. */
export type ImuAct = 'fall' | 'upright' | 'invert' | 'unplug' | 'plug';
/** What can happen to the satellite receiver. */
export type GnssAct = 'fix' | 'nofix' | 'invalid' | 'unplug' | 'plug';
/**
 * What can happen to the wall clock: a jump that nobody vouches for, at once or little by little, a machine never set,
 * satellites or network time that set it right. `follow`: from now on it takes the time of the satellite receiver.
 */
export type ClockAct =
  | { readonly shiftMs: number }
  | { readonly slewMs: number; readonly overMs: number }
  | '1970'
  | ClockSetter
  | 'follow';

/** The simulated parts of a board and what its lines are for. A part that is real is left out. */
export interface SimParts {
  readonly clock: SimWallClock;
  readonly gpio?: SimGpio | undefined;
  readonly dock?: SimDock | undefined;
  readonly power?: SimPower | undefined;
  readonly thermal?: SimThermal | undefined;
  readonly camera?: FaultyVideo | undefined;
  readonly imu?: SimImu | undefined;
  readonly gnss?: SimGnss | undefined;
  readonly buttons: Readonly<Partial<Record<ButtonRole, LineSpec | undefined>>>;
  /** Lights, the vibration motor and the buzzer, by role. */
  readonly outputs: Readonly<Record<string, LineSpec | undefined>>;
}

/** What an eye sees: an output that changed twice within the last seconds blinks. */
export type Appearance = 'on' | 'off' | 'blinking';

export interface SimBoardState {
  readonly lights: Readonly<Record<string, Appearance>>;
  readonly pressed: readonly ButtonRole[];
  /** Electrical levels, by `chip/line`. */
  readonly lines: Readonly<Record<string, 'high' | 'low'>>;
  readonly isDocked: boolean | undefined;
  readonly battery: PowerReading | undefined;
  /** Degrees Celsius; left out on a board whose temperature is real or unknown. */
  readonly celsius?: number;
}

/** Longer than the slowest blink, so that one of its periods always fits. */
const EYE_MEMORY_MS = 2_500;

/** The hands and eyes of a simulated board. Using a part that is real throws `hal/not-simulated`. */
export class SimBoard {
  readonly #parts: SimParts;
  readonly #outputs = new Map<string, SimOutput>();
  readonly #pressed = new Set<ButtonRole>();

  /** Observes the outputs from now on; buttons are at rest. */
  constructor(parts: SimParts) {
    this.#parts = parts;
    const { gpio, buttons, outputs } = parts;
    if (gpio === undefined) return;
    for (const spec of Object.values(buttons)) {
      if (spec !== undefined) gpio.drive(spec, spec.activeLow);
    }
    for (const [role, spec] of Object.entries(outputs)) {
      if (spec !== undefined) this.#outputs.set(role, new SimOutput(gpio, spec, parts.clock));
    }
  }

  /** Pushes a button down. Throws `hal/busy` when it is down already, `hal/disconnected` when the board has none. */
  press(role: ButtonRole): void {
    const { gpio, spec } = this.#button(role);
    if (this.#pressed.has(role)) throw new CameraError('hal/busy', `${role} is pressed already`);
    this.#pressed.add(role);
    gpio.drive(spec, !spec.activeLow);
  }

  /** Lets go of a button; no error when nobody holds it. */
  release(role: ButtonRole): void {
    const { gpio, spec } = this.#button(role);
    this.#pressed.delete(role);
    gpio.drive(spec, spec.activeLow);
  }

  /** Puts the camera into its dock, which charges it, or takes it out. */
  setDocked(isDocked: boolean): void {
    simulated('the dock', this.#parts.dock).setDocked(isDocked);
    this.#parts.power?.setCharging(isDocked);
  }

  setCharge(percent: number): void {
    simulated('the battery', this.#parts.power).setCharge(percent);
  }

  setTemperature(celsius: number): void {
    simulated('the temperature', this.#parts.thermal).setCelsius(celsius);
  }

  /** Throws `capture/no-video` when no run is under way. */
  breakCamera(how: 'kill' | 'stall'): void {
    const camera = simulated('the camera', this.#parts.camera);
    const isDone = how === 'kill' ? camera.kill() : camera.stall();
    if (!isDone) throw new CameraError('capture/no-video', 'the camera is not running');
  }

  moveImu(act: ImuAct): void {
    const imu = simulated('the motion sensor', this.#parts.imu);
    if (act === 'fall') imu.fall();
    else if (act === 'upright' || act === 'invert') imu.setInverted(act === 'invert');
    else if (act === 'plug') imu.plug();
    else imu.unplug();
  }

  setGnss(act: GnssAct): void {
    const gnss = simulated('the satellite receiver', this.#parts.gnss);
    if (act === 'plug') gnss.plug();
    else if (act === 'unplug') gnss.unplug();
    else if (act === 'invalid') gnss.setInvalid();
    else gnss.setFix(act === 'fix');
  }

  setClock(act: ClockAct): void {
    const { clock } = this.#parts;
    if (act === '1970') clock.unset();
    else if (act === 'follow') clock.follow();
    else if (typeof act === 'string') clock.setBy(act);
    else if ('slewMs' in act) clock.slewWall(act.slewMs, act.overMs);
    else clock.jumpWall(act.shiftMs);
  }

  /** The time that the satellite receiver vouches for; the clock takes it after `follow`. */
  offerTime(anchor: TimeAnchor): void {
    this.#parts.clock.offer(anchor);
  }

  state(): SimBoardState {
    const { gpio, dock, power, thermal } = this.#parts;
    const lights = [...this.#outputs].map(([role, output]) => [role, output.appearance()] as const);
    return {
      lights: Object.fromEntries(lights),
      pressed: [...this.#pressed],
      lines: gpio?.levels() ?? {},
      isDocked: dock?.isDocked(),
      battery: power?.reading,
      ...(thermal === undefined ? {} : { celsius: thermal.celsius }),
    };
  }

  close(): void {
    for (const output of this.#outputs.values()) output.close();
    this.#parts.gnss?.close();
  }

  #button(role: ButtonRole): { readonly gpio: SimGpio; readonly spec: LineSpec } {
    const gpio = simulated('the gpio', this.#parts.gpio);
    const spec = this.#parts.buttons[role];
    if (spec === undefined) {
      throw new CameraError('hal/disconnected', `the board has no ${role} button`);
    }
    return { gpio, spec };
  }
}

function simulated<Part>(what: string, part: Part | undefined): Part {
  if (part === undefined) throw new CameraError('hal/not-simulated', `${what} is not simulated`);
  return part;
}

/** One light as an eye sees it. */
class SimOutput {
  readonly #gpio: SimGpio;
  readonly #spec: LineSpec;
  readonly #clock: Clock;
  readonly #cancel: Cancel;
  /** When it changed last, and the time before. */
  #changesMs: readonly [number, number] = [-Infinity, -Infinity];

  constructor(gpio: SimGpio, spec: LineSpec, clock: Clock) {
    this.#gpio = gpio;
    this.#spec = spec;
    this.#clock = clock;
    this.#cancel = gpio.observe(spec, () => {
      this.#changesMs = [clock.monotonicMs(), this.#changesMs[0]];
    });
  }

  appearance(): Appearance {
    if (this.#clock.monotonicMs() - this.#changesMs[1] < EYE_MEMORY_MS) return 'blinking';
    return this.#gpio.isHigh(this.#spec) !== this.#spec.activeLow ? 'on' : 'off';
  }

  close(): void {
    this.#cancel();
  }
}

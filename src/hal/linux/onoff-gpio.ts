import type * as OnoffPackage from 'onoff';
import { access, constants, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Gpio } from 'onoff';
import type { Cancel, Clock } from '../../clock.js';
import { CameraError, isCameraError, messageOf, systemCode } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import type { Edge, GpioPort, InputLine, LineSpec, OutputLine } from '../ports/gpio.js';
import { SYSFS_GPIO_PATHS, findSysfsLine } from './sysfs-gpiochips.js';

/** onoff knows no other place. */
const ROOT = SYSFS_GPIO_PATHS.gpio;
/**
 * After an export udev gives the files of the line to our group, which takes a moment. onoff would wait for it in a busy
 * loop; this waits with timers, and gives up when a person would.
 */
const ACCESS_MS_MAX = 2_000;
const ACCESS_POLL_MS = 10;

/** onoff's words for what a line is to be; an output starts with the electrical level named. */
type Direction = 'in' | 'high' | 'low';

/**
 * GPIO over sysfs with the package onoff, which is loaded when the first line is opened.
 *
 * Edges carry the time of their callback and the level read then, so edges that follow each other quickly come as one.
 * A line that is exported already is taken over, because a process that was killed leaves its lines exported: whether
 * another living process uses it cannot be told. A line that the kernel itself uses is `hal/busy`.
 */
export class OnoffGpio implements GpioPort {
  readonly #clock: Clock;
  readonly #open = new Set<number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  openInput(spec: LineSpec): Promise<InputLine> {
    return this.#claim(spec, 'in', (bench) => new OnoffInput(bench, this.#clock));
  }

  openOutput(spec: LineSpec): Promise<OutputLine> {
    const direction = spec.activeLow ? 'high' : 'low';
    return this.#claim(spec, direction, (bench) => new OnoffOutput(bench));
  }

  async #claim<Line>(
    spec: LineSpec,
    direction: Direction,
    make: (bench: Bench) => Line,
  ): Promise<Line> {
    const number = await findSysfsLine(spec);
    const name = `${spec.chip}/${spec.line}`;
    if (this.#open.has(number)) throw new CameraError('hal/busy', `line ${name} is open already`);
    this.#open.add(number);
    const release = (): void => {
      this.#open.delete(number);
    };
    try {
      await this.#export(number);
      const gpio = await configure(number, direction);
      return make({ gpio, number, name, activeLow: spec.activeLow, release });
    } catch (error) {
      release();
      throw asFault(error, name);
    }
  }

  /** Makes the files of a line and waits until they may be used. */
  async #export(number: number): Promise<void> {
    const files = path.join(ROOT, `gpio${number}`);
    if (await isThere(files)) await writeFile(path.join(ROOT, 'unexport'), String(number));
    // Still there: a driver of the kernel has exported it, and that is not ours to undo.
    if (await isThere(files)) throw new CameraError('hal/busy', 'the kernel has exported it');
    await writeFile(path.join(ROOT, 'export'), String(number));
    const deadline = this.#clock.monotonicMs() + ACCESS_MS_MAX;
    const needed = ['value', 'direction', 'active_low'].map((name) => path.join(files, name));
    while (!(await areWritable(needed)) && this.#clock.monotonicMs() < deadline) {
      await this.#clock.sleep(ACCESS_POLL_MS);
    }
  }
}

const isThere = (file: string): Promise<boolean> =>
  access(file).then(
    () => true,
    () => false,
  );

const areWritable = (files: readonly string[]): Promise<boolean> =>
  Promise.all(files.map((file) => access(file, constants.W_OK))).then(
    () => true,
    () => false,
  );

/**
 * Opens an exported line with onoff. It swallows errors of a line that it has not exported itself, so what it did is
 * read back.
 */
async function configure(number: number, direction: Direction): Promise<Gpio> {
  const { Gpio } = await loadOnoff();
  const options = { activeLow: false };
  const gpio =
    direction === 'in'
      ? new Gpio(number, 'in', 'both', options)
      : new Gpio(number, direction, 'none', options);
  try {
    const isRight =
      direction === 'in'
        ? gpio.direction() === 'in' && gpio.edge() === 'both'
        : gpio.direction() === 'out';
    if (!isRight || gpio.activeLow()) {
      throw new CameraError('hal/bus', `the chip does not take ${direction}`);
    }
    return gpio;
  } catch (error) {
    gpio.unexport();
    throw error;
  }
}

async function loadOnoff(): Promise<typeof OnoffPackage> {
  try {
    return await import('onoff');
  } catch (error) {
    throw new CameraError('hal/no-binding', 'onoff cannot be loaded', { cause: error });
  }
}

/** What the codes of sysfs mean for a line; anything else is `hal/bus`. */
const faults: Readonly<Record<string, ErrorCode>> = {
  EBUSY: 'hal/busy',
  EINVAL: 'hal/disconnected',
  ENODEV: 'hal/disconnected',
  ENOENT: 'hal/disconnected',
  ENOTCONN: 'hal/disconnected',
};

function asFault(error: unknown, name: string): CameraError {
  if (isCameraError(error)) {
    return new CameraError(error.code, `line ${name}: ${error.message}`, { cause: error });
  }
  const code = systemCode(error);
  const permission = code === 'EACCES' || code === 'EPERM' ? ' (is this user in group gpio?)' : '';
  const text = `line ${name}: ${messageOf(error)}${permission}`;
  return new CameraError(faults[code ?? ''] ?? 'hal/bus', text, { cause: error });
}

/** What a line of this adapter is made of. */
interface Bench {
  readonly gpio: Gpio;
  readonly number: number;
  readonly name: string;
  readonly activeLow: boolean;
  readonly release: () => void;
}

/** What inputs and outputs have in common: they can be gone, and are closed once. */
abstract class OnoffLine {
  protected readonly bench: Bench;
  #isClosed = false;

  constructor(bench: Bench) {
    this.bench = bench;
  }

  close(): Promise<void> {
    if (!this.#isClosed) {
      this.#isClosed = true;
      this.bench.gpio.unexport();
      this.bench.release();
    }
    return Promise.resolve();
  }

  /** An operation on a line fails only because the line is not there any more, whatever the system calls that. */
  protected async attempt<T>(operation: () => Promise<T>): Promise<T> {
    const { name } = this.bench;
    if (this.#isClosed) throw new CameraError('hal/disconnected', `line ${name} is closed`);
    try {
      return await operation();
    } catch (error) {
      const text = `line ${name} is gone: ${messageOf(error)}`;
      throw new CameraError('hal/disconnected', text, { cause: error });
    }
  }
}

class OnoffInput extends OnoffLine implements InputLine {
  readonly #clock: Clock;
  readonly #file: string;
  readonly #listeners = new Set<(edge: Edge) => void>();
  #isGone = false;

  constructor(bench: Bench, clock: Clock) {
    super(bench);
    this.#clock = clock;
    this.#file = path.join(ROOT, `gpio${bench.number}`, 'value');
    this.#guard(bench.gpio);
    bench.gpio.watch((_, value) => {
      if (this.#isGone) return;
      const edge = { isActive: (value === 1) !== bench.activeLow, at: this.#clock.monotonicMs() };
      for (const listener of this.#listeners) listener(edge);
    });
  }

  /** Reads through a file of its own: a read through the one that is polled would swallow an edge that is on its way. */
  read(): Promise<boolean> {
    return this.attempt(async () => {
      const level = (await readFile(this.#file, 'utf8')).trim();
      return (level === '1') !== this.bench.activeLow;
    });
  }

  watch(listener: (edge: Edge) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  override close(): Promise<void> {
    this.#listeners.clear();
    return super.close();
  }

  /**
   * onoff reads the level in the callback of epoll, where nothing catches: the read of a line whose chip has vanished
   * would end this process, and a poll of it fires for ever. So the first failure stops the watch.
   */
  #guard(gpio: Gpio): void {
    const readSync = gpio.readSync.bind(gpio);
    gpio.readSync = () => {
      try {
        return readSync();
      } catch {
        // Whoever reads the line hears that it is gone.
        this.#isGone = true;
        gpio.unwatchAll();
        return 0;
      }
    };
  }
}

class OnoffOutput extends OnoffLine implements OutputLine {
  write(isActive: boolean): Promise<void> {
    return this.attempt(() => this.bench.gpio.write(isActive === this.bench.activeLow ? 0 : 1));
  }
}

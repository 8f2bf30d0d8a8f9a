import { access } from 'node:fs/promises';
import path from 'node:path';
import type { Clock } from '../../clock.js';
import type { Logger } from '../../log.js';
import type { GpioPort, InputLine, LineSpec, OutputLine } from '../ports/gpio.js';
import { GpiodGpio } from './gpiod-gpio.js';
import { GpiodTools } from './gpiod-tools.js';
import { OnoffGpio } from './onoff-gpio.js';
import { SYSFS_GPIO_PATHS } from './sysfs-gpiochips.js';

/** The backends by the word that the log has for them. */
type Choice = 'sysfs' | 'gpiod 1' | 'gpiod 2';

/**
 * The GPIO lines of a Linux machine: over sysfs where the kernel has it, else over the character device with the gpiod
 * tools. Which one is found out whenever a line is opened, and logged when it changes: a module may come later than this
 * program. Opening rejects with `hal/no-gpio` while there is neither, else as `GpioPort` says.
 */
export class LinuxGpio implements GpioPort {
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #sysfsRoot: string;
  readonly #toolDirectory: string;
  readonly #backends = new Map<Choice, GpioPort>();
  #choice: Choice | undefined;

  /** The paths are for tests. `toolDirectory` is where the gpiod tools are; empty, they are looked for along PATH. */
  constructor(
    clock: Clock,
    log: Logger,
    {
      sysfsRoot = SYSFS_GPIO_PATHS.gpio,
      toolDirectory = '',
    }: { readonly sysfsRoot?: string; readonly toolDirectory?: string } = {},
  ) {
    this.#clock = clock;
    this.#log = log;
    this.#sysfsRoot = sysfsRoot;
    this.#toolDirectory = toolDirectory;
  }

  async openInput(spec: LineSpec): Promise<InputLine> {
    return (await this.#choose()).openInput(spec);
  }

  async openOutput(spec: LineSpec): Promise<OutputLine> {
    return (await this.#choose()).openOutput(spec);
  }

  async #choose(): Promise<GpioPort> {
    if (await this.#hasSysfs()) return this.#take('sysfs', () => new OnoffGpio(this.#clock));
    try {
      const tools = await GpiodTools.find(this.#toolDirectory);
      return this.#take(`gpiod ${tools.version}`, () => new GpiodGpio(tools, this.#clock));
    } catch (error) {
      if (this.#choice !== undefined) this.#log.warn({}, 'there is no GPIO any more');
      this.#choice = undefined;
      throw error;
    }
  }

  #hasSysfs(): Promise<boolean> {
    return access(path.join(this.#sysfsRoot, 'export')).then(
      () => true,
      () => false,
    );
  }

  #take(choice: Choice, make: () => GpioPort): GpioPort {
    // A backend is kept: it knows which of its lines are open.
    const backend = this.#backends.get(choice) ?? make();
    this.#backends.set(choice, backend);
    if (this.#choice !== choice) this.#log.info({ backend: choice }, 'GPIO backend');
    this.#choice = choice;
    return backend;
  }
}

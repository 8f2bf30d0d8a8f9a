import type { Cancel, Clock } from '../../clock.js';
import type { Edge, GpioPort, InputLine, LineSpec, OutputLine } from '../ports/gpio.js';
import { Keeper } from './keeper.js';
import type { OnState } from './part-state.js';

/**
 * A chip that vanished (a loose expander, a driver that was unloaded) is told by no edge: so every line is asked this
 * often. A fault light within two seconds, and a read costs some 20 µs.
 */
const PROBE_MS = 2000;

/** An input that comes back after its chip was gone. Until then `read` rejects with why. */
export class KeptInput implements InputLine {
  readonly #keeper: Keeper<InputLine>;
  readonly #listeners = new Set<(edge: Edge) => void>();
  readonly #cancelProbe: Cancel;

  private constructor(gpio: GpioPort, spec: LineSpec, clock: Clock, onState: OnState) {
    this.#keeper = new Keeper(
      () => gpio.openInput(spec),
      clock,
      onState,
      async (line) => {
        await line.read();
        line.watch((edge) => {
          for (const listener of this.#listeners) listener(edge);
        });
      },
    );
    this.#cancelProbe = clock.every(PROBE_MS, () => void this.#probe());
  }

  /** Resolves after the first attempt to open the line, which may have failed. */
  static async open(
    gpio: GpioPort,
    spec: LineSpec,
    clock: Clock,
    onState: OnState,
  ): Promise<KeptInput> {
    const input = new KeptInput(gpio, spec, clock, onState);
    await input.#keeper.start();
    return input;
  }

  async read(): Promise<boolean> {
    const line = this.#keeper.part;
    if (line === undefined) throw this.#keeper.fault;
    try {
      return await line.read();
    } catch (error) {
      await this.#keeper.lose(line, error);
      throw error;
    }
  }

  watch(listener: (edge: Edge) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async close(): Promise<void> {
    this.#cancelProbe();
    this.#listeners.clear();
    await this.#keeper.close();
  }

  async #probe(): Promise<void> {
    if (this.#keeper.part === undefined) return;
    // What is wrong is in the health of the board already.
    await this.read().catch(() => undefined);
  }
}

/** An output that takes its level again when its chip is back. While it is gone a write is remembered. */
export class KeptOutput implements OutputLine {
  readonly #keeper: Keeper<OutputLine>;
  readonly #cancelProbe: Cancel;
  #isActive = false;
  /** Writes never overlap: a probe with an old level must not overtake a new one. */
  #work: Promise<void> = Promise.resolve();

  private constructor(gpio: GpioPort, spec: LineSpec, clock: Clock, onState: OnState) {
    this.#keeper = new Keeper(
      () => gpio.openOutput(spec),
      clock,
      onState,
      (line) => line.write(this.#isActive),
    );
    this.#cancelProbe = clock.every(PROBE_MS, () => void this.#enqueue());
  }

  /** Resolves after the first attempt to open the line, which may have failed. */
  static async open(
    gpio: GpioPort,
    spec: LineSpec,
    clock: Clock,
    onState: OnState,
  ): Promise<KeptOutput> {
    const output = new KeptOutput(gpio, spec, clock, onState);
    await output.#keeper.start();
    return output;
  }

  async write(isActive: boolean): Promise<void> {
    this.#isActive = isActive;
    await this.#enqueue();
  }

  async close(): Promise<void> {
    this.#cancelProbe();
    await this.#work;
    await this.#keeper.close();
  }

  #enqueue(): Promise<void> {
    this.#work = this.#work.then(() => this.#apply());
    return this.#work;
  }

  async #apply(): Promise<void> {
    const line = this.#keeper.part;
    if (line === undefined) return;
    try {
      await line.write(this.#isActive);
    } catch (error) {
      await this.#keeper.lose(line, error);
    }
  }
}

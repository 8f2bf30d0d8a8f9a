import type { Cancel, Clock } from '../../clock.js';
import { CameraError } from '../../errors.js';
import type { Edge, GpioPort, InputLine, LineSpec, OutputLine } from '../ports/gpio.js';

/** Lines of each chip, by the label of the chip. */
export type SimChips = Readonly<Record<string, { readonly lines: number }>>;

/** A wire of a simulated chip. */
interface Wire {
  readonly chip: string;
  readonly line: number | string;
  isHigh: boolean;
  owner: 'input' | 'output' | undefined;
  readonly watchers: Set<(isHigh: boolean) => void>;
}

/** Where a line is, without its polarity. */
export type LineAddress = Pick<LineSpec, 'chip' | 'line'>;

/**
 * Gpiochips in memory. Tests and the simulated board act on the electrical side: `drive` sets the level of a wire,
 * `isHigh` reads it. Every edge is delivered, within the call that causes it; no edge is ever lost here, unlike on Linux.
 * A wire that nobody has driven rests at the inactive level of whoever opens it, as its pull resistor would hold it.
 */
export class SimGpio implements GpioPort {
  readonly #clock: Clock;
  readonly #chips: SimChips;
  readonly #wires = new Map<string, Wire>();

  constructor(clock: Clock, chips: SimChips) {
    this.#clock = clock;
    this.#chips = chips;
  }

  openInput(spec: LineSpec): Promise<InputLine> {
    return this.#open(spec, 'input', (wire) => new SimInputLine(wire, spec, this.#clock));
  }

  openOutput(spec: LineSpec): Promise<OutputLine> {
    return this.#open(spec, 'output', (wire) => {
      setWire(wire, spec.activeLow);
      return new SimOutputLine(wire, spec);
    });
  }

  /** Puts an electrical level on a wire from outside. Throws `hal/disconnected` for a line that no chip has. */
  drive(address: LineAddress, isHigh: boolean): void {
    setWire(this.#wire(address), isHigh);
  }

  /** The electrical level of a wire. Throws `hal/disconnected` for a line that no chip has. */
  isHigh(address: LineAddress): boolean {
    return this.#wire(address).isHigh;
  }

  /** Calls back with every new electrical level of a wire. */
  observe(address: LineAddress, listener: (isHigh: boolean) => void): Cancel {
    const { watchers } = this.#wire(address);
    watchers.add(listener);
    return () => {
      watchers.delete(listener);
    };
  }

  /** The levels of all wires that were ever used, as `chip/line`. */
  levels(): Readonly<Record<string, 'high' | 'low'>> {
    const entries = [...this.#wires].map(([name, { isHigh }]) => [name, isHigh ? 'high' : 'low']);
    return Object.fromEntries(entries) as Record<string, 'high' | 'low'>;
  }

  async #open<Line>(
    spec: LineSpec,
    owner: Wire['owner'],
    make: (wire: Wire) => Line,
  ): Promise<Line> {
    const isNew = !this.#wires.has(nameOf(spec));
    // In the promise chain, so that a fault is a rejection like that of any real adapter.
    const wire = await Promise.resolve().then(() => this.#wire(spec));
    if (wire.owner !== undefined) {
      throw new CameraError('hal/busy', `line ${nameOf(spec)} is open already`);
    }
    if (isNew) wire.isHigh = spec.activeLow;
    wire.owner = owner;
    return make(wire);
  }

  #wire({ chip, line }: LineAddress): Wire {
    const lines = Object.hasOwn(this.#chips, chip) ? (this.#chips[chip]?.lines ?? 0) : 0;
    if (!(typeof line === 'number' && Number.isInteger(line) && line >= 0 && line < lines)) {
      throw new CameraError('hal/disconnected', `no line ${line} on chip ${chip}`);
    }
    const name = nameOf({ chip, line });
    const known = this.#wires.get(name);
    if (known !== undefined) return known;
    const wire: Wire = { chip, line, isHigh: false, owner: undefined, watchers: new Set() };
    this.#wires.set(name, wire);
    return wire;
  }
}

const nameOf = ({ chip, line }: LineAddress): string => `${chip}/${line}`;

function setWire(wire: Wire, isHigh: boolean): void {
  if (wire.isHigh === isHigh) return;
  wire.isHigh = isHigh;
  for (const watcher of wire.watchers) watcher(isHigh);
}

/** What input and output lines have in common: one owner of a wire until it is closed. */
abstract class SimLine {
  protected readonly wire: Wire;
  protected readonly activeLow: boolean;
  #isOpen = true;

  constructor(wire: Wire, spec: LineSpec) {
    this.wire = wire;
    this.activeLow = spec.activeLow;
  }

  close(): Promise<void> {
    if (this.#isOpen) this.wire.owner = undefined;
    this.#isOpen = false;
    return Promise.resolve();
  }

  protected async whileOpen<T>(operation: () => T): Promise<T> {
    await Promise.resolve();
    if (!this.#isOpen) {
      throw new CameraError('hal/disconnected', `line ${nameOf(this.wire)} is closed`);
    }
    return operation();
  }
}

class SimInputLine extends SimLine implements InputLine {
  readonly #clock: Clock;
  readonly #cancels = new Set<Cancel>();

  constructor(wire: Wire, spec: LineSpec, clock: Clock) {
    super(wire, spec);
    this.#clock = clock;
  }

  read(): Promise<boolean> {
    return this.whileOpen(() => this.wire.isHigh !== this.activeLow);
  }

  watch(listener: (edge: Edge) => void): Cancel {
    const watcher = (isHigh: boolean): void => {
      listener({ isActive: isHigh !== this.activeLow, at: this.#clock.monotonicMs() });
    };
    const cancel = (): void => {
      this.wire.watchers.delete(watcher);
    };
    this.wire.watchers.add(watcher);
    this.#cancels.add(cancel);
    return cancel;
  }

  override close(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    return super.close();
  }
}

class SimOutputLine extends SimLine implements OutputLine {
  write(isActive: boolean): Promise<void> {
    return this.whileOpen(() => {
      setWire(this.wire, isActive !== this.activeLow);
    });
  }
}

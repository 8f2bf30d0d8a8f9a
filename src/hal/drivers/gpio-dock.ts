import type { Cancel, Clock } from '../../clock.js';
import type { DockPort } from '../ports/dock.js';
import type { GpioPort, InputLine } from '../ports/gpio.js';
import type { ButtonSpec } from './button.js';
import type { OnState } from './part-state.js';
import { KeptInput } from './kept-lines.js';

/** The line is read this often even when it says nothing: an edge that was lost is made up for within a second. */
const CHECK_MS = 1_000;

/**
 * A dock contact on an input line, active while docked. A change counts when the contact has been quiet for
 * `debounceIntervalMs`. While the line cannot be read the last state stays, and `onState` has the fault.
 */
export class GpioDock implements DockPort {
  readonly #line: InputLine;
  readonly #clock: Clock;
  readonly #listeners = new Set<(isDocked: boolean) => void>();
  readonly #cancelWatch: Cancel;
  readonly #cancelCheck: Cancel;
  #cancelSettle: Cancel | undefined;
  #isDocked = false;
  /** Counts edges, so that a level read before an edge is not taken for the one after it. */
  #edges = 0;
  #isClosed = false;

  private constructor(line: InputLine, debounceIntervalMs: number, clock: Clock) {
    this.#line = line;
    this.#clock = clock;
    this.#cancelWatch = line.watch(() => {
      this.#edges += 1;
      this.#settleAfter(debounceIntervalMs);
    });
    this.#cancelCheck = clock.every(CHECK_MS, () => {
      if (this.#cancelSettle === undefined) void this.#check();
    });
  }

  /** Resolves after the first attempt to open and read the line, which may have failed. */
  static async open(
    gpio: GpioPort,
    spec: ButtonSpec,
    clock: Clock,
    onState: OnState,
  ): Promise<GpioDock> {
    const line = await KeptInput.open(gpio, spec, clock, onState);
    const dock = new GpioDock(line, spec.debounceIntervalMs, clock);
    await dock.#check();
    return dock;
  }

  isDocked(): boolean {
    return this.#isDocked;
  }

  watch(listener: (isDocked: boolean) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Gives the line back; nothing is told afterwards. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWatch();
    this.#cancelCheck();
    this.#cancelSettle?.();
    this.#listeners.clear();
    await this.#line.close();
  }

  #settleAfter(delayMs: number): void {
    this.#cancelSettle?.();
    this.#cancelSettle = this.#clock.after(delayMs, () => {
      this.#cancelSettle = undefined;
      void this.#check();
    });
  }

  async #check(): Promise<void> {
    const edgesBefore = this.#edges;
    // A line that cannot be read is in the health of the board already.
    const isDocked = await this.#line.read().catch(() => undefined);
    if (this.#isClosed || isDocked === undefined || this.#edges !== edgesBefore) return;
    if (isDocked === this.#isDocked) return;
    this.#isDocked = isDocked;
    for (const listener of this.#listeners) listener(isDocked);
  }
}

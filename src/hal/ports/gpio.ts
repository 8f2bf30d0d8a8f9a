import type { Cancel } from '../../clock.js';
import type { MonotonicMs } from '../../units.js';

/** A line as the board file names it: chip label and offset or name, never a number of the whole system. */
export interface LineSpec {
  readonly chip: string;
  /** Offset in the chip, or the name that the kernel gives the line. */
  readonly line: number | string;
  /** True when the electrical low level means active. The port hands out and takes logical levels only. */
  readonly activeLow: boolean;
}

/** A change of an input line. `at` is the kernel's time where there is one, else that of the callback. */
export interface Edge {
  readonly isActive: boolean;
  readonly at: MonotonicMs;
  /** True when `at` is the kernel's, so that an edge that is delivered late still has the time at which it came. */
  readonly hasKernelTime?: boolean;
}

export interface InputLine {
  /** The logical level now. Rejects with `hal/disconnected` when the line is closed or gone. */
  read(): Promise<boolean>;
  /**
   * Calls back for every edge the system delivers. Edges may be coalesced: a release can come without its press,
   * and two edges of the same direction may follow each other.
   */
  watch(listener: (edge: Edge) => void): Cancel;
  /** No edge is delivered afterwards; the line can be opened again. Idempotent. */
  close(): Promise<void>;
}

export interface OutputLine {
  /**
   * Sets the logical level. Does not promise that anything is wired to the line.
   * Rejects with `hal/disconnected` when the line is closed or gone.
   */
  write(isActive: boolean): Promise<void>;
  /** The line can be opened again; which level it keeps is not promised, so write first. Idempotent. */
  close(): Promise<void>;
}

/**
 * Lines by chip and offset. Opening rejects with `hal/busy` while the line is open in this process, with
 * `hal/disconnected` when there is no such chip or line, else with `hal/bus`.
 */
export interface GpioPort {
  openInput(spec: LineSpec): Promise<InputLine>;
  /** The line starts inactive. */
  openOutput(spec: LineSpec): Promise<OutputLine>;
}

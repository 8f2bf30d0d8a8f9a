import type { Cancel } from '../../clock.js';
import type { MonotonicMs } from '../../units.js';

/** A line as the board file names it: chip label and offset, never a number of the whole system. */
export interface LineSpec {
  readonly chip: string;
  readonly line: number;
  /** True when the electrical low level means active. The port hands out and takes logical levels only. */
  readonly activeLow: boolean;
}

/** A change of an input line. `at` is the kernel's time where there is one, else that of the callback. */
export interface Edge {
  readonly isActive: boolean;
  readonly at: MonotonicMs;
}

export interface InputLine {
  read(): Promise<boolean>;
  /**
   * Calls back for every edge the system delivers. Edges may be coalesced: a release can come without its press,
   * and two edges of the same direction may follow each other.
   */
  watch(listener: (edge: Edge) => void): Cancel;
  close(): Promise<void>;
}

export interface OutputLine {
  /** Sets the logical level. Does not promise that anything is wired to the line. */
  write(isActive: boolean): Promise<void>;
  close(): Promise<void>;
}

export interface GpioPort {
  openInput(spec: LineSpec): Promise<InputLine>;
  /** The line starts inactive. */
  openOutput(spec: LineSpec): Promise<OutputLine>;
}

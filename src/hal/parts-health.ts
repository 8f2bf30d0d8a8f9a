import type { Cancel } from '../clock.js';
import type { CameraError } from '../errors.js';

/** A part of the board that does not work, by its key in the board file. */
export interface PartFault {
  readonly part: string;
  readonly fault: CameraError;
}

/** Which parts of a board do not work now. A part that nobody reported works. */
export class PartsHealth {
  readonly #faults = new Map<string, CameraError>();
  readonly #listeners = new Set<(part: string, fault: CameraError | undefined) => void>();

  /** What a driver calls on each change; the same code twice is no change. */
  reporter(part: string): (fault: CameraError | undefined) => void {
    return (fault) => {
      if (this.#faults.get(part)?.code === fault?.code) return;
      if (fault === undefined) this.#faults.delete(part);
      else this.#faults.set(part, fault);
      for (const listener of this.#listeners) listener(part, fault);
    };
  }

  faults(): readonly PartFault[] {
    return [...this.#faults].map(([part, fault]) => ({ part, fault }));
  }

  /** Calls back with each part that breaks, and with undefined when it works again. */
  watch(listener: (part: string, fault: CameraError | undefined) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }
}

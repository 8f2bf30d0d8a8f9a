import type { Cancel } from '../../clock.js';
import type { DockPort } from '../ports/dock.js';

/** A dock contact that is set by hand. Undocked at the start. */
export class SimDock implements DockPort {
  readonly #listeners = new Set<(isDocked: boolean) => void>();
  #isDocked = false;

  isDocked(): boolean {
    return this.#isDocked;
  }

  watch(listener: (isDocked: boolean) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  /** Listeners hear of a change within the call; of the same state again they hear nothing. */
  setDocked(isDocked: boolean): void {
    if (isDocked === this.#isDocked) return;
    this.#isDocked = isDocked;
    for (const listener of this.#listeners) listener(isDocked);
  }
}

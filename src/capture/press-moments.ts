import type { MonotonicMs } from '../units.js';
import type { Fragment } from './ports.js';
import type { PreEvent } from './pre-event-buffer.js';

/** What is kept of the moment of a press until the log has it and it is decided. */
export interface PressMoment {
  readonly at: MonotonicMs;
  readonly preEvent: PreEvent;
  /** Fragments finished since. */
  readonly later: readonly Fragment[];
}

interface OpenMoment extends PressMoment {
  readonly later: Fragment[];
}

/** The moments of presses that are not decided yet: what each will record is fixed at its edge. */
export class PressMoments {
  readonly #look: (at: MonotonicMs) => Omit<PressMoment, 'later'>;
  readonly #open = new Set<OpenMoment>();

  /** `look` says what a press at a moment gets: its pre-event. */
  constructor(look: (at: MonotonicMs) => Omit<PressMoment, 'later'>) {
    this.#look = look;
  }

  get isEmpty(): boolean {
    return this.#open.size === 0;
  }

  /** A moment that gathers the fragments after it, until it is closed. */
  open(at: MonotonicMs): PressMoment {
    const moment: OpenMoment = { ...this.#look(at), later: [] };
    this.#open.add(moment);
    return moment;
  }

  /** One that gathers nothing. */
  at(at: MonotonicMs): PressMoment {
    return { ...this.#look(at), later: [] };
  }

  push(fragment: Fragment): void {
    for (const moment of this.#open) moment.later.push(fragment);
  }

  close(moment: PressMoment): void {
    this.#open.delete(moment as OpenMoment);
  }
}

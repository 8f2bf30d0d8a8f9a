import type { Indicator, Shown } from './ports.js';
import type { RecorderState } from './recorder-events.js';
import { modeOf } from './recorder-state.js';

/** Tells the indicator what the recorder shows, when it changes. */
export class RecorderLights {
  readonly #indicator: Indicator;
  #shown = '';

  constructor(indicator: Indicator) {
    this.#indicator = indicator;
  }

  show(state: RecorderState, isDurable: boolean): void {
    const { isMuted, isStealthy, video, picking } = state;
    const shown: Shown = {
      mode: modeOf(state),
      // What is written after the pictures have stopped is their rest, and no sign that all is well.
      isDurable: isDurable && video === 'up',
      isMuted,
      isStealthy,
      isPicking: picking !== undefined,
    };
    const key = JSON.stringify(shown);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#indicator.show(shown);
  }
}

import type { Indicator, ShownState } from './ports.js';
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
    const { isMuted, isStealthy } = state;
    const shown: ShownState = { mode: modeOf(state), isDurable, isMuted, isStealthy };
    const key = JSON.stringify(shown);
    if (key === this.#shown) return;
    this.#shown = key;
    this.#indicator.show(shown);
  }
}

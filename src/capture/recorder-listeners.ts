import type { Cancel } from '../clock.js';
import { messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { RecorderListener } from './recorder-api.js';

/** Those who take note of what the recorder does. What one of them throws is logged and hurts nobody. */
export class RecorderListeners {
  readonly #log: Logger;
  readonly #listeners = new Set<RecorderListener>();

  constructor(log: Logger) {
    this.#log = log;
  }

  add(listener: RecorderListener): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  tell(call: (listener: RecorderListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        call(listener);
      } catch (error) {
        this.#log.error({ error: messageOf(error) }, 'a listener of the recorder failed');
      }
    }
  }
}

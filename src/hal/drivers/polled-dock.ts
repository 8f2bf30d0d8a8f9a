import type { Cancel, Clock } from '../../clock.js';
import { CameraError, isCameraError, messageOf } from '../../errors.js';
import type { DockPort } from '../ports/dock.js';
import type { OnState } from './part-state.js';

/** How often a dock is looked for that does not call by itself. Nobody sees a second between docking and upload. */
const POLL_MS = 1_000;

/**
 * A dock that has to be asked. While asking fails the camera counts as undocked, so that it can record, and `onState` has
 * the fault.
 */
export class PolledDock implements DockPort {
  readonly #ask: () => Promise<boolean>;
  readonly #onState: OnState;
  readonly #listeners = new Set<(isDocked: boolean) => void>();
  readonly #cancelPoll: Cancel;
  #isDocked = false;
  #isFaulty: boolean | undefined;
  #isAsking = false;
  #isClosed = false;

  private constructor(ask: () => Promise<boolean>, clock: Clock, onState: OnState) {
    this.#ask = ask;
    this.#onState = onState;
    this.#cancelPoll = clock.every(POLL_MS, () => void this.#poll());
  }

  /** Resolves when it has been asked once. `ask` rejects when the dock cannot be told from none. */
  static async open(
    ask: () => Promise<boolean>,
    clock: Clock,
    onState: OnState,
  ): Promise<PolledDock> {
    const dock = new PolledDock(ask, clock, onState);
    await dock.#poll();
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

  /** Nothing is told afterwards. Idempotent. */
  close(): void {
    this.#isClosed = true;
    this.#cancelPoll();
    this.#listeners.clear();
  }

  async #poll(): Promise<void> {
    // A slow answer must not be overtaken by the next one.
    if (this.#isAsking) return;
    this.#isAsking = true;
    let isDocked = false;
    let fault: CameraError | undefined;
    try {
      isDocked = await this.#ask();
    } catch (error) {
      fault = isCameraError(error)
        ? error
        : new CameraError('hal/disconnected', messageOf(error), { cause: error });
    }
    this.#isAsking = false;
    if (this.#isClosed) return;
    if (this.#isFaulty !== (fault !== undefined)) this.#onState(fault);
    this.#isFaulty = fault !== undefined;
    if (isDocked === this.#isDocked) return;
    this.#isDocked = isDocked;
    for (const listener of this.#listeners) listener(isDocked);
  }
}

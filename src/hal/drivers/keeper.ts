import type { Cancel, Clock } from '../../clock.js';
import { CameraError } from '../../errors.js';
import { PartState, type OnState } from './part-state.js';

interface Closable {
  close(): Promise<void>;
}

/**
 * Keeps a part of the board open: opens it again after it was lost, for as long as it takes.
 *
 * INVARIANTS
 * 1. At most one attempt at a time; a part that was opened after `close` is closed at once.
 * 2. `onState` hears a fault before anybody is refused for it, and undefined once the part is there.
 */
export class Keeper<Part extends Closable> {
  readonly #open: () => Promise<Part>;
  readonly #clock: Clock;
  readonly #state: PartState;
  readonly #onOpened: (part: Part) => Promise<void>;
  #part: Part | undefined;
  #cancelRetry: Cancel | undefined;
  #isOpening = false;
  #isClosed = false;

  /** `onOpened` brings a fresh part into the state that is wanted; when it rejects the part counts as lost. */
  constructor(
    open: () => Promise<Part>,
    clock: Clock,
    onState: OnState,
    onOpened: (part: Part) => Promise<void>,
  ) {
    this.#open = open;
    this.#clock = clock;
    this.#state = new PartState(onState);
    this.#onOpened = onOpened;
  }

  /** The part, when it is there. */
  get part(): Part | undefined {
    return this.#part;
  }

  /** Why the part is not there. */
  get fault(): CameraError {
    return this.#state.fault ?? new CameraError('hal/disconnected', 'it is not open yet');
  }

  /** The first attempt. Resolves when it is over, whichever way it went. */
  async start(): Promise<void> {
    await this.#attempt();
  }

  /** The part was found lost: it is closed and opened again later. Ignored when it is another one by now. */
  async lose(part: Part, error: unknown): Promise<void> {
    if (part !== this.#part) return;
    this.#part = undefined;
    this.#fail(error);
    await part.close().catch(() => undefined);
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry?.();
    const part = this.#part;
    this.#part = undefined;
    await part?.close();
  }

  async #attempt(): Promise<void> {
    if (this.#isOpening || this.#isClosed) return;
    this.#isOpening = true;
    try {
      await this.#openOnce();
    } catch (error) {
      this.#fail(error);
    } finally {
      this.#isOpening = false;
    }
  }

  async #openOnce(): Promise<void> {
    const part = await this.#open();
    try {
      await this.#onOpened(part);
    } catch (error) {
      await part.close().catch(() => undefined);
      throw error;
    }
    if (this.#isClosed) {
      await part.close();
      return;
    }
    this.#part = part;
    this.#state.works();
  }

  #fail(error: unknown): void {
    if (this.#isClosed) return;
    const waitMs = this.#state.fails(error);
    this.#cancelRetry?.();
    this.#cancelRetry = this.#clock.after(waitMs, () => void this.#attempt());
  }
}

import type { Cancel, Clock } from '../../clock.js';
import { CameraError, isCameraError, messageOf } from '../../errors.js';

/** Hears of each change: a fault when the part does not work, undefined when it works (again). */
export type OnState = (fault: CameraError | undefined) => void;

/** A loose plug comes back within seconds; a part that is gone for good costs one attempt in 5 s. */
const RETRY_DELAYS_MS = [1_000, 2_000, 4_000] as const;
const RETRY_DELAY_MS_MAX = 5_000;

/** Whether a part works, told once a change, and when to try again. */
export class PartState {
  readonly #onState: OnState;
  #fault: CameraError | undefined;
  #isTold = false;
  #failures = 0;

  constructor(onState: OnState) {
    this.#onState = onState;
  }

  /** Why the part does not work; undefined while it works, and before anything is known. */
  get fault(): CameraError | undefined {
    return this.#fault;
  }

  works(): void {
    this.#failures = 0;
    if (this.#isTold && this.#fault === undefined) return;
    this.#isTold = true;
    this.#fault = undefined;
    this.#onState(undefined);
  }

  /** Returns how long to wait before the next attempt, in milliseconds. The same fault again is not told. */
  fails(error: unknown): number {
    const fault = isCameraError(error)
      ? error
      : new CameraError('hal/bus', messageOf(error), { cause: error });
    const isNew = this.#fault?.code !== fault.code || this.#fault.message !== fault.message;
    this.#fault = fault;
    this.#isTold = true;
    if (isNew) this.#onState(fault);
    const delayMs = RETRY_DELAYS_MS[this.#failures] ?? RETRY_DELAY_MS_MAX;
    this.#failures += 1;
    return delayMs;
  }
}

/** Settles as the promise does, or rejects with `fault` after `ms`. What the promise does later is ignored. */
export function withDeadline<T>(
  clock: Clock,
  promise: Promise<T>,
  ms: number,
  fault: () => CameraError,
): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel: Cancel = clock.after(ms, () => {
      reject(fault());
    });
    promise.then(resolve, reject).finally(cancel);
  });
}

import type { Clock } from '../clock.js';
import { CameraError } from '../errors.js';

/** Settles as the promise does, or rejects with `sync/timeout` after `ms`. What the promise does later is ignored. */
export function within<T>(clock: Clock, promise: Promise<T>, ms: number, what: string): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      reject(new CameraError('sync/timeout', `${what}: no answer within ${ms} ms`));
    });
    promise.then(resolve, reject).finally(cancel);
  });
}

import type { Clock } from '../clock.js';
import { CameraError } from '../errors.js';

/**
 * Settles as the promise does, or rejects with `storage/io` after `ms`. What the promise does later is ignored.
 */
export async function withDeadline<T>(
  clock: Clock,
  promise: Promise<T>,
  ms: number,
  what: string,
): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      reject(new CameraError('storage/io', `${what} took longer than ${ms} ms`));
    });
    promise.then(resolve, reject).finally(cancel);
  });
}

/** True when the promise has resolved within `ms`, else false then. Rejects as it does when it does so in time. */
export async function isDoneWithin(
  clock: Clock,
  promise: Promise<unknown>,
  ms: number,
): Promise<boolean> {
  return await new Promise<boolean>((resolve, reject) => {
    const cancel = clock.after(ms, () => {
      resolve(false);
    });
    const done = promise.finally(cancel);
    done.then(() => {
      resolve(true);
    }, reject);
  });
}

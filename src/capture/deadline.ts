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

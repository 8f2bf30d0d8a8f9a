import type { ExecutionContext } from 'ava';
import { CameraError } from '../../src/errors.js';
import type { ErrorCode } from '../../src/errors.js';

/** Asserts that an operation rejects with a CameraError of this code; returns the error. */
export async function rejectsWith(
  t: ExecutionContext,
  code: ErrorCode,
  operation: () => Promise<unknown>,
): Promise<CameraError> {
  const error = await t.throwsAsync(operation, { instanceOf: CameraError });
  t.is(error.code, code);
  return error;
}

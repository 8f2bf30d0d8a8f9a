import type { ErrorCode } from '../../errors.js';

// What the capture child and its parent agree on.

/** Where the child writes packets; 0, 1 and 2 are the standard streams. */
export const OUTPUT_FD = 3;

/** How the child ends when it ends by itself. 1 is Node's own code for an uncaught exception. */
export const EXIT_CODES = {
  good: 0,
  noBinding: 10,
  noElement: 11,
  badLaunch: 12,
  pipeline: 13,
} as const;

/** The error that an exit code of the child stands for. */
export function errorCodeOf(exitCode: number | null): ErrorCode {
  if (exitCode === EXIT_CODES.noBinding) return 'hal/no-binding';
  if (exitCode === EXIT_CODES.noElement) return 'hal/no-element';
  return 'hal/pipeline';
}

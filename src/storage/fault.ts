import { messageOf } from '../errors.js';
import type { ErrorCode } from '../errors.js';
import type { Logger } from '../log.js';
import { entryWords } from './device-log.js';
import type { DeviceLog } from './device-log.js';

/**
 * Tells that something is wrong: a `fault` entry in the device log, and a warning for the technician before it. Rejects
 * with the errors of the device log; the warning has been given then.
 */
export async function tellFault(
  logger: Logger,
  entries: DeviceLog,
  code: ErrorCode,
  what: string,
  error?: unknown,
): Promise<void> {
  const detail = error === undefined ? what : `${what}: ${messageOf(error)}`;
  logger.warn({ code }, detail);
  await entries.append({ type: 'fault', code, detail: entryWords(detail) });
}

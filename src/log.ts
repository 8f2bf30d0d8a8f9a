import { pino } from 'pino';

/** What every part logs to. `fields` holds plain values; names in `redacted` never reach the output. */
export interface Logger {
  debug(fields: Readonly<Record<string, unknown>>, message: string): void;
  info(fields: Readonly<Record<string, unknown>>, message: string): void;
  warn(fields: Readonly<Record<string, unknown>>, message: string): void;
  error(fields: Readonly<Record<string, unknown>>, message: string): void;
  child(fields: Readonly<Record<string, unknown>>): Logger;
}

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

const redacted = ['password', 'seed', 'secret', 'identity', 'privateKey', '*.password', '*.seed'];

/** JSON lines on the stream given, one object a line, times as ISO 8601. */
export function createLogger(
  level: LogLevel,
  stream: { write(line: string): unknown },
  fields: Readonly<Record<string, unknown>> = {},
): Logger {
  return pino(
    {
      level,
      base: fields,
      redact: redacted,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    stream,
  );
}

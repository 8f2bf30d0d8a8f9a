import { CameraError } from '../errors.js';

/** Options as commander hands them over: untyped, already checked for presence. */
export type Options = Readonly<Record<string, unknown>>;

/** A text option, or undefined when it was not given. */
export function findText(options: Options, name: string): string | undefined {
  const value = options[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** A text option that must be there. Throws `cli/usage`. */
export function getText(options: Options, name: string): string {
  const value = findText(options, name);
  if (value === undefined) throw new CameraError('cli/usage', `--${name} needs a value`);
  return value;
}

export function getTexts(options: Options, name: string): readonly string[] {
  const value = options[name];
  return Array.isArray(value) ? value.map(String) : [];
}

const LEVELS = ['debug', 'info', 'warn', 'error', 'silent'] as const;

/** The value of --log-level. Throws `cli/usage`. */
export function getLogLevel(options: Options): (typeof LEVELS)[number] {
  const text = findText(options, 'logLevel') ?? 'info';
  const level = LEVELS.find((candidate) => candidate === text);
  if (level === undefined) {
    throw new CameraError('cli/usage', `--log-level ${text} is none of ${LEVELS.join(', ')}`);
  }
  return level;
}

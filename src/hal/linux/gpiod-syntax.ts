import type { ErrorCode } from '../../errors.js';

// What the gpiod tools are told and what they answer, for both generations: 1.6 (Debian 12) and 2 (Debian 13). Facts from
// `--help` of gpiod 1.6.3 and from the manual pages and sources of libgpiod 2.2. Nothing here touches a device.

/** The two generations speak different options; 1.4 to 1.6 agree in all that is used here. */
export type GpiodVersion = 1 | 2;

/** A line as the tools name it: the name of the chip's device file, and the offset. */
export interface GpiodLine {
  readonly chip: string;
  readonly offset: number;
}

export interface GpiodChip {
  readonly name: string;
  readonly label: string;
  readonly lines: number;
}

export interface GpiodLineInfo {
  readonly offset: number;
  readonly name: string | undefined;
  /** Who has the line; undefined while nobody does or the kernel does not say who. */
  readonly consumer: string | undefined;
}

/** An edge with the electrical level after it and the kernel's time, whatever clock that is. */
export interface GpiodEvent {
  readonly isHigh: boolean;
  readonly kernelMs: number;
}

/** Longest line that is looked at; names are up to 32 characters, so an honest line is far below. */
export const TOOL_LINE_LENGTH_MAX = 512;

/**
 * The generation, from `gpiodetect --version`: `gpiodetect (libgpiod) v1.6.3`, from 2.3 on `gpiodetect v2.3 (libgpiod v2.3)`.
 * Undefined for any other.
 */
export function parseVersion(text: string): GpiodVersion | undefined {
  const major = /\(libgpiod\)? v(\d+)\./.exec(text)?.[1];
  if (major === '1') return 1;
  return major === '2' ? 2 : undefined;
}

/** The chips that `gpiodetect` lists, in its order: `gpiochip0 [pinctrl-bcm2835] (54 lines)`. */
export function parseChips(text: string): readonly GpiodChip[] {
  return text.split('\n').flatMap((row) => {
    const [, name, label, lines] = /^(\S+) \[(.*)\] \((\d+) lines?\)$/.exec(row) ?? [];
    if (name === undefined || label === undefined) return [];
    return [{ name, label, lines: Number(lines) }];
  });
}

/**
 * The lines that `gpioinfo` lists. Both generations print `line N:`, the name in quotes or `unnamed`, and the consumer as
 * the next word in quotes.
 */
export function parseLines(text: string): readonly GpiodLineInfo[] {
  return text.split('\n').flatMap((row) => {
    const [, offset, name, rest = ''] =
      /^\s*line\s+(\d+):\s+(?:"([^"]*)"|unnamed)(.*)$/.exec(row) ?? [];
    if (offset === undefined) return [];
    return [{ offset: Number(offset), name, consumer: /"([^"]*)"/.exec(rest)?.[1] }];
  });
}

/** The level that `gpioget` prints; undefined for anything but a single digit. */
export function parseLevel(text: string): boolean | undefined {
  const [, digit] = /^([01])\s*$/.exec(text) ?? [];
  return digit === undefined ? undefined : digit === '1';
}

/**
 * One row of `gpiomon`: direction, seconds, nanoseconds. Generation 1 says 0 for falling and does not pad nanoseconds
 * (so they are a word of their own); generation 2 says 2 for falling and prints seconds with nine decimals.
 */
export function parseEvent(version: GpiodVersion, row: string): GpiodEvent | undefined {
  const pattern = version === 1 ? /^([01]) (\d{1,12}) (\d{1,9})$/ : /^([12]) (\d{1,12})\.(\d{9})$/;
  const [, direction, seconds, nanoseconds] = pattern.exec(row) ?? [];
  if (direction === undefined) return undefined;
  return {
    isHigh: direction === '1',
    kernelMs: Number(seconds) * 1e3 + Number(nanoseconds) / 1e6,
  };
}

export const infoArguments = (version: GpiodVersion, chip: string): readonly string[] =>
  version === 1 ? [chip] : ['--chip', chip];

export const getArguments = (
  version: GpiodVersion,
  { chip, offset }: GpiodLine,
): readonly string[] =>
  version === 1 ? [chip, String(offset)] : ['--numeric', '--chip', chip, String(offset)];

/** Both edges, one row an edge, each row at once. Generation 2 flushes its output after every batch by itself. */
export const monitorArguments = (
  version: GpiodVersion,
  { chip, offset }: GpiodLine,
): readonly string[] =>
  version === 1
    ? ['--line-buffered', '--format=%e %s %n', chip, String(offset)]
    : ['--edges=both', '--event-clock=monotonic', '--format=%e %S', '--chip', chip, String(offset)];

/** Sets a level and holds it until a signal comes; generation 2 does that without being told. */
export const setArguments = (
  version: GpiodVersion,
  { chip, offset }: GpiodLine,
  isHigh: boolean,
): readonly string[] => {
  const level = `${offset}=${isHigh ? 1 : 0}`;
  return version === 1 ? ['--mode=signal', chip, level] : ['--chip', chip, level];
};

/** What a tool's last words mean. They end in the text of strerror, which the C locale keeps in English. */
export function faultOf(stderr: string): ErrorCode {
  if (/resource busy/i.test(stderr)) return 'hal/busy';
  if (
    /no such (device|file)|cannot find|unable to find|out of range|invalid argument/i.test(stderr)
  ) {
    return 'hal/disconnected';
  }
  return 'hal/bus';
}

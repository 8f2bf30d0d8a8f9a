import type { LogEntry } from '../evidence/log-entry.js';
import { formatUtc, wallTimeMs } from '../units.js';

/** An entry with its place in the log and the wall time that the camera believed, as far as it said one. */
export interface LogRow {
  readonly index: number;
  readonly entry: LogEntry;
  readonly wallMs: number | undefined;
}

const COMMON: ReadonlySet<string> = new Set(['v', 'type', 'device', 'boot', 'mono']);
/** Enough of a digest or key to tell it from others by eye. */
const DIGITS_SHOWN = 12;
const TYPE_COLUMNS = 15;
const INDEX_COLUMNS = 7;
const BOOT_COLUMNS = 4;

/** Dates entries, in the order of the log, by what the boot they are of said of its clock before. */
export class LogDates {
  #boot = -1;
  #offsetMs: number | undefined;

  /** Wall milliseconds of an entry; undefined when nothing is known of the time. */
  date(entry: LogEntry): number | undefined {
    if (entry.boot !== this.#boot) this.#offsetMs = undefined;
    this.#boot = entry.boot;
    if (entry.type === 'boot' && entry.time.source !== 'unset') {
      this.#offsetMs = entry.time.wall_ms - entry.mono;
    } else if (entry.type === 'clock-set' && entry.believed) {
      this.#offsetMs = entry.time.wall_ms - entry.at;
    } else if (entry.type === 'time-correction') {
      this.#offsetMs = entry.after.wall_ms - entry.at;
    }
    return this.#offsetMs === undefined ? undefined : entry.mono + this.#offsetMs;
  }
}

/** One line of a table: place, boot, time, type, and what the entry says. */
export function formatRow({ index, entry, wallMs }: LogRow): string {
  const time =
    wallMs === undefined
      ? `+${(entry.mono / 1000).toFixed(3)} s`.padStart(24)
      : formatUtc(wallTimeMs(wallMs));
  const columns = [
    String(index).padStart(INDEX_COLUMNS),
    String(entry.boot).padStart(BOOT_COLUMNS),
    time,
    entry.type.padEnd(TYPE_COLUMNS),
    detailsOf(entry),
  ];
  return columns.join('  ').trimEnd();
}

export const TABLE_HEAD = [
  'entry'.padStart(INDEX_COLUMNS),
  'boot'.padStart(BOOT_COLUMNS),
  'time of the camera'.padEnd(24),
  'type'.padEnd(TYPE_COLUMNS),
  'what',
].join('  ');

const detailsOf = (entry: LogEntry): string =>
  Object.entries(entry)
    .filter(([key]) => !COMMON.has(key))
    .map(([key, value]) => `${key}=${textOf(value)}`)
    .join(' ');

function textOf(value: unknown): string {
  if (typeof value === 'string' && /^[0-9a-f]{64}$/.test(value)) {
    return `${value.slice(0, DIGITS_SHOWN)}…`;
  }
  if (typeof value === 'string') return /^[\w./+:@-]*$/.test(value) ? value : JSON.stringify(value);
  if (typeof value === 'object' && value !== null && 'wall_ms' in value && 'source' in value) {
    const { wall_ms, source } = value as { wall_ms: number; source: string };
    return `${formatUtc(wallTimeMs(wall_ms))}(${source})`;
  }
  return JSON.stringify(value);
}

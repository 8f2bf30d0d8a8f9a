/** Milliseconds since an arbitrary origin of this process; never goes back. Fractions are allowed. */
export type MonotonicMs = number & { readonly __unit: 'monotonic-ms' };
/** Milliseconds since 1970-01-01 UTC; may jump. */
export type WallTimeMs = number & { readonly __unit: 'wall-ms' };
/** Media time in ticks of 90 kHz (the clock of ISO/IEC 13818-1), counted from the start of a run. */
export type Pts90k = number & { readonly __unit: 'pts-90k' };

/** `2026-11-24T10:00:00.000Z`: RFC 3339 in UTC. */
// eslint-disable-next-line no-restricted-globals -- formats a time that it is given, asks none
export const formatUtc = (ms: WallTimeMs): string => new Date(ms).toISOString();

export const TICKS_PER_SECOND = 90_000;
export const TICKS_PER_MS = 90;

export const monotonicMs = (value: number): MonotonicMs => value as MonotonicMs;
export const wallTimeMs = (value: number): WallTimeMs => value as WallTimeMs;
export const pts90k = (value: number): Pts90k => value as Pts90k;
export const ticksToMs = (ticks: number): number => ticks / TICKS_PER_MS;
export const msToTicks = (ms: number): number => Math.round(ms * TICKS_PER_MS);

/** One segment of one recording of one boot. All three count from 0 or 1 upwards and never repeat on a device. */
export interface SegmentRef {
  readonly boot: number;
  readonly rec: number;
  readonly seq: number;
}

/** `<boot>/<rec>/<seq>`: the text form in messages, receipts and paths. */
export const formatSegmentRef = ({ boot, rec, seq }: SegmentRef): string => `${boot}/${rec}/${seq}`;

const COUNTER = /^(?:0|[1-9]\d{0,9})$/;

/** Parses `<boot>/<rec>/<seq>`; undefined when the text is anything else. Counters have at most 10 digits. */
export function parseSegmentRef(text: string): SegmentRef | undefined {
  const parts = text.split('/');
  if (parts.length !== 3 || !parts.every((part) => COUNTER.test(part))) return undefined;
  const [boot = 0, rec = 0, seq = 0] = parts.map(Number);
  return { boot, rec, seq };
}

export const sameSegment = (a: SegmentRef, b: SegmentRef): boolean =>
  a.boot === b.boot && a.rec === b.rec && a.seq === b.seq;

/** Ids of devices and receivers: they are topic levels and file names, so no `_` first, no dot, no slash. */
export const ID_PATTERN = /^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/;

import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import type { Cancel, Clock } from '../../clock.js';
import type { ClockQuality } from './wall-time.js';

/** NTP polls at most every 64 s to begin with (RFC 5905, MINPOLL 6), so nothing is learnt by asking more often. */
const REFRESH_MS = 64_000;
/** A program that prints what one system call gives is done in milliseconds. */
const TOOL_MS_MAX = 2_000;
/** Status bit of a clock that nobody holds (adjtimex(2), STA_UNSYNC). */
const STA_UNSYNC = 0x40;
/**
 * systemd-timesyncd sets both errors to 0 when it has asked its server, whatever the way there took; a phone's hotspot
 * answers within 100 ms, and half of that is the most that asymmetry may hide (RFC 5905, 8).
 */
const NTP_UNCERTAINTY_MS_MIN = 50;
/** The kernel itself calls a clock unsynchronised from 16 s on (NTP_PHASE_LIMIT of kernel/time/ntp.c). */
const ERROR_US_MAX = 16_000_000;
/**
 * How far a clock may be off that was set from an RTC or by hand: a minute is what a quartz of 50 ppm drifts in two weeks.
 */
export const UNVOUCHED_UNCERTAINTY_MS = 60_000;

/**
 * What `adjtimex --print` (Debian package adjtimex) says of the kernel's NTP state, whichever program keeps it: undefined
 * when the clock is not held by NTP or the text is anything else. The uncertainty is the kernel's greatest possible error,
 * which grows by itself until the next answer of a server.
 */
export function parseAdjtimex(text: string): ClockQuality | undefined {
  const status = numberAfter(text, 'status');
  const maxErrorUs = numberAfter(text, 'maxerror');
  const errorUs = numberAfter(text, 'esterror');
  if (status === undefined || maxErrorUs === undefined || errorUs === undefined) return undefined;
  if ((status & STA_UNSYNC) !== 0) return undefined;
  const worstUs = Math.max(maxErrorUs, errorUs);
  if (worstUs >= ERROR_US_MAX) return undefined;
  return { source: 'ntp', uncertaintyMs: Math.max(worstUs / 1_000, NTP_UNCERTAINTY_MS_MIN) };
}

function numberAfter(text: string, name: string): number | undefined {
  const [, digits] = new RegExp(`^\\s*${name}: (\\d{1,12})\\s*$`, 'm').exec(text) ?? [];
  return digits === undefined ? undefined : Number(digits);
}

/** Where the answers come from; tests have their own. */
export interface QualitySources {
  /** The text of `adjtimex --print`; undefined when there is no such program or it fails. */
  readonly adjtimex: () => Promise<string | undefined>;
  readonly hasRtc: () => Promise<boolean>;
}

/** Who holds the system clock now. Never rejects: what cannot be found out counts as nobody. */
export async function readClockQuality(sources: QualitySources): Promise<ClockQuality> {
  const ntp = parseAdjtimex((await sources.adjtimex()) ?? '');
  if (ntp !== undefined) return ntp;
  const source = (await sources.hasRtc()) ? 'rtc' : 'unset';
  return { source, uncertaintyMs: UNVOUCHED_UNCERTAINTY_MS };
}

/**
 * Tells the quality of the system clock, at once and every 64 s from then on, until cancelled. `tell` is what
 * `SystemClock.setQuality` is for.
 */
export function watchClockQuality(
  clock: Clock,
  tell: (quality: ClockQuality) => void,
  sources: QualitySources = machineSources,
): Cancel {
  let isCancelled = false;
  const refresh = async (): Promise<void> => {
    const quality = await readClockQuality(sources);
    if (!isCancelled) tell(quality);
  };
  const cancel = clock.every(REFRESH_MS, () => void refresh());
  void refresh();
  return () => {
    isCancelled = true;
    cancel();
  };
}

const machineSources: QualitySources = {
  adjtimex: () =>
    new Promise((resolve) => {
      // Debian keeps it in /sbin, which is not on the PATH of a user.
      const PATH = `${process.env['PATH'] ?? ''}:/usr/sbin:/sbin`;
      const options = { timeout: TOOL_MS_MAX, env: { PATH, LC_ALL: 'C' } };
      execFile('adjtimex', ['--print'], options, (_, stdout) => {
        // Its exit status is the kernel's: 5 (TIME_ERROR) for a clock that nobody holds, so the text decides.
        resolve(stdout === '' ? undefined : stdout);
      });
    }),
  hasRtc: () =>
    access('/sys/class/rtc/rtc0').then(
      () => true,
      () => false,
    ),
};

import type { LogEntry } from './log-entry.js';
import type { ProblemKind, VerdictState } from './verdict.js';

/** Two heartbeats of 60 s and half of one: a card that is slow for a moment makes no hole. */
export const SILENCE_MS_MAX = 150_000;

/** One boot as the log tells it. */
export interface LoggedBoot {
  readonly boot: number;
  /** First and last entry, from 0. */
  readonly first: number;
  readonly lastEntry: number;
  /** Monotonic milliseconds of those two. */
  readonly from: number;
  readonly to: number;
  /** The wall time that the camera claimed at its start, and from which source; null without a `boot` entry. */
  readonly claimed: { readonly wall_ms: number; readonly source: string } | null;
  /** False for one that was cut off, and for the one that still runs. */
  readonly hasEnded: boolean;
  readonly beats: number;
  /** Times without any entry of more than `SILENCE_MS_MAX`, in monotonic milliseconds. */
  readonly silences: readonly { readonly from: number; readonly to: number }[];
}

/** What speaks against an entry, or against what is not there; goes on from "log entry 7". */
export interface OrderFault {
  readonly state: Exclude<VerdictState, 'ok'>;
  readonly what: ProblemKind;
  readonly words: string;
}

type Row = { -readonly [K in keyof LoggedBoot]: LoggedBoot[K] } & {
  silences: { from: number; to: number }[];
};

const seconds = (ms: number): string => `${(ms / 1000).toFixed(0)} s`;

/** The order and the completeness of boots, of time within each, and of heartbeats. */
export class LogBoots {
  readonly #boots: Row[] = [];

  get list(): readonly LoggedBoot[] {
    return this.#boots;
  }

  /** What speaks against the next entry. `cert` is the digest of the certificate of its boot, as far as it is at hand. */
  add(index: number, entry: LogEntry, cert: string | undefined): readonly OrderFault[] {
    const now = this.#boots.at(-1);
    if (now === undefined || entry.boot > now.boot) return this.#begin(index, entry, now);
    if (entry.boot < now.boot) {
      const words = `is of boot ${entry.boot} and stands behind boot ${now.boot}`;
      return [{ state: 'not-ok', what: 'broken-chain', words }];
    }
    const faults = [
      ...timeFaults(entry, now),
      ...(entry.type === 'heartbeat' ? beatFaults(entry.beat, now) : []),
      ...this.#placeFaults(index, entry, now, cert),
    ];
    now.lastEntry = index;
    now.to = Math.max(now.to, entry.mono);
    now.hasEnded = entry.type === 'end';
    return faults;
  }

  #begin(index: number, entry: LogEntry, before: Row | undefined): readonly OrderFault[] {
    const { boot, mono, type } = entry;
    this.#boots.push({
      ...{ boot, first: index, lastEntry: index, from: mono, to: mono, beats: 0, silences: [] },
      claimed: type === 'boot' ? { wall_ms: entry.time.wall_ms, source: entry.time.source } : null,
      hasEnded: false,
    });
    const faults: OrderFault[] = [];
    const expected = (before?.boot ?? 0) + 1;
    if (boot > expected) {
      const which = boot === expected + 1 ? `boot ${expected}` : `boots ${expected} to ${boot - 1}`;
      const words = `begins boot ${boot}; of ${which} there is no entry`;
      faults.push({ state: 'ok-with-missing', what: 'missing', words });
    }
    if (type !== 'boot') {
      const words = `begins boot ${boot} and is ${type}`;
      faults.push({ state: 'not-ok', what: 'broken-chain', words });
    }
    return faults;
  }

  /** A boot says that it began, then with which key, and nothing behind its end. */
  #placeFaults(
    index: number,
    entry: LogEntry,
    now: Row,
    cert: string | undefined,
  ): readonly OrderFault[] {
    const wrong = (words: string): readonly OrderFault[] => [
      { state: 'not-ok', what: 'contradiction', words },
    ];
    const isSecond = index === now.first + 1;
    if (entry.type === 'boot') return wrong(`begins boot ${entry.boot} a second time`);
    if (isSecond !== (entry.type === 'session-key')) {
      return wrong(`is ${entry.type}, where the log of a boot has its session key or has not`);
    }
    if (entry.type === 'session-key' && cert !== undefined && entry.cert !== cert) {
      return wrong(`names another certificate than that of boot ${entry.boot}`);
    }
    return now.hasEnded ? wrong(`stands behind the end of boot ${entry.boot}`) : [];
  }
}

function timeFaults({ mono }: LogEntry, now: Row): readonly OrderFault[] {
  if (mono < now.to) {
    const words = `says ${mono} ms, the entry before it ${now.to} ms`;
    return [{ state: 'not-ok', what: 'contradiction', words }];
  }
  if (mono - now.to <= SILENCE_MS_MAX) return [];
  now.silences.push({ from: now.to, to: mono });
  const words = `comes after ${seconds(mono - now.to)} of silence, from ${seconds(now.to)} of boot ${now.boot} on`;
  return [{ state: 'ok-with-missing', what: 'silence', words }];
}

function beatFaults(beat: number, now: Row): readonly OrderFault[] {
  const expected = now.beats + 1;
  now.beats = Math.max(now.beats, beat);
  if (beat === expected) return [];
  if (beat < expected) {
    const words = `is heartbeat ${beat} once more`;
    return [{ state: 'not-ok', what: 'contradiction', words }];
  }
  const words = `is heartbeat ${beat}; the log did not take ${beat - expected} before it`;
  return [{ state: 'ok-with-missing', what: 'silence', words }];
}

import type { WallTime } from '../clock.js';
import type { TimeFact } from '../timekeeping.js';
import { entryWords } from './device-log.js';
import type { DeviceLog, LogFact } from './device-log.js';
import { isCardFault } from './second-try.js';

type PressFact = Extract<LogFact, { type: 'press' }>;
type ClaimedTime = Extract<LogFact, { type: 'clock-set' }>['time'];

/** An edge of a button; capture's `PressEdge` fits it. */
export interface ButtonEdge {
  readonly button: PressFact['button'];
  readonly isPressed: boolean;
  readonly at: number;
  /** One of many contacts that come within milliseconds; it may share a sync with them. */
  readonly isBounce?: boolean;
}

/** What is reported besides presses; capture's `JournalFact` fits it. */
export type ReportedFact =
  | {
      readonly type: 'mode';
      readonly mode: Extract<LogFact, { type: 'mode' }>['mode'];
      readonly reason: string;
    }
  | { readonly type: 'fault'; readonly code: string; readonly detail: string }
  | {
      readonly type: 'gap';
      readonly rec: number | null;
      readonly gapMs: number;
      readonly cause: string;
    }
  | {
      readonly type: 'mute';
      readonly rec: number;
      readonly isMuted: boolean;
      readonly at: number;
      readonly mediaMs: number;
    }
  | { readonly type: 'stealth'; readonly isStealthy: boolean }
  | { readonly type: 'category'; readonly rec: number; readonly category: string | null }
  | { readonly type: 'rolled'; readonly rec: number; readonly from: number }
  | {
      readonly type: 'heartbeat';
      readonly beat: number;
      readonly mode: Extract<LogFact, { type: 'heartbeat' }>['mode'];
      readonly isDocked: boolean;
      readonly freeBytes: number | null;
    }
  | TimeFact;

/** Keeps what the card does not take, and writes it when it does. */
export interface Memory {
  keep(what: string, work: (late: number) => Promise<unknown>): void;
}

/**
 * What capture writes into the device log. Satisfies capture's `Journal` by shape. What the card does not take is kept in
 * memory and enters the log later, with `late` saying when it was.
 */
export class Journal {
  readonly #log: DeviceLog;
  readonly #memory: Memory | undefined;
  /** Edges that wait for their outcome: as many as capture decides about at a time. */
  readonly #open = new Map<number, ButtonEdge>();
  #edges = 0;

  /** Without `memory` everything that the card does not take is lost to the log. */
  constructor(log: DeviceLog, memory?: Memory) {
    this.#log = log;
    this.#memory = memory;
  }

  /**
   * Durable before it resolves. The number names the edge within this boot, from 1. Rejects with the errors of the
   * log; the edge then has no number for the caller and needs no outcome. What the card did not take is in the log later,
   * as refused: nothing follows from an edge that is not durable.
   */
  async pressed(edge: ButtonEdge): Promise<number> {
    this.#edges += 1;
    const number = this.#edges;
    const fact = pressFact(number, edge, null, null);
    try {
      await (edge.isBounce === true ? this.#log.appendTogether(fact) : this.#log.append(fact));
    } catch (error) {
      if (isCardFault(error)) this.#keepEdge(number, edge);
      throw error;
    }
    this.#open.set(number, edge);
    return number;
  }

  /** The edge once more, with what became of it. Does nothing for a number that is no edge or has its outcome. */
  async decided(
    number: number,
    outcome: NonNullable<PressFact['outcome']>,
    latencyMs: number,
  ): Promise<void> {
    const edge = this.#open.get(number);
    if (edge === undefined) return;
    this.#open.delete(number);
    await this.#append(pressFact(number, edge, outcome, Math.round(latencyMs)));
  }

  /** Durable when it resolves, or kept in memory. */
  async record(fact: ReportedFact): Promise<void> {
    await this.#append(factOf(fact));
  }

  async #append(fact: LogFact): Promise<void> {
    try {
      await this.#log.appendSoon(fact);
    } catch (error) {
      if (this.#memory === undefined || !isCardFault(error)) throw error;
      this.#memory.keep(fact.type, (late) => this.#log.append({ ...fact, late }));
    }
  }

  #keepEdge(number: number, edge: ButtonEdge): void {
    const outcome = edge.isPressed ? 'refused-storage' : 'released';
    this.#memory?.keep('press', async (late) => {
      await this.#log.append({ ...pressFact(number, edge, null, null), late });
      await this.#log.append({ ...pressFact(number, edge, outcome, null), late });
    });
  }
}

/** What capture reports in the words of the log. */
function factOf(fact: ReportedFact): LogFact {
  switch (fact.type) {
    case 'mode':
      return { ...fact, reason: entryWords(fact.reason) };
    case 'fault':
      return { type: 'fault', code: entryWords(fact.code), detail: entryWords(fact.detail) };
    case 'gap': {
      const { rec, gapMs, cause } = fact;
      return { type: 'gap', rec, gap_ms: Math.round(gapMs), cause: entryWords(cause) };
    }
    case 'mute': {
      const { rec, isMuted, at, mediaMs } = fact;
      const times = { at: Math.round(at), media_ms: Math.round(mediaMs) };
      return { type: 'mute', rec, on: isMuted, ...times };
    }
    case 'stealth':
      return { type: 'stealth', on: fact.isStealthy };
    case 'category':
      return { type: 'category', rec: fact.rec, category: fact.category };
    case 'rolled':
      return { type: 'rolled', rec: fact.rec, from: fact.from };
    case 'heartbeat': {
      const { beat, mode, isDocked, freeBytes } = fact;
      return { type: 'heartbeat', beat, mode, docked: isDocked, free_bytes: freeBytes };
    }
    case 'clock-set':
      return {
        type: 'clock-set',
        at: Math.round(fact.at),
        from: claimed(fact.from),
        time: claimed(fact.to),
        step_ms: wholeStep(fact.stepMs),
        believed: fact.isBelieved,
      };
    case 'time-correction':
      return {
        type: 'time-correction',
        at: Math.round(fact.at),
        before: claimed(fact.before),
        after: claimed(fact.after),
        step_ms: wholeStep(fact.after.ms - fact.before.ms),
      };
  }
}

/** Never -0, which has no canonical form: half a millisecond back is no step, and must not cost the entry. */
const wholeStep = (ms: number): number => Math.round(ms) || 0;

/** A clock before 1970, which only a broken one shows, counts as 1970. */
const claimed = ({ ms, source, uncertaintyMs }: WallTime): ClaimedTime => ({
  source,
  wall_ms: Math.max(0, Math.round(ms)),
  uncertainty_ms: Math.round(uncertaintyMs),
});

const pressFact = (
  edge: number,
  { button, isPressed, at }: ButtonEdge,
  outcome: PressFact['outcome'],
  latency: number | null,
): PressFact => ({
  type: 'press',
  edge,
  button,
  pressed: isPressed,
  at: Math.round(at),
  outcome,
  latency_ms: latency,
});

import { msToTicks, ticksToMs, type MonotonicMs, type Pts90k } from '../units.js';
import { bytesOfFragment, gapBetween90k } from './fragments.js';
import type { Fragment, PreEventFacts, PreEventShortfall } from './ports.js';

export interface BufferLimits {
  /** How far back a press may ask, counted from the newest picture. */
  readonly ms: number;
  /** moof and mdat of all fragments. The limit that protects the process; a buffer cut short by it says so. */
  readonly bytes: number;
}

/** The open GOP: its run, where it starts, and its newest picture. */
interface OpenPart {
  readonly run: number;
  readonly start90k: Pts90k;
  readonly newest90k: Pts90k;
}

/** The moment a press goes back from. */
export interface MediaPosition {
  readonly at: MonotonicMs;
  /** Undefined when no GOP is open. */
  readonly open?: OpenPart | undefined;
  /** Time without pictures up to `at`; 0 while video runs. */
  readonly silentMs: number;
}

export interface PreEvent extends PreEventFacts {
  /** From the oldest on. The open GOP belongs to the pre-event as well, and follows as a fragment of its own. */
  readonly fragments: readonly Fragment[];
}

/**
 * The last seconds of video as finished fragments, recording or not. Fragments of earlier runs stay: a crashed pipeline
 * costs the time until it is back, not the past.
 *
 * INVARIANTS
 * 1. It holds whole GOPs only, oldest first, never more than `limits.bytes`.
 * 2. Nothing in it is older than what a press may ask for and one GOP.
 * 3. Whatever it hands out is shared, never copied; dropping a fragment here does not take it from a recording.
 */
export class PreEventBuffer {
  #limits: BufferLimits;
  #fragments: Fragment[] = [];
  #bytes = 0;
  /** Why there is nothing before the oldest fragment. */
  #nothingOlder: PreEventShortfall = 'boot';

  constructor(limits: BufferLimits) {
    this.#limits = limits;
  }

  /** Takes effect at once; a longer buffer fills up with time. */
  setLimits(limits: BufferLimits): void {
    this.#limits = limits;
    this.#trim();
  }

  push(fragment: Fragment): void {
    this.#fragments.push(fragment);
    this.#bytes += bytesOfFragment(fragment);
    this.#trim();
  }

  /** Forgets everything, as a camera does that goes to sleep. */
  clear(why: PreEventShortfall): void {
    this.#fragments = [];
    this.#bytes = 0;
    this.#nothingOlder = why;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** Video held, without the gaps between runs. */
  get ms(): number {
    return ticksToMs(this.#fragments.reduce((sum, { duration90k }) => sum + duration90k, 0));
  }

  get isEmpty(): boolean {
    return this.#fragments.length === 0;
  }

  /**
   * What a press at `position` gets: the fewest fragments that reach `askedMs` back from the newest picture, so at
   * least `askedMs` and at most one GOP more. Time without pictures counts as passed, so that nothing older than asked
   * reaches storage; `gotMs` counts pictures only, up to the newest one. When it is less than `askedMs`, `reason` says
   * why: `boot` when there never was more, `memory` when the byte limit took it, `pipeline-restart` when a gap did.
   */
  select(askedMs: number, position: MediaPosition): PreEvent {
    const { index, got90k, isReached } = this.#reach(askedMs, position);
    const fragments = this.#fragments.slice(index);
    const gotMs = ticksToMs(got90k);
    if (gotMs >= askedMs) return { fragments, askedMs, gotMs, reason: 'none' };
    const reason = isReached ? 'pipeline-restart' : this.#nothingOlder;
    return { fragments, askedMs, gotMs, reason };
  }

  /** Walks back from the position until `ms` are reached or nothing is left. `index` is the oldest fragment needed. */
  #reach(ms: number, { at, open, silentMs }: MediaPosition): Reach {
    const wanted90k = msToTicks(ms);
    const open90k = open ? open.newest90k - open.start90k : 0;
    let got90k = open90k;
    let back90k = open90k + msToTicks(silentMs);
    let index = this.#fragments.length;
    while (back90k < wanted90k) {
      const fragment = this.#fragments[index - 1];
      if (fragment === undefined) return { index, got90k, isReached: false, isAtGap: false };
      const after = this.#fragments[index];
      if (after) back90k += gapBetween90k(fragment, after);
      else if (open) back90k += gapToOpen90k(fragment, open, at - silentMs - ticksToMs(open90k));
      if (back90k >= wanted90k) return { index, got90k, isReached: true, isAtGap: true };
      back90k += fragment.duration90k;
      got90k += fragment.duration90k;
      index -= 1;
    }
    return { index, got90k, isReached: true, isAtGap: false };
  }

  #trim(): void {
    const newest = this.#fragments.at(-1);
    if (newest === undefined) return;
    const reach = this.#reach(this.#limits.ms, { at: newest.arrivedAt, silentMs: 0 });
    for (let count = reach.index; count > 0; count -= 1) {
      this.#drop(reach.isAtGap ? 'pipeline-restart' : 'memory');
    }
    while (this.#bytes > this.#limits.bytes) this.#drop('memory');
  }

  #drop(why: PreEventShortfall): void {
    const oldest = this.#fragments.shift();
    if (oldest) this.#bytes -= bytesOfFragment(oldest);
    this.#nothingOlder = why;
  }
}

interface Reach {
  readonly index: number;
  readonly got90k: number;
  readonly isReached: boolean;
  /** True when a gap reached the rest of the way: whatever lies before it is too old. */
  readonly isAtGap: boolean;
}

/** As `gapBetween90k`, to one frame, for the open GOP, whose first picture arrived at `openedAtMs`. */
const gapToOpen90k = (before: Fragment, open: OpenPart, openedAtMs: number): number =>
  Math.max(
    0,
    before.run === open.run
      ? open.start90k - before.start90k - before.duration90k
      : msToTicks(openedAtMs - before.arrivedAt),
  );

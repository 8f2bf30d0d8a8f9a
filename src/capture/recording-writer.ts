import type { Clock } from '../clock.js';
import { hasErrorCode } from '../errors.js';
import { ticksToMs, type MonotonicMs } from '../units.js';
import { addStretch, type Mute, type SilentStretch } from './audio-track.js';
import { bytesOfFragment } from './fragments.js';
import type {
  AudioInterval,
  Fragment,
  Mark,
  OpenSegment,
  PreEventFacts,
  RecordingSink,
  SegmentEnd,
  Trigger,
} from './ports.js';
import { withRotation, type Rotation } from './rotation.js';
import { emptyRecording, placeFragment, type Placement, type SegmenterState } from './segmenter.js';
import type { WriteBudget } from './write-budget.js';

export interface WriterOptions {
  readonly rec: number;
  readonly preEvent: PreEventFacts;
  /** Its start on the monotonic clock, to one frame, as far as it is known before the first fragment is there. */
  readonly startsAt: MonotonicMs;
  readonly trigger: Trigger;
  readonly segmentMs: number;
  readonly audio: RecordingAudio;
  readonly rotation: Rotation;
}

/** What of the sound a recording takes. */
export interface RecordingAudio {
  /** Nothing heard before is written. */
  readonly from: MonotonicMs;
  /** The mutes up to now. */
  readonly mutes: () => readonly Mute[];
  /** Whether there should be sound: its absence is told as a loss then. */
  readonly isExpected: boolean;
}

export interface WriterEvents {
  /** The first call to the storage for a fragment is made now. */
  appending(): void;
  /** One more fragment is durable; `fragments` counts them. */
  durable(fragments: number): void;
  sealed(seq: number): void;
  /** Pictures are missing between two fragments of one run. */
  hole(gapMs: number): void;
  /** The storage failed; nothing more is written. At most once. */
  failed(error: unknown): void;
}

interface Open {
  readonly segment: OpenSegment;
  readonly seq: number;
  /** When its first picture arrived, and where that stands in the recording. */
  readonly startedAt: MonotonicMs;
  readonly mediaMs: number;
}

/**
 * Writes one recording: places its fragments, opens and seals its segments.
 *
 * INVARIANTS
 * 1. Fragments reach the storage in the order of `add`, each once, or the recording has failed.
 * 2. The next segment is open before the one before it is sealed, so that a full card can still say which one is the
 *    last; seals are asked for in the order of the segments.
 * 3. What waits is counted in the budget, from `add` until the storage has answered.
 */
export class RecordingWriter {
  readonly rec: number;
  readonly #clock: Clock;
  readonly #sink: RecordingSink;
  readonly #budget: WriteBudget;
  readonly #options: WriterOptions;
  readonly #events: WriterEvents;
  #place: SegmenterState = emptyRecording;
  #work: Promise<void> = Promise.resolve();
  readonly #pending = new Set<Promise<void>>();
  #open: Open | undefined;
  #marks: MonotonicMs[] = [];
  /** Where the sound of the open segment is silent. */
  #silence: SilentStretch[] = [];
  #durable = 0;
  #hasFailed = false;
  #isOver = false;
  #startsAt: MonotonicMs;

  constructor(
    clock: Clock,
    sink: RecordingSink,
    budget: WriteBudget,
    options: WriterOptions,
    events: WriterEvents,
  ) {
    this.rec = options.rec;
    this.#clock = clock;
    this.#sink = sink;
    this.#budget = budget;
    this.#options = options;
    this.#startsAt = options.startsAt;
    this.#events = events;
  }

  /** From the start of the recording to the end of the newest fragment added, gaps included. */
  get durationMs(): number {
    return ticksToMs(this.#place.timeline90k);
  }

  /** Where the moment `at` falls in the recording, to one frame; what was added up to then is the measure. */
  mediaMsAt(at: MonotonicMs): number {
    const sinceMs = at - (this.#place.newest?.arrivedAt ?? this.#startsAt);
    return Math.max(0, Math.round(this.durationMs + sinceMs));
  }

  /** When its newest picture arrived; undefined before the first. */
  get endsAt(): MonotonicMs | undefined {
    return this.#place.newest?.arrivedAt;
  }

  /** It begins where another ended. */
  startAt(at: MonotonicMs): void {
    this.#startsAt = at;
  }

  get hasFailed(): boolean {
    return this.#hasFailed;
  }

  /**
   * Gives the fragment its place now and writes it after those before it. Returns false when it was refused because too
   * much waits for the card.
   */
  add(fragment: Fragment): boolean {
    if (this.#hasFailed || this.#isOver) return true;
    const bytes = bytesOfFragment(fragment);
    if (!this.#budget.take(bytes)) return false;
    const before = this.#place;
    const { segmentMs, audio } = this.#options;
    const rules = { ...audio, mutes: audio.mutes() };
    const { state, placement } = placeFragment(before, fragment, segmentMs, rules);
    this.#place = state;
    const gapMs = placement.opening?.gapBeforeMs ?? 0;
    if (gapMs > 0 && before.newest?.run === fragment.run) this.#events.hole(gapMs);
    this.#enqueue(() => this.#write(placement, bytes, gapMs > 0 ? 'stall' : 'normal'));
    return true;
  }

  /**
   * The mark goes into the metadata of the segment that is open when its turn comes, or of the first. Where it stands in the
   * recording is known by when that segment began; one from before the recording stands at its start.
   */
  mark(at: MonotonicMs): void {
    this.#enqueue(() => {
      this.#marks.push(at);
      return Promise.resolve();
    });
  }

  /** No fragment follows: seals the last segment. Resolves when all is sealed or the recording has failed. */
  async finish(end: SegmentEnd = 'normal'): Promise<void> {
    this.#isOver = true;
    this.#enqueue(() => {
      this.#seal(end, true);
      return Promise.resolve();
    });
    await this.settled();
  }

  /** Writes nothing more, and gives the open segment up for recovery. Says nothing. */
  abandon(): void {
    this.#fail(undefined);
  }

  /** Resolves when everything asked for so far is written, or given up. */
  async settled(): Promise<void> {
    await this.#work;
    while (this.#pending.size > 0) await Promise.all(this.#pending);
  }

  #enqueue(job: () => Promise<void>): void {
    this.#work = this.#work.then(job).catch((error: unknown) => {
      this.#fail(error);
    });
  }

  async #write(placement: Placement, bytes: number, endOfLast: SegmentEnd): Promise<void> {
    let appended = Promise.resolve();
    try {
      if (placement.tail && this.#open && !this.#hasFailed) {
        this.#track(this.#open.segment.append(placement.tail));
      }
      this.#note(placement.tailSilence);
      if (placement.opening && !this.#hasFailed) await this.#rotate(placement.opening, endOfLast);
      this.#note(placement.silence);
      if (this.#open && !this.#hasFailed) {
        this.#events.appending();
        appended = this.#open.segment.append(placement.placed).then(() => {
          this.#durable += 1;
          this.#events.durable(this.#durable);
        });
      }
    } finally {
      // Not awaited: the storage keeps the order and makes neighbours durable together.
      this.#track(
        appended.finally(() => {
          this.#budget.giveBack(bytes);
        }),
      );
    }
    await this.#clock.nextTurn();
  }

  #note(silence: readonly SilentStretch[]): void {
    for (const stretch of silence) addStretch(this.#silence, stretch);
  }

  async #rotate(opening: NonNullable<Placement['opening']>, endOfLast: SegmentEnd): Promise<void> {
    const { rec, preEvent, trigger, rotation } = this.#options;
    const init = withRotation(opening.init, rotation);
    const common = { ...opening, rec, rotation, init };
    const facts = opening.seq === 0 ? { ...common, preEvent, trigger } : common;
    try {
      const segment = await this.#sink.openSegment(facts);
      this.#seal(endOfLast, false);
      const { seq, startedAt, mediaMs } = opening;
      this.#open = { segment, seq, startedAt, mediaMs };
    } catch (error) {
      if (hasErrorCode(error, 'storage/disk-full')) this.#seal('storage-full', true);
      throw error;
    }
  }

  #seal(end: SegmentEnd, isLast: boolean): void {
    const open = this.#open;
    if (open === undefined) return;
    this.#open = undefined;
    const marks = this.#marks.map((at) => markIn(open, at));
    this.#marks = [];
    const audio = this.#silence.map(intervalOf);
    this.#silence = [];
    this.#track(
      open.segment.seal({ end, isLast, marks, audio }).then(() => {
        this.#events.sealed(open.seq);
      }),
    );
  }

  #track(promise: Promise<void>): void {
    const tracked = promise
      .catch((error: unknown) => {
        this.#fail(error);
      })
      .finally(() => this.#pending.delete(tracked));
    this.#pending.add(tracked);
  }

  #fail(error: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const { segment } = this.#open ?? {};
    this.#open = undefined;
    if (segment) this.#track(segment.abandon());
    if (error !== undefined) this.#events.failed(error);
  }
}

const markIn = ({ startedAt, mediaMs }: Open, at: MonotonicMs): Mark => ({
  at,
  mediaMs: Math.max(0, Math.round(mediaMs + at - startedAt)),
});

/** In whole milliseconds: a mute not longer than it is, a loss not shorter. */
function intervalOf({ kind, from90k, to90k }: SilentStretch): AudioInterval {
  const [from, to] = [ticksToMs(from90k), ticksToMs(to90k)];
  return kind === 'mute'
    ? { kind, fromMs: Math.ceil(from), toMs: Math.floor(to) }
    : { kind, fromMs: Math.floor(from), toMs: Math.ceil(to) };
}

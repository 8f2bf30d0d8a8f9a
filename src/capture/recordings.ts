import type { Clock } from '../clock.js';
import { monotonicMs, type MonotonicMs } from '../units.js';
import { DURABLE_MS_MAX } from './indicator.js';
import { Mutes } from './mutes.js';
import type { Fragment, RecordingSink, Trigger } from './ports.js';
import type { PreEvent } from './pre-event-buffer.js';
import type { Rotation } from './rotation.js';
import { RecordingWriter, type RecordingAudio } from './recording-writer.js';
import { WriteBudget } from './write-budget.js';

/** First call to the storage; first fragment durable; all that the pre-event buffer held durable. */
export type StartStep = 'first-append' | 'first-durable' | 'pre-event-durable';

export interface RecordingsEvents {
  /** Milliseconds from the press edge to a step of the recording that it started. */
  reached(step: StartStep, rec: number, latencyMs: number): void;
  sealed(rec: number, seq: number): void;
  /** All segments are sealed. Not called for a recording that failed. */
  stopped(rec: number, durationMs: number): void;
  /** The storage failed it. `isActive`: it was the running one and not one that was ending. */
  failed(rec: number, error: unknown, isActive: boolean): void;
  /** Too much waits for the card: fragments are refused from now on, until half of it is written. */
  queueFull(): void;
  /** Pictures of one run are missing in it. */
  hole(rec: number, gapMs: number): void;
}

/** What recordings take of the sound. */
export interface AudioSettings {
  /** Whether there should be sound. */
  readonly isOn: boolean;
  /** Whether what was heard before the press belongs to the recording. */
  readonly isInPreEvent: boolean;
}

/**
 * The moment of a frame is known to the shortest delay of the pipeline, some 10 ms, too late. Nothing from before a press
 * may be heard: what is less than this younger is left out as well.
 */
const PRESS_GUARD_MS = 50;

/** What a recording begins with. */
export interface RecordingStart {
  readonly rec: number;
  readonly segmentMs: number;
  readonly trigger: Trigger;
  readonly preEvent: PreEvent;
  /** Fragments finished since the press. */
  readonly later: readonly Fragment[];
  readonly pressedAt: MonotonicMs;
  /** How the pictures are turned; not at all when it is left out. */
  readonly rotation?: Rotation;
}

interface Running {
  readonly writer: RecordingWriter;
  readonly rotation: Rotation;
  readonly startedAt: MonotonicMs;
  /** Fragments up to this GOP belong to the recording before it. */
  readonly afterGop: number;
  lastDurableAt: MonotonicMs | undefined;
}

/** A recording that ends with the GOP `untilGop`, and goes on in `next` when it was rolled over. */
interface Finishing {
  readonly running: Running;
  readonly untilGop: number;
  readonly next: Running | undefined;
}

/**
 * The running recording, and those that still wait for their last GOP or for the card.
 *
 * INVARIANTS
 * 1. At most one recording is active. One that was stopped takes fragments up to the GOP of its stop and is sealed then.
 * 2. All of them together let no more wait for the card than the limit.
 */
export class Recordings {
  readonly #clock: Clock;
  readonly #sink: RecordingSink;
  readonly #events: RecordingsEvents;
  readonly #budget: WriteBudget;
  readonly #finishing = new Set<Finishing>();
  readonly #sealing = new Set<Promise<void>>();
  readonly #audio: AudioSettings;
  readonly #mutes = new Mutes();
  #active: Running | undefined;
  #wasFull = false;

  constructor(
    ports: { readonly clock: Clock; readonly sink: RecordingSink },
    queueBytesMax: number,
    audio: AudioSettings,
    events: RecordingsEvents,
  ) {
    this.#audio = audio;
    this.#clock = ports.clock;
    this.#sink = ports.sink;
    this.#events = events;
    this.#budget = new WriteBudget(queueBytesMax);
  }

  get active(): { readonly rec: number; readonly startedAt: MonotonicMs } | undefined {
    return this.#active && { rec: this.#active.writer.rec, startedAt: this.#active.startedAt };
  }

  get waitingBytes(): number {
    return this.#budget.waiting;
  }

  /** The newest durable write of the active recording. */
  get lastDurableAt(): MonotonicMs | undefined {
    return this.#active?.lastDurableAt;
  }

  /** Whether the active recording has become durable lately. */
  get isDurable(): boolean {
    const at = this.#active?.lastDurableAt;
    return at !== undefined && this.#clock.monotonicMs() - at < DURABLE_MS_MAX;
  }

  /** Whether something has waited for the card for so long that a wearer must know. */
  get isCardSlow(): boolean {
    if (this.#active === undefined || this.#budget.waiting === 0) return false;
    const since = this.#active.lastDurableAt ?? this.#active.startedAt;
    return this.#clock.monotonicMs() - since >= DURABLE_MS_MAX;
  }

  /** Which recording the moment `at`, of just now, is in, and where, to one frame; undefined when none is running. */
  placeOf(at: MonotonicMs): { readonly rec: number; readonly mediaMs: number } | undefined {
    const writer = this.#writerNow();
    return writer && { rec: writer.rec, mediaMs: writer.mediaMsAt(at) };
  }

  /** Whether any recording is running, or waits for its end. */
  get isIdle(): boolean {
    return this.#active === undefined && this.#finishing.size === 0;
  }

  /**
   * From the moment `at` on, at the latest from the AAC frame on that has something of it, every recording is silent,
   * until it is called with false; pictures go on. The silence is in `SegmentClosing.audio`. Call it in the turn in which
   * the button moved: what has been written already stays.
   */
  setMuted(at: MonotonicMs, isMuted: boolean): void {
    this.#mutes.set(at, isMuted);
  }

  get isMuted(): boolean {
    return this.#mutes.isMuted;
  }

  /** Makes a recording the active one and writes what the press fixed. */
  begin(start: RecordingStart): void {
    // A mute ends with its recording, however that ended.
    this.#mutes.set(this.#clock.monotonicMs(), false);
    const running = this.#running(start, 0, undefined);
    this.#active = running;
    for (const fragment of [...start.preEvent.fragments, ...start.later]) {
      this.#add(running, fragment);
    }
  }

  /**
   * Ends the active recording with the GOP given, as `stop` does, and goes on in a new one with the GOP after it. No
   * fragment is lost, none is in both.
   */
  roll(rec: number, segmentMs: number, untilGop: number | undefined): void {
    const before = this.#active;
    if (before === undefined) return;
    const at = this.#clock.monotonicMs();
    const preEvent: PreEvent = { fragments: [], askedMs: 0, gotMs: 0, reason: 'none' };
    const { rotation } = before;
    const start = { rec, segmentMs, preEvent, later: [], pressedAt: at, rotation };
    const next = this.#running({ ...start, trigger: 'roll' }, untilGop ?? 0, before.lastDurableAt);
    this.#end(untilGop, next);
    this.#active = next;
  }

  #running(
    start: RecordingStart,
    afterGop: number,
    lastDurableAt: MonotonicMs | undefined,
  ): Running {
    const { rec, preEvent, pressedAt, trigger, segmentMs, rotation = 0 } = start;
    const { askedMs, gotMs, reason } = preEvent;
    const running: Running = {
      startedAt: this.#clock.monotonicMs(),
      afterGop,
      lastDurableAt,
      rotation,
      writer: new RecordingWriter(
        this.#clock,
        this.#sink,
        this.#budget,
        {
          rec,
          segmentMs,
          trigger,
          rotation,
          preEvent: { askedMs, gotMs, reason },
          startsAt: monotonicMs(pressedAt - gotMs),
          audio: this.#audioFrom(trigger === 'roll' ? undefined : pressedAt),
        },
        {
          appending: once(() => {
            this.#reach('first-append', rec, pressedAt);
          }),
          durable: (fragments) => {
            running.lastDurableAt = this.#clock.monotonicMs();
            if (fragments === 1) this.#reach('first-durable', rec, pressedAt);
            if (fragments === preEvent.fragments.length) {
              this.#reach('pre-event-durable', rec, pressedAt);
            }
          },
          sealed: (seq) => {
            this.#events.sealed(rec, seq);
          },
          hole: (gapMs) => {
            this.#events.hole(rec, gapMs);
          },
          failed: (error) => {
            this.#events.failed(rec, error, running === this.#active);
          },
        },
      ),
    };
    return running;
  }

  /** `gop` is the number of the fragment's GOP. */
  add(fragment: Fragment, gop: number): void {
    if (this.#active) this.#addAfter(this.#active, fragment, gop);
    for (const finishing of this.#finishing) {
      this.#addAfter(finishing.running, fragment, gop);
      if (gop >= finishing.untilGop) this.#finish(finishing);
    }
  }

  /**
   * Marks the moment `at`, of just now or of the press that has turned out to be a mark just now; nothing for a press whose
   * moment is not known any more.
   */
  mark(at: MonotonicMs | undefined): void {
    if (at !== undefined) this.#writerNow()?.mark(at);
  }

  /** The active recording ends with the GOP given, or with what it has when no GOP is open. */
  stop(untilGop: number | undefined): void {
    this.#end(untilGop, undefined);
  }

  #end(untilGop: number | undefined, next: Running | undefined): void {
    const running = this.#active;
    if (running === undefined) return;
    this.#active = undefined;
    const finishing = { running, untilGop: untilGop ?? 0, next };
    this.#finishing.add(finishing);
    if (untilGop === undefined) this.#finish(finishing);
  }

  /** Gives the active recording up; recovery seals it. */
  abandon(): void {
    this.#active?.writer.abandon();
    this.#active = undefined;
  }

  /** Ends whatever still waits for a GOP; resolves when every recording that was stopped is sealed or has failed. */
  async finishAll(): Promise<void> {
    for (const finishing of this.#finishing) this.#finish(finishing);
    while (this.#sealing.size > 0) await Promise.all(this.#sealing);
  }

  /** What happens now is in the GOP that is open: after a roll-over that is still one of the recording before. */
  #writerNow(): RecordingWriter | undefined {
    const rolling = [...this.#finishing].find(({ next }) => next && next === this.#active);
    return (rolling?.running ?? this.#active)?.writer;
  }

  /** Without a press, the recording goes on from another, sound and all. */
  #audioFrom(pressedAt: MonotonicMs | undefined): RecordingAudio {
    const { isOn, isInPreEvent } = this.#audio;
    const isAll = isInPreEvent || pressedAt === undefined;
    const from = monotonicMs(isAll ? Number.MIN_SAFE_INTEGER : pressedAt + PRESS_GUARD_MS);
    return { from, mutes: () => this.#mutes.list(), isExpected: isOn };
  }

  /** One that was stopped in the GOP in which it had rolled over gets nothing: that GOP is in the recording before it. */
  #addAfter(running: Running, fragment: Fragment, gop: number): void {
    if (gop > running.afterGop) this.#add(running, fragment);
  }

  #add({ writer }: Running, fragment: Fragment): void {
    const isRefused = !writer.add(fragment);
    if (isRefused && !this.#wasFull) this.#events.queueFull();
    this.#wasFull = isRefused;
  }

  #reach(step: StartStep, rec: number, pressedAt: MonotonicMs): void {
    this.#events.reached(step, rec, this.#clock.monotonicMs() - pressedAt);
  }

  #finish(finishing: Finishing): void {
    this.#finishing.delete(finishing);
    const { writer } = finishing.running;
    if (writer.endsAt !== undefined) finishing.next?.writer.startAt(writer.endsAt);
    const sealing = writer
      .finish()
      .then(() => {
        if (!writer.hasFailed) this.#events.stopped(writer.rec, writer.durationMs);
      })
      .finally(() => this.#sealing.delete(sealing));
    this.#sealing.add(sealing);
  }
}

function once(callback: () => void): () => void {
  let isCalled = false;
  return () => {
    if (!isCalled) callback();
    isCalled = true;
  };
}

import type { Cancel, Clock } from '../clock.js';
import { CameraError, messageOf } from '../errors.js';
import type { Logger } from '../log.js';
import type { MonotonicMs } from '../units.js';
import { withDeadline } from './deadline.js';
import type { FactLog } from './fact-log.js';
import {
  acceptEdge,
  nextDeadline,
  passTime,
  restingButton,
  type ButtonState,
  type Gesture,
  type GestureStep,
  type PressTiming,
} from './gestures.js';
import type { Journal, PressEdge, PressOutcome } from './ports.js';

/** A thumb makes ten edges a second, a bouncing contact some hundred; more is a broken button. */
const EDGES_WAITING_MAX = 256;
/** A log that has not taken a press after this long has failed; the wearer must not wait longer for an answer. */
const PRESS_LOG_MS_MAX = 3000;

/** A press, a tap or a hold of a button; `Moment` is what was kept of the moment of its first edge. */
export type PressGesture = Extract<Gesture, { readonly press: number }>;

export interface PressDeskEvents<Moment> {
  /** In the turn of the edge itself: what must be remembered of this moment until the edge is decided. */
  moment(edge: PressEdge): Moment;
  /** Answered in order: the next gesture waits for this one. */
  gesture(button: PressEdge['button'], gesture: PressGesture): Promise<void>;
  /** The edge is decided, or will never be: its moment can be forgotten. */
  done(moment: Moment): void;
  /** The log did not take the edge, so nothing may follow from it. */
  unlogged(edge: PressEdge, error: CameraError): void;
}

interface KnownEdge<Moment> {
  readonly at: MonotonicMs;
  readonly moment: Moment;
}

/**
 * Takes the edges of the buttons, has them written into the log, and only then asks what they mean.
 *
 * INVARIANTS
 * 1. No gesture is handed on before the edges that make it are durable in the log, in the order in which they came.
 * 2. Every edge in the log is decided exactly once.
 */
export class PressDesk<Moment> {
  readonly #clock: Clock;
  readonly #journal: Journal;
  readonly #facts: FactLog;
  readonly #log: Logger;
  readonly #timing: PressTiming;
  readonly #events: PressDeskEvents<Moment>;
  readonly #buttons: Record<PressEdge['button'], ButtonState> = {
    record: restingButton,
    function: restingButton,
  };
  readonly #edges = new Map<number, KnownEdge<Moment>>();
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  #timer: Cancel | undefined;

  constructor(
    ports: { readonly clock: Clock; readonly journal: Journal; readonly log: Logger },
    facts: FactLog,
    timing: PressTiming,
    events: PressDeskEvents<Moment>,
  ) {
    this.#clock = ports.clock;
    this.#journal = ports.journal;
    this.#log = ports.log;
    this.#facts = facts;
    this.#timing = timing;
    this.#events = events;
  }

  edge(edge: PressEdge): void {
    if (this.#waiting >= EDGES_WAITING_MAX) {
      const message = `${this.#waiting} edges of the buttons wait for the log`;
      this.#events.unlogged(edge, new CameraError('capture/queue-full', message));
      return;
    }
    const moment = this.#events.moment(edge);
    this.#waiting += 1;
    this.#enqueue(async () => {
      try {
        await this.#take(edge, moment);
      } finally {
        this.#waiting -= 1;
      }
    });
  }

  /** What became of an edge that a gesture named. */
  decide(edge: number, outcome: PressOutcome): void {
    const known = this.#edges.get(edge);
    if (known === undefined) return;
    this.#edges.delete(edge);
    this.#facts.decided(edge, outcome, Math.max(0, this.#clock.monotonicMs() - known.at));
    this.#events.done(known.moment);
  }

  /** What was kept of the moment of an edge that is not decided yet. */
  momentOf(edge: number): Moment | undefined {
    return this.#edges.get(edge)?.moment;
  }

  /** Resolves when every edge so far has been dealt with. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async #take(edge: PressEdge, moment: Moment): Promise<void> {
    let number: number;
    try {
      number = await withDeadline(
        this.#clock,
        this.#journal.pressed(edge),
        PRESS_LOG_MS_MAX,
        'writing a press into the log',
      );
    } catch (cause) {
      this.#events.done(moment);
      const error =
        cause instanceof CameraError
          ? cause
          : new CameraError('storage/io', messageOf(cause), { cause });
      this.#events.unlogged(edge, error);
      return;
    }
    this.#edges.set(number, { at: edge.at, moment });
    const numbered = { edge: number, isPressed: edge.isPressed, at: edge.at };
    await this.#apply(edge.button, acceptEdge(this.#buttons[edge.button], numbered, this.#timing));
  }

  async #apply(button: PressEdge['button'], { state, gestures }: GestureStep): Promise<void> {
    this.#buttons[button] = state;
    this.#arm();
    for (const gesture of gestures) {
      if (gesture.type === 'bounce') this.decide(gesture.edge, 'bounce');
      else if (gesture.type === 'release') this.decide(gesture.edge, 'released');
      else await this.#events.gesture(button, gesture);
    }
  }

  #arm(): void {
    this.#timer?.();
    const due = Math.min(
      ...Object.values(this.#buttons).map((it) => nextDeadline(it, this.#timing) ?? Infinity),
    );
    if (due === Infinity) return;
    this.#timer = this.#clock.after(Math.max(0, due - this.#clock.monotonicMs()), () => {
      this.#enqueue(() => this.#passTime());
    });
  }

  /** After a pause of the process, edges that wait have their turn before a hold is judged. */
  async #passTime(): Promise<void> {
    await this.#clock.nextTurn();
    const now = this.#clock.monotonicMs();
    for (const button of ['record', 'function'] as const) {
      await this.#apply(button, passTime(this.#buttons[button], now, this.#timing));
    }
  }

  #enqueue(job: () => Promise<void>): void {
    this.#work = this.#work.then(job).catch((error: unknown) => {
      this.#log.error({ error: messageOf(error) }, 'a press could not be dealt with');
    });
  }
}

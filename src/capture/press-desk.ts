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

/** A press of a button, and what becomes of it; `Moment` is what was kept of the moment of its first edge. */
export type PressGesture = Extract<
  Gesture,
  { readonly type: 'press' | 'tap' | 'holding' | 'hold' | 'longHold' }
>;

export interface PressDeskEvents<Moment> {
  /** In the turn of the edge itself: what must be remembered of this moment until the edge is decided. */
  moment(edge: PressEdge): Moment;
  /** Answered in order: the next gesture waits for this one. */
  gesture(button: PressEdge['button'], gesture: PressGesture): Promise<void>;
  /** The button came up, whatever its press was. */
  released(button: PressEdge['button']): void;
  /** The edge is decided, or will never be: its moment can be forgotten. */
  done(moment: Moment): void;
  /** The log did not take the edge, so no gesture will follow from it. */
  unlogged(edge: PressEdge, error: CameraError): void;
}

interface Overflow {
  newest: PressEdge;
}

interface KnownEdge<Moment> {
  readonly at: MonotonicMs;
  readonly button: PressEdge['button'];
  readonly moment: Moment;
}

/**
 * Takes the edges of the buttons, has them written into the log, and only then asks what they mean.
 *
 * INVARIANTS
 * 1. No gesture is handed on before the edges that make it are durable in the log, in the order in which they came.
 * 2. Every edge in the log is decided exactly once.
 * 3. An edge that is not in the log moves its button in its turn, so that the edges after it are not taken for others,
 *    and nothing else follows from it: no start, no mark, no stop.
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
    fall: restingButton,
    command: restingButton,
    peer: restingButton,
  };
  readonly #edges = new Map<number, KnownEdge<Moment>>();
  #work: Promise<void> = Promise.resolve();
  #waiting = 0;
  readonly #waitingOf: Record<PressEdge['button'], number> = {
    record: 0,
    function: 0,
    fall: 0,
    command: 0,
    peer: 0,
  };
  /** The newest edge of a button for which there was no room behind the last one that waits for the log. */
  #overflow: Partial<Record<PressEdge['button'], Overflow | undefined>> = {};
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
      this.#overflowWith(edge);
      return;
    }
    this.#overflow = {};
    const moment = this.#events.moment(edge);
    // Asked for at once: the contacts of a bounce wait for one sync together, not each for its own.
    const numbered = this.#journal.pressed(edge);
    numbered.catch(() => undefined);
    this.#waiting += 1;
    this.#waitingOf[edge.button] += 1;
    this.#enqueue(async () => {
      this.#waitingOf[edge.button] -= 1;
      try {
        await this.#take(edge, moment, numbered);
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

  /** Which button an edge is of that is not decided yet. */
  originOf(edge: number): PressEdge['button'] | undefined {
    return this.#edges.get(edge)?.button;
  }

  /** Resolves when every edge so far has been dealt with. */
  async settled(): Promise<void> {
    await this.#work;
  }

  async #take(edge: PressEdge, moment: Moment, numbered: Promise<number>): Promise<void> {
    let number: number;
    try {
      number = await withDeadline(
        this.#clock,
        numbered,
        PRESS_LOG_MS_MAX,
        'writing a press into the log',
      );
    } catch (cause) {
      // A log that was only slow has the edge after all, and must say what became of it.
      numbered.then(
        (late) => {
          this.#facts.decided(late, 'refused-storage', this.#clock.monotonicMs() - edge.at);
        },
        () => undefined,
      );
      this.#events.done(moment);
      const error =
        cause instanceof CameraError
          ? cause
          : new CameraError('storage/io', messageOf(cause), { cause });
      this.#events.unlogged(edge, error);
      await this.#move(edge, null);
      return;
    }
    this.#edges.set(number, { at: edge.at, button: edge.button, moment });
    await this.#move(edge, number);
  }

  /** Of the edges that do not fit, the newest says where the button is: so they stay fewer than those that do. */
  #overflowWith(edge: PressEdge): void {
    const known = this.#overflow[edge.button];
    if (known !== undefined) {
      known.newest = edge;
      return;
    }
    const added = { newest: edge };
    this.#overflow[edge.button] = added;
    this.#enqueue(() => {
      if (this.#overflow[edge.button] === added) this.#overflow[edge.button] = undefined;
      return this.#move(added.newest, null);
    });
  }

  async #move({ button, ...rest }: PressEdge, edge: number | null): Promise<void> {
    await this.#apply(button, acceptEdge(this.#buttons[button], { edge, ...rest }, this.#timing));
  }

  async #apply(button: PressEdge['button'], { state, gestures }: GestureStep): Promise<void> {
    const wasDown = this.#buttons[button].down !== undefined;
    this.#buttons[button] = state;
    this.#arm();
    for (const gesture of gestures) {
      if (gesture.type === 'bounce') this.decide(gesture.edge, 'bounce');
      else if (gesture.type === 'release') this.decide(gesture.edge, 'released');
      else if (gesture.type === 'lost') this.decide(gesture.press, 'refused-storage');
      else await this.#events.gesture(button, gesture);
    }
    if (wasDown && state.down === undefined) this.#events.released(button);
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

  /**
   * After a pause of the process, edges that wait have their turn before a hold is judged or a contact called quiet: a
   * button with such edges is judged with them.
   */
  async #passTime(): Promise<void> {
    await this.#clock.nextTurn();
    const now = this.#clock.monotonicMs();
    for (const button of Object.keys(this.#buttons) as PressEdge['button'][]) {
      if (this.#waitingOf[button] > 0) continue;
      await this.#apply(button, passTime(this.#buttons[button], now, this.#timing));
    }
  }

  #enqueue(job: () => Promise<void>): void {
    this.#work = this.#work.then(job).catch((error: unknown) => {
      this.#log.error({ error: messageOf(error) }, 'a press could not be dealt with');
    });
  }
}

import type { Cancel, Clock } from '../../clock.js';
import type { InputLine, LineSpec } from '../ports/gpio.js';
import { judgeEdge, judgeLevel, startDebounce } from './debounce.js';
import type { ButtonEdge, Debounced } from './debounce.js';

export interface ButtonSpec extends LineSpec {
  /** How long the contact must be quiet before another edge counts. */
  readonly debounceIntervalMs: number;
}

/**
 * While a button counts as pressed its level is read this often: a release that the kernel lost would otherwise turn
 * a press into a hold, and a hold stops a recording. Well below the shortest hold (1 s), and 4 reads a second cost nothing.
 */
const HELD_CHECK_MS = 250;

/**
 * A push button on an input line.
 *
 * INVARIANTS
 * 1. Every edge that the line delivers reaches the listeners at once, bounce or not, in order.
 * 2. When the contact has been quiet for `debounceIntervalMs`, `isPressed` is the level of the line. An edge that
 *    was taken for a bounce, or never came, is then delivered (again) as one that counts.
 */
export class Button {
  readonly #line: InputLine;
  readonly #clock: Clock;
  readonly #onFault: (error: unknown) => void;
  readonly #listeners = new Set<(edge: ButtonEdge) => void>();
  readonly #cancelWatch: Cancel;
  #cancelCheck: Cancel | undefined;
  #state = startDebounce(false);
  /** Counts edges, so that a level read before an edge is not judged after it. */
  #edges = 0;
  /** Whether the level has been looked at since the last edge, when the contact had had its time to settle. */
  #wasSeenQuiet = true;
  #isFaulty = false;
  #isClosed = false;

  private constructor(
    line: InputLine,
    spec: ButtonSpec,
    clock: Clock,
    onFault: (error: unknown) => void,
  ) {
    this.#line = line;
    this.#clock = clock;
    this.#onFault = onFault;
    this.#cancelWatch = line.watch((edge) => {
      this.#edges += 1;
      const judged = judgeEdge(this.#state, edge, spec.debounceIntervalMs, this.#wasSeenQuiet);
      this.#wasSeenQuiet = false;
      this.#deliver(judged);
      this.#checkAfter(spec.debounceIntervalMs);
    });
  }

  /**
   * Takes the line over. A button that is held at this moment counts as pressed, and only its release is delivered. One
   * that cannot be read counts as at rest until it can. `onFault` hears of a level that cannot be read, once until it
   * can again.
   */
  static async open(
    line: InputLine,
    spec: ButtonSpec,
    clock: Clock,
    onFault: (error: unknown) => void,
  ): Promise<Button> {
    const button = new Button(line, spec, clock, onFault);
    const isHeld = await button.#readLevel();
    if (button.#edges === 0) button.#state = startDebounce(isHeld === true);
    if (isHeld !== false) button.#checkAfter(HELD_CHECK_MS);
    return button;
  }

  /** What the button counts as now. */
  get isPressed(): boolean {
    return this.#state.isPressed;
  }

  /** Calls back for every edge, in the turn in which it comes. A listener only validates and enqueues. */
  watch(listener: (edge: ButtonEdge) => void): Cancel {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelWatch();
    this.#cancelCheck?.();
    this.#listeners.clear();
    await this.#line.close();
  }

  #deliver({ state, edge }: Debounced): void {
    this.#state = state;
    for (const listener of this.#listeners) listener(edge);
  }

  #checkAfter(delayMs: number): void {
    this.#cancelCheck?.();
    this.#cancelCheck = this.#clock.after(delayMs, () => void this.#check());
  }

  async #check(): Promise<void> {
    const edgesBefore = this.#edges;
    const level = await this.#readLevel();
    // An edge that came meanwhile has asked for a check of its own.
    if (this.#isClosed || this.#edges !== edgesBefore) return;
    this.#wasSeenQuiet = true;
    if (level !== undefined) {
      const judged = judgeLevel(this.#state, level, this.#clock.monotonicMs());
      if (judged !== undefined) this.#deliver(judged);
    }
    if (this.#state.isPressed || level === undefined) this.#checkAfter(HELD_CHECK_MS);
  }

  async #readLevel(): Promise<boolean | undefined> {
    try {
      const level = await this.#line.read();
      this.#isFaulty = false;
      return level;
    } catch (error) {
      if (!this.#isFaulty && !this.#isClosed) this.#onFault(error);
      this.#isFaulty = true;
      return undefined;
    }
  }
}

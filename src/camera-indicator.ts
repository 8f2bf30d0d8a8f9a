import type { Cancel, Clock } from './clock.js';
import {
  activeStates,
  fineFacts,
  lengthMs,
  lightsFor,
  repeated,
  type IndicatorFacts,
} from './capture/indicator.js';
import type { Indicator, Shown } from './capture/ports.js';
import {
  nextReminder,
  noReminders,
  withActive,
  withBusy,
  withSaid,
  type ReminderState,
} from './capture/reminders.js';
import { indicatorTable, type IndicatorTable, type SignalKind } from './config/indicators.js';
import type { SignalRow } from './config/indicators.js';
import type { Board } from './hal/board.js';
import type { DockPhase } from './sync/device/dock-session.js';

/** A mark is seen as well as felt, for boards without a motor: the record light turns over for this long. */
const MARK_WINK_MS = 100;

/** What the lights tell of each phase of the dock. */
const DOCK_LIGHTS = {
  undocked: 'none',
  connecting: 'none',
  announcing: 'uploading',
  draining: 'uploading',
  drained: 'uploaded',
} as const satisfies Record<DockPhase, IndicatorFacts['dock']>;

type IndicatorBoard = Pick<Board, 'lights' | 'vibration' | 'buzzer' | 'health' | 'clock'>;

/**
 * The lights, the motor and the buzzer of the board, in the language of the indicator table. What is shown follows the
 * recorder, the parts of the board, the last check of the camera, and what runs low. In stealth it is dark and silent.
 */
export class CameraIndicator implements Indicator {
  readonly #board: IndicatorBoard;
  readonly #clock: Clock;
  readonly #table: IndicatorTable;
  readonly #cancelHealth: Cancel;
  #shown: Shown = {
    mode: 'idle',
    isDurable: false,
    isMuted: false,
    isStealthy: false,
    isPicking: false,
  };
  #facts: IndicatorFacts = fineFacts;
  #reminders: ReminderState = noReminders;
  #cancelReminder: Cancel = () => undefined;
  #newestSignal: SignalKind | undefined;
  #isClosed = false;

  constructor(board: IndicatorBoard, table: IndicatorTable = indicatorTable()) {
    this.#board = board;
    this.#clock = board.clock;
    this.#table = table;
    this.#cancelHealth = board.health.watch(() => {
      this.#update();
    });
  }

  show(shown: Shown): void {
    const enters = shown.isStealthy && !this.#shown.isStealthy;
    this.#shown = shown;
    if (enters) this.#fallSilent();
    this.#update();
  }

  signal(kind: SignalKind, count = 1): void {
    if (this.#shown.isStealthy) return;
    this.#newestSignal = kind;
    const { vibrationMs, toneMs } = this.#table.signals[kind];
    this.#say({ vibrationMs: repeated(vibrationMs, count), toneMs: repeated(toneMs, count) });
    if (kind === 'marked') this.#board.lights.wink('record', MARK_WINK_MS);
    this.#arm();
  }

  /** What has changed beside the recorder; `isReady` is that of the last check, which is not all there is to it. */
  setFacts(facts: Partial<IndicatorFacts>): void {
    this.#facts = { ...this.#facts, ...facts };
    this.#update();
  }

  /** Whether the last check of the camera was passed: without it there is no ready light. */
  setChecked(hasPassed: boolean): void {
    this.setFacts({ isReady: hasPassed });
  }

  setDockPhase(phase: DockPhase): void {
    this.setFacts({ dock: DOCK_LIGHTS[phase] });
  }

  /** No reminder comes any more; the lights still follow the recorder to its end. */
  close(): void {
    this.#isClosed = true;
    this.#cancelHealth();
    this.#cancelReminder();
  }

  #update(): void {
    const { lights, health } = this.#board;
    const isReady = this.#facts.isReady && health.faults().length === 0;
    const active = activeStates(this.#shown, { ...this.#facts, isReady });
    const shown = lightsFor(this.#table, active);
    lights.show('record', shown.record);
    const isTold = lights.has('fault') || shown.fault === 'off';
    lights.show('status', isTold ? shown.status : shown.fault);
    lights.show('fault', shown.fault);
    this.#reminders = withActive(this.#reminders, active, this.#clock.monotonicMs());
    this.#arm();
  }

  /** Whatever is being said is cut, but for the pulse that tells of the stealth. */
  #fallSilent(): void {
    this.#board.buzzer?.play([]);
    if (this.#newestSignal !== 'stealthOn') this.#board.vibration?.play([]);
  }

  #say(row: SignalRow): void {
    this.#board.vibration?.play(row.vibrationMs);
    this.#board.buzzer?.play(row.toneMs);
    this.#reminders = withBusy(this.#reminders, this.#clock.monotonicMs(), lengthMs(row));
  }

  #arm(): void {
    this.#cancelReminder();
    if (this.#isClosed) return;
    const now = this.#clock.monotonicMs();
    const next = nextReminder(this.#reminders, this.#table, now);
    if (next === undefined) return;
    this.#cancelReminder = this.#clock.after(next.at - now, () => {
      this.#say(this.#table.states[next.name]);
      this.#reminders = withSaid(
        this.#reminders,
        this.#table,
        next.name,
        this.#clock.monotonicMs(),
      );
      this.#arm();
    });
  }
}

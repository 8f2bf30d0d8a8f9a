import type { Cancel } from './clock.js';
import { DARK, lightsFor } from './capture/indicator.js';
import type { Indicator, ShownState, SignalKind } from './capture/ports.js';
import type { Board } from './hal/board.js';

/** What the wearer feels: `[on, off, on, …]` in milliseconds. Start and stop cannot be confused, a refusal is long. */
const PULSES = {
  started: [150, 100, 150],
  marked: [100],
  stopped: [600],
  refused: [100, 80, 100, 80, 100, 80, 600],
  'mute-on': [60, 60, 60],
  'mute-off': [200],
  'stealth-on': [400],
  'stealth-off': [400, 200, 400],
  asleep: [800],
  awake: [100, 100, 100],
  holding: [80],
  category: [120],
} as const satisfies Record<SignalKind, readonly number[]>;
/** Between the pulses of a count. */
const COUNT_PAUSE_MS = 180;

/** A mark is seen as well as felt, for boards without a motor: the record light turns over for this long. */
const MARK_WINK_MS = 100;

/**
 * The lights and the motor of the board, in the language of the indicator table. What is shown follows the recorder,
 * the parts of the board, and the last check of the camera.
 */
export class CameraIndicator implements Indicator {
  readonly #board: Pick<Board, 'lights' | 'vibration' | 'health'>;
  readonly #cancel: Cancel;
  #shown: ShownState = { mode: 'idle', isDurable: false, isMuted: false, isStealthy: false };
  /** Until the first check says otherwise: a part that is missing is known without it. */
  #hasPassed = true;

  constructor(board: Pick<Board, 'lights' | 'vibration' | 'health'>) {
    this.#board = board;
    this.#cancel = board.health.watch(() => {
      this.#update();
    });
  }

  show(shown: ShownState): void {
    this.#shown = shown;
    this.#update();
  }

  signal(kind: SignalKind, n = 1): void {
    if (this.#shown.isStealthy) return;
    const pulses = Array.from({ length: n }, () => [...PULSES[kind], COUNT_PAUSE_MS]).flat();
    this.#board.vibration?.play(pulses.slice(0, -1));
    if (kind === 'marked') this.#board.lights.wink('record', MARK_WINK_MS);
  }

  /** Whether the last check of the camera was passed: without it there is no ready light. */
  setChecked(hasPassed: boolean): void {
    this.#hasPassed = hasPassed;
    this.#update();
  }

  close(): void {
    this.#cancel();
  }

  #update(): void {
    const { lights, health } = this.#board;
    const isReady = this.#hasPassed && health.faults().length === 0;
    const { mode, isDurable, isStealthy } = this.#shown;
    const shown = isStealthy ? DARK : lightsFor(mode, { isDurable, isReady });
    lights.show('record', shown.record);
    const isTold = lights.has('fault') || shown.fault === 'off';
    lights.show('status', isTold ? shown.status : shown.fault);
    lights.show('fault', shown.fault);
  }
}

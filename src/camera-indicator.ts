import type { Cancel } from './clock.js';
import { lightsFor } from './capture/indicator.js';
import type { Indicator, RecorderMode } from './capture/ports.js';
import type { Board } from './hal/board.js';

/** What the wearer feels: `[on, off, on, …]` in milliseconds. Start and stop cannot be confused, a refusal is long. */
const PULSES = {
  started: [150, 100, 150],
  marked: [100],
  stopped: [600],
  refused: [100, 80, 100, 80, 100, 80, 600],
} as const;

/** A mark is seen as well as felt, for boards without a motor: the record light turns over for this long. */
const MARK_WINK_MS = 100;

/**
 * The lights and the motor of the board, in the language of the indicator table. What is shown follows the recorder,
 * the parts of the board, and the last check of the camera.
 */
export class CameraIndicator implements Indicator {
  readonly #board: Pick<Board, 'lights' | 'vibration' | 'health'>;
  readonly #cancel: Cancel;
  #mode: RecorderMode = 'idle';
  #isDurable = false;
  /** Until the first check says otherwise: a part that is missing is known without it. */
  #hasPassed = true;

  constructor(board: Pick<Board, 'lights' | 'vibration' | 'health'>) {
    this.#board = board;
    this.#cancel = board.health.watch(() => {
      this.#update();
    });
  }

  show(mode: RecorderMode, isDurable: boolean): void {
    this.#mode = mode;
    this.#isDurable = isDurable;
    this.#update();
  }

  signal(kind: keyof typeof PULSES): void {
    this.#board.vibration?.play(PULSES[kind]);
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
    const shown = lightsFor(this.#mode, { isDurable: this.#isDurable, isReady });
    lights.show('record', shown.record);
    const isTold = lights.has('fault') || shown.fault === 'off';
    lights.show('status', isTold ? shown.status : shown.fault);
    lights.show('fault', shown.fault);
  }
}

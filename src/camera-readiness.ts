import type { Recorder } from './capture/recorder.js';
import { CameraError } from './errors.js';
import { boardChecks, examine } from './hal/board-checks.js';
import type { BoardCheck, Finding } from './hal/board-checks.js';
import type { Board } from './hal/board.js';
import type { Card } from './storage/card.js';

/** A camera that gives a picture every 33 ms has given many by then. */
const PICTURES_MS = 2000;
/** Ten minutes of footage at 4 Mbit/s: below it a shift is not worth beginning. */
const FREE_BYTES_MIN = 300 * 1024 * 1024;

/** Whether a running camera may show its ready light: every quiet look at the board, pictures, and room on the card. */
export class CameraReadiness {
  readonly #board: Board;
  readonly #recorder: Recorder;
  readonly #card: Pick<Card, 'freeBytes'>;

  constructor(board: Board, recorder: Recorder, card: Pick<Card, 'freeBytes'>) {
    this.#board = board;
    this.#recorder = recorder;
    this.#card = card;
  }

  /** One finding a part; takes about two seconds. */
  async check(): Promise<readonly Finding[]> {
    const checks: readonly Pick<BoardCheck, 'part' | 'look'>[] = [
      ...boardChecks(this.#board).filter(({ isQuiet }) => isQuiet),
      { part: 'camera', look: () => this.#lookAtPictures() },
      { part: 'card', look: () => this.#lookAtRoom() },
    ];
    return Promise.all(checks.map((check) => examine(check, this.#board.clock)));
  }

  async #lookAtPictures(): Promise<string> {
    const before = this.#recorder.status().frames;
    await this.#board.clock.sleep(PICTURES_MS);
    const pictures = this.#recorder.status().frames - before;
    if (pictures > 0) return `${pictures} pictures in ${PICTURES_MS / 1000} s`;
    throw new CameraError('capture/no-video', `no picture in ${PICTURES_MS} ms`);
  }

  async #lookAtRoom(): Promise<string> {
    const freeBytes = await this.#card.freeBytes();
    const mib = Math.round(freeBytes / 1024 / 1024);
    if (freeBytes >= FREE_BYTES_MIN) return `${mib} MiB free`;
    throw new CameraError('storage/disk-full', `only ${mib} MiB are free on the card`);
  }
}

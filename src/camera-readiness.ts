import { CameraError } from './errors.js';
import { boardChecks, examine } from './hal/board-checks.js';
import type { BoardCheck, Finding } from './hal/board-checks.js';
import type { Board } from './hal/board.js';
import type { Card } from './storage/card.js';

/** A camera that gives a picture every 33 ms has given many by then. */
const PICTURES_MS = 2000;
/** Ten minutes of footage at 4 Mbit/s beyond the reserve: with less a shift is not worth beginning. */
const ROOM_BYTES_MIN = 300 * 1024 * 1024;

/** What is asked of the recorder: its count of pictures since the start. */
interface PictureCounter {
  status(): { readonly frames: number };
}

/** Whether a running camera may show its ready light: every quiet look at the board, pictures, and room on the card. */
export class CameraReadiness {
  readonly #board: Board;
  readonly #recorder: PictureCounter;
  readonly #card: Pick<Card, 'freeBytes'>;
  readonly #reserveBytes: number;

  /** `reserveBytes`: with less than that free on the card no recording starts. */
  constructor(
    board: Board,
    recorder: PictureCounter,
    card: Pick<Card, 'freeBytes'>,
    reserveBytes: number,
  ) {
    this.#board = board;
    this.#recorder = recorder;
    this.#card = card;
    this.#reserveBytes = reserveBytes;
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
    const mib = (bytes: number): number => Math.round(bytes / 1024 / 1024);
    const free = `${mib(freeBytes)} MiB free, ${mib(this.#reserveBytes)} of them in reserve`;
    if (freeBytes >= this.#reserveBytes + ROOM_BYTES_MIN) return free;
    throw new CameraError('storage/disk-full', `${free}: too little to record a shift`);
  }
}

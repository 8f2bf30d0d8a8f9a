import type { Rotation } from './capture/rotation.js';
import type { Cancel, Clock } from './clock.js';
import type { Config } from './config/config.js';
import type { Board } from './hal/board.js';
import { isUpright, judgeRest, type RestState } from './hal/drivers/posture.js';
import type { Logger } from './log.js';

/**
 * A camera is put on within this time after it was taken out of its dock. What its wearer does later, as to lie down or to
 * hang from a rope, turns no picture.
 */
const PUT_ON_MS = 60_000;

export interface MountingPorts {
  readonly clock: Clock;
  readonly imu: Board['imu'];
  /** Which axis of the motion sensor is up in an upright camera; undefined when the board does not say. */
  readonly up: Board['file']['imu']['up'];
  readonly log: Logger;
}

/**
 * How the camera is worn, the right way up or upside down: by setting, or by where gravity points whenever it is at rest
 * for a second after it was taken out of its dock. The newest clear answer counts, until the next time it is taken out.
 */
export class CameraMounting {
  readonly #ports: MountingPorts;
  readonly #isAsked: boolean;
  #rotation: Rotation;
  #rest: RestState | undefined;
  #cancel: Cancel = () => undefined;

  constructor(ports: MountingPorts, setting: Config['rotation']) {
    this.#ports = ports;
    this.#isAsked = setting === 'auto';
    this.#rotation = setting === 'upside-down' ? 180 : 0;
  }

  /** For a recording that begins now. */
  get rotation(): Rotation {
    return this.#rotation;
  }

  /** The camera was taken out of its dock, or started outside of one. */
  takenOut(): void {
    this.close();
    const { clock, imu, up } = this.#ports;
    if (!this.#isAsked || imu === undefined || up === undefined) return;
    this.#rest = undefined;
    const cancelWatch = imu.watch((sample) => {
      const { state, gravity } = judgeRest(this.#rest, sample);
      this.#rest = state;
      const answer = gravity && isUpright(gravity, up);
      if (answer !== undefined) this.#turn(answer ? 0 : 180);
    });
    const cancelEnd = clock.after(PUT_ON_MS, cancelWatch);
    this.#cancel = () => {
      cancelWatch();
      cancelEnd();
    };
  }

  /** Looks no more; what was found stays. */
  close(): void {
    this.#cancel();
  }

  #turn(rotation: Rotation): void {
    if (rotation === this.#rotation) return;
    this.#rotation = rotation;
    this.#ports.log.info(
      { rotation },
      'the camera is worn another way up; recordings from now on are turned',
    );
  }
}

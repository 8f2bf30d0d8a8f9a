import type { Clock } from '../../clock.js';
import type {
  ButtonRole,
  ClockAct,
  GnssAct,
  ImuAct,
  SimBoard,
  SimBoardState,
} from './sim-board.js';
import { parseSimCommand } from './sim-command.js';

/** How long `press` holds the button down: a short, sure press of a gloved finger. */
export const PRESS_MS = 100;

const imuDone: Readonly<Record<ImuAct, string>> = {
  fall: 'the wearer falls',
  upright: 'the camera is worn upright',
  invert: 'the camera is worn upside down',
  unplug: 'motion sensor unplugged',
  plug: 'motion sensor plugged in',
};

const gnssDone: Readonly<Record<GnssAct, string>> = {
  fix: 'the receiver has a fix',
  nofix: 'the receiver has no fix',
  invalid: 'the receiver says a wrong time and place, flagged invalid',
  unplug: 'receiver unplugged',
  plug: 'receiver plugged in',
};

const clockDone = (act: ClockAct): string => {
  switch (act) {
    case '1970':
      return 'the wall clock was never set';
    case 'gnss':
      return 'satellites have set the wall clock right';
    case 'ntp':
      return 'network time has set the wall clock right';
    case 'follow':
      return 'the wall clock follows the receiver';
    default:
      return 'slewMs' in act
        ? `wall clock slewed by ${act.slewMs / 1000} s within ${act.overMs / 1000} s`
        : `wall clock shifted by ${act.shiftMs / 1000} s`;
  }
};

/** What a command gives back: the state of the board, or one line that says what was done. */
export type SimReply = { readonly state: SimBoardState } | { readonly done: string };

/** Carries the commands of `lapel sim` out on a simulated board. */
export class SimControl {
  readonly #board: SimBoard;
  readonly #clock: Clock;

  constructor(board: SimBoard, clock: Clock) {
    this.#board = board;
    this.#clock = clock;
  }

  /**
   * Resolves when the command is carried out: a press when the button is up again. Rejects with `cli/usage` for words
   * that are no command, else as the part concerned does.
   */
  async run(words: readonly string[]): Promise<SimReply> {
    const command = parseSimCommand(words);
    switch (command.verb) {
      case 'press':
        return this.#hold(command.button, PRESS_MS);
      case 'hold':
        return this.#hold(command.button, command.durationMs);
      case 'dock':
      case 'undock':
        this.#board.setDocked(command.verb === 'dock');
        return { done: command.verb === 'dock' ? 'in the dock' : 'out of the dock' };
      case 'battery':
        this.#board.setCharge(command.percent);
        return { done: `battery at ${command.percent} %` };
      case 'temperature':
        this.#board.setTemperature(command.celsius);
        return { done: `${command.celsius} °C` };
      case 'camera':
        this.#board.breakCamera(command.fault);
        return { done: command.fault === 'kill' ? 'camera killed' : 'camera stalled' };
      case 'imu':
        this.#board.moveImu(command.act);
        return { done: imuDone[command.act] };
      case 'gnss':
        this.#board.setGnss(command.act);
        return { done: gnssDone[command.act] };
      case 'clock':
        this.#board.setClock(command.act);
        return { done: clockDone(command.act) };
      case 'state':
        return { state: this.#board.state() };
    }
  }

  async #hold(button: ButtonRole, durationMs: number): Promise<SimReply> {
    this.#board.press(button);
    await this.#clock.sleep(durationMs);
    this.#board.release(button);
    return { done: `pressed ${button} for ${durationMs} ms` };
  }
}

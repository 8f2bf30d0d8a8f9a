import { Camera } from '../camera.js';
import type { CameraListener } from '../camera.js';
import type { Config } from '../config/config.js';
import { openBoard } from '../hal/board.js';
import type { Board } from '../hal/board.js';
import { findBoard } from '../hal/board-file.js';
import type { BoardFile } from '../hal/board-schema.js';
import { judgeTime, startGnssTime } from '../hal/drivers/gnss-time.js';
import type { TimeMark } from '../hal/drivers/gnss-time.js';
import type { Machine } from '../hal/machine.js';
import type { Logger } from '../log.js';
import { DeviceKeys } from '../storage/device-keys.js';
import { configDigest } from './config-file.js';
import { firmwareDigest } from './firmware.js';
import { boardDirectory, dataPaths, footageDirectory } from './paths.js';

/** A camera and the board it runs on; `close` closes both and says whether the end was clean. */
export interface OpenedCamera {
  readonly camera: Camera;
  readonly board: Board;
  close(): Promise<boolean>;
}

/** The board of that name or path, not opened yet. Rejects as `findBoard` does. */
export const findNamedBoard = ({ fs }: Machine, name: string): Promise<BoardFile> =>
  findBoard(name, fs, boardDirectory());

/**
 * Opens a board on this machine. Network time and the satellite receiver of a real one vouch for the clock while it is
 * open. Rejects as `openBoard` does.
 */
export async function openBoardHere(
  { fs, clock, time }: Machine,
  log: Logger,
  file: BoardFile,
): Promise<Board> {
  const deps = { clock, log, files: fs, footageDirectory: footageDirectory() };
  const board = await openBoard(file, deps);
  // A simulated receiver has its time from this very clock and vouches for nothing; so a simulated board keeps the claim
  // that every machine starts with, a clock chip within a minute, unless it is told to follow the receiver.
  const { sim } = board;
  if (sim !== undefined) {
    followSatellites(board, (mark) => {
      sim.offerTime(mark);
    });
    return board;
  }
  const cancel = time.keep();
  followSatellites(board, (mark) => {
    time.offer(mark);
  });
  return {
    ...board,
    close: async () => {
      cancel();
      await board.close();
    },
  };
}

/** Offers the time of the receiver whenever it has counted on evenly. */
function followSatellites({ gnss }: Board, offer: (mark: TimeMark) => void): void {
  let state = startGnssTime;
  gnss?.watch((fix) => {
    const judged = judgeTime(state, fix);
    state = judged.state;
    if (judged.mark) offer(judged.mark);
  });
}

/** Opens board, keys and card. Rejects with the errors of each; what was opened is closed again. */
export async function openCamera(
  machine: Machine,
  log: Logger,
  options: { board: BoardFile; data: string; config: Config },
  listener: CameraListener = {},
): Promise<OpenedCamera> {
  const paths = dataPaths(options.data);
  const { signer: deviceKey, rotations } = await new DeviceKeys(machine.fs, paths.deviceKey).load();
  const board = await openBoardHere(machine, log, options.board);
  try {
    const camera = await Camera.open(
      board,
      machine.fs,
      log,
      {
        config: options.config,
        card: paths.card,
        bootFile: paths.bootFile,
        deviceKey,
        rotations,
        configDigest: configDigest(options.config),
        firmwareDigest: await firmwareDigest(),
        removal: machine.remover,
      },
      listener,
    );
    return {
      camera,
      board,
      close: async () => {
        const isClean = await camera.close();
        deviceKey.destroy();
        await board.close();
        return isClean;
      },
    };
  } catch (error) {
    deviceKey.destroy();
    await board.close();
    throw error;
  }
}

import { readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { CameraStatus } from '../../src/camera-status.js';
import { sendControl } from '../../src/cli/control-client.js';
import { enrolCamera, initCamera, initReceiver, readTrust } from '../../src/cli/keys.js';
import { dataPaths } from '../../src/cli/paths.js';
import { openReceiver } from '../../src/cli/receive.js';
import { openMachine } from '../../src/hal/machine.js';
import { createLogger } from '../../src/log.js';
import type { Receiver } from '../../src/sync/receiver/receiver.js';
import { RunningLapel } from '../support/process.js';
import type { Rig } from './rig.js';

/** A step of the guest takes up to twenty times as long as on the host. */
export const STEP_MS_MAX = 90_000;

/** `lapel run` on the hardware of the rig, with keys and a receiver of its own. */
export class VirtualCamera {
  readonly data: string;
  readonly store: string;
  readonly trust: string;
  readonly board: string;
  process: RunningLapel | undefined;
  readonly #machine = openMachine();
  #receiver: Receiver | undefined;

  private constructor(root: string) {
    const at = (name: string): string => path.join(root, name);
    this.data = at('camera');
    this.store = at('store');
    this.trust = at('trust.json');
    this.board = at('board.json');
  }

  /** Makes keys, a configuration, and a board file that is `board/virtual.json` with what this rig has elsewhere. `chosen` are settings besides. */
  static async make(root: string, rig: Rig, chosen: object = {}): Promise<VirtualCamera> {
    const camera = new VirtualCamera(root);
    const { fs } = camera.#machine;
    const { data, store, trust } = camera;
    const identity = path.join(root, 'identity.txt');
    await initCamera(fs, { data, device: 'lapel-rig', recipients: [], identity });
    await initReceiver(fs, store, 'rx1');
    const { config } = await enrolCamera(fs, { data, trust, store });
    const settings = {
      preEventMs: 3000,
      segmentMs: 5000,
      reserveBytes: 256 * 1024 * 1024,
      reservePercent: 0,
    };
    await writeFile(dataPaths(data).config, JSON.stringify({ ...config, ...settings, ...chosen }));
    await camera.writeBoard(rig);
    return camera;
  }

  /** `change` may spoil the file, for faults. */
  async writeBoard(
    rig: Rig,
    change: (board: VirtualBoard) => void = () => undefined,
  ): Promise<void> {
    const board = JSON.parse(await readFile('board/virtual.json', 'utf8')) as VirtualBoard;
    board.imu = { ...board.imu, bus: rig.imu.bus, address: rig.imu.address };
    board.gnss.path = rig.gnss.path;
    if (rig.level === 'L1') {
      // The host has neither vivid nor test_power: a test picture and the mains stand for them, on L1 only.
      board.camera.source = 'videotestsrc is-live=true pattern=ball';
      delete board.power;
    }
    change(board);
    await writeFile(this.board, JSON.stringify(board));
  }

  start(broker: string): RunningLapel {
    this.process = new RunningLapel(
      ...['run', '--board', this.board, '--data', this.data, '--broker', broker],
      ...['--log-level', 'info'],
    );
    return this.process;
  }

  async startReceiver(broker: string): Promise<void> {
    const { fs } = this.#machine;
    const log = createLogger('error', process.stderr);
    const trust = await readTrust(fs, this.trust);
    const { receiver } = await openReceiver(this.#machine, log, {
      store: this.store,
      trust,
      broker,
    });
    await receiver.start();
    this.#receiver = receiver;
  }

  async status(): Promise<CameraStatus> {
    const request = { verb: 'status', words: [] };
    const { control } = dataPaths(this.data);
    return (await sendControl(control, request, this.#machine.clock, 30_000)) as CameraStatus;
  }

  /** The first status that fits. Throws when none does in time, with the last one. */
  async until(
    what: string,
    fits: (status: CameraStatus) => boolean,
    limitMs = STEP_MS_MAX,
  ): Promise<CameraStatus> {
    const limit = performance.now() + limitMs;
    for (;;) {
      const status = await this.status();
      if (fits(status)) return status;
      if (performance.now() > limit) throw new Error(`${what}: ${JSON.stringify(status)}`);
      await this.#machine.clock.sleep(200);
    }
  }

  async close(): Promise<void> {
    await this.process?.end('SIGTERM');
    await this.#receiver?.close();
  }
}

/** What the rig changes in a board file. */
export interface VirtualBoard {
  gpio: { chips: Record<string, unknown> };
  buttons: { record: { chip: string; activeLow: boolean } };
  imu: { bus: number; address: number };
  gnss: { path: string };
  camera: { source: string };
  power?: unknown;
}

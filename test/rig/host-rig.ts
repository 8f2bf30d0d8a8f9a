import { mkdtemp, open, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { PlayerTask } from './level-player.js';
import { PtyReceiver } from './pty-receiver.js';
import { RIG_LINES } from './rig.js';
import type { LevelStep, Rig } from './rig.js';

const CONTROL = '/sys/class/gpio/ctl';
const IMU = { bus: 1, address: 0x68, emptyAddress: 0x69 } as const;

/** L1: gpiofuse, i2cshim and a pseudo terminal, inside `test/rig/run-host.sh`. */
export class HostRig implements Rig {
  readonly level = 'L1';
  readonly gpio: Rig['gpio'];
  readonly imu: Rig['imu'];
  readonly gnss: PtyReceiver;
  readonly #directory: string;

  private constructor(directory: string, registers: string) {
    this.#directory = directory;
    this.gnss = new PtyReceiver(path.join(directory, 'gnss'));
    this.gpio = {
      vanish: () => writeFile(path.join(CONTROL, 'chip'), '0'),
      return: () => writeFile(path.join(CONTROL, 'chip'), '1'),
    };
    this.imu = {
      ...IMU,
      poke: (register, bytes) => poke(registers, register, bytes),
      peek: async (register) => (await readFile(registers))[register] ?? 0,
      unplug: () => rename(registers, `${registers}.unplugged`),
      plug: () => rename(`${registers}.unplugged`, registers),
    };
  }

  static async open(): Promise<HostRig> {
    const buses = process.env['RIG_I2C'];
    if (buses === undefined) throw new Error('run this inside test/rig/run-host.sh');
    const directory = await mkdtemp(path.join(tmpdir(), 'lapel-rig-'));
    const rig = new HostRig(directory, path.join(buses, String(IMU.bus), IMU.address.toString(16)));
    for (const { line, activeLow } of Object.values(RIG_LINES)) {
      // A line that an output of an earlier test still drives cannot be driven from here; it rests already.
      await rig.drive(line, activeLow).catch(() => undefined);
    }
    return rig;
  }

  async press(role: 'record' | 'function', ms: number): Promise<void> {
    const { line, activeLow } = RIG_LINES[role];
    await this.drive(line, !activeLow);
    await wait(ms);
    await this.drive(line, activeLow);
  }

  drive(offset: number, isHigh: boolean): Promise<void> {
    return writeFile(path.join(CONTROL, String(offset)), isHigh ? '1' : '0');
  }

  async isHigh(offset: number): Promise<boolean> {
    return (await readFile(path.join(CONTROL, String(offset)), 'utf8')).trim() === '1';
  }

  levelFile(offset: number): Promise<string> {
    return Promise.resolve(path.join(CONTROL, String(offset)));
  }

  play(offset: number, steps: readonly LevelStep[]): Promise<readonly number[]> {
    const workerData: PlayerTask = {
      file: path.join(CONTROL, String(offset)),
      steps: steps.map(({ afterMs, isHigh }) => ({ afterMs, word: isHigh ? '1' : '0' })),
    };
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('level-player.js', import.meta.url), { workerData });
      worker.once('message', resolve).once('error', reject);
    });
  }

  async close(): Promise<void> {
    await this.gnss.unplug();
    await rm(this.#directory, { recursive: true, force: true });
  }
}

async function poke(file: string, register: number, bytes: readonly number[]): Promise<void> {
  const handle = await open(file, 'r+');
  await handle.write(Buffer.from(bytes), 0, bytes.length, register);
  await handle.close();
}

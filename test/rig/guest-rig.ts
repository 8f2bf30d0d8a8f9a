import { execFile } from 'node:child_process';
import { readFile, readdir, writeFile } from 'node:fs/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import i2c from 'i2c-bus';
import type { I2CBus } from 'i2c-bus';
import type { PlayerTask } from './level-player.js';
import { PtyReceiver } from './pty-receiver.js';
import { RIG_LINES } from './rig.js';
import type { LevelStep, Rig } from './rig.js';

const SIM = '/sys/kernel/config/gpio-sim/rig';
const I2C_CLASS = '/sys/class/i2c-dev';
const STUB_ADDRESSES = '/sys/module/i2c_stub/parameters/chip_addr';
const VIVID = '/sys/bus/platform/drivers/vivid';
const POWER = '/sys/module/test_power/parameters';
/** Where `guest/guest-setup.sh` puts the chips of i2c-stub. */
const CHIPS = { imu: 0x68, other: 0x6a } as const;
const EMPTY_ADDRESS = 0x69;
/** A chip that is unplugged answers where no board looks. */
const PARKED_ADDRESS = 0x77;
/** The most that one transfer of SMBus carries. */
const BLOCK_BYTES_MAX = 32;
/** The name that the kernel's own GNSS drivers would give it. */
const GNSS_PATH = '/dev/gnss0';
const SYSFS_SCRIPT = fileURLToPath(
  new URL('../../../test/rig/guest/sysfs-gpio.sh', import.meta.url),
);

const run = promisify(execFile);
const read = async (path: string): Promise<string> => (await readFile(path, 'utf8')).trim();

const wordOf = (isHigh: boolean): string => (isHigh ? 'pull-up' : 'pull-down');

/** A gpio-sim chip, seen from outside: what pulls its lines. */
class SimChip {
  readonly #driven = new Map<number, boolean>();

  async drive(offset: number, isHigh: boolean): Promise<void> {
    this.#driven.set(offset, isHigh);
    await writeFile(`${await lineOf(offset)}/pull`, wordOf(isHigh));
  }

  async isHigh(offset: number): Promise<boolean> {
    return (await read(`${await lineOf(offset)}/value`)) === '1';
  }

  async play(offset: number, steps: readonly LevelStep[]): Promise<readonly number[]> {
    const last = steps.at(-1);
    if (last) this.#driven.set(offset, last.isHigh);
    const workerData: PlayerTask = {
      file: `${await lineOf(offset)}/pull`,
      steps: steps.map(({ afterMs, isHigh }) => ({ afterMs, word: wordOf(isHigh) })),
    };
    return new Promise((resolve, reject) => {
      const worker = new Worker(new URL('level-player.js', import.meta.url), { workerData });
      worker.once('message', resolve).once('error', reject);
    });
  }

  async vanish(): Promise<void> {
    await writeFile(`${SIM}/live`, '0');
  }

  /** The chip that comes back is a new one: it is pulled again as the one before. */
  async return(): Promise<void> {
    await writeFile(`${SIM}/live`, '1');
    for (const [offset, isHigh] of this.#driven) await this.drive(offset, isHigh);
  }
}

/** The directory of a line. Looked up each time: a chip that came back may have another number. */
async function lineOf(offset: number): Promise<string> {
  const [device, chip] = [await read(`${SIM}/dev_name`), await read(`${SIM}/bank0/chip_name`)];
  return `/sys/devices/platform/${device}/${chip}/sim_gpio${offset}`;
}

/** The first chip of i2c-stub. Its address is a parameter of the module, which the rig's build makes writable. */
class StubChip {
  readonly bus: number;
  readonly #i2c: I2CBus;
  #address: number = CHIPS.imu;

  private constructor(bus: number) {
    this.bus = bus;
    this.#i2c = i2c.openSync(bus);
  }

  static async open(): Promise<StubChip> {
    for (const name of await readdir(I2C_CLASS)) {
      if (!(await read(`${I2C_CLASS}/${name}/name`)).startsWith('SMBus stub')) continue;
      return new StubChip(Number(name.slice('i2c-'.length)));
    }
    throw new Error(`no bus of i2c-stub in ${I2C_CLASS}`);
  }

  /** Up to 32 bytes go in one transfer, so that no reader sees half of them. */
  async poke(register: number, bytes: readonly number[]): Promise<void> {
    for (let at = 0; at < bytes.length; at += BLOCK_BYTES_MAX) {
      const block = Buffer.from(bytes.slice(at, at + BLOCK_BYTES_MAX));
      await this.#i2c
        .promisifiedBus()
        .writeI2cBlock(this.#address, register + at, block.length, block);
    }
  }

  peek(register: number): Promise<number> {
    return this.#i2c.promisifiedBus().readByte(this.#address, register);
  }

  /** Registers stay as they are. */
  async moveTo(address: number): Promise<void> {
    await writeFile(STUB_ADDRESSES, `${address},${CHIPS.other}`);
    this.#address = address;
  }

  close(): void {
    this.#i2c.closeSync();
  }
}

/**
 * L2: the parts of the QEMU guest that `guest/guest-setup.sh` has made, and what only they can do beside what `Rig` asks.
 */
export class GuestRig implements Rig {
  readonly level = 'L2';
  readonly gpio: Rig['gpio'];
  readonly imu: Rig['imu'] & {
    /** Answers at another address from now on, as after a solder bridge was moved. */
    moveTo(address: number): Promise<void>;
  };
  readonly gnss: PtyReceiver;
  readonly #chip = new SimChip();
  readonly #imu: StubChip;

  /** The camera. Unbinding takes it from under its readers; the module could not be unloaded while there are any. */
  readonly camera = {
    unplug: (): Promise<void> => writeFile(`${VIVID}/unbind`, 'vivid.0'),
    plug: (): Promise<void> => writeFile(`${VIVID}/bind`, 'vivid.0'),
  };

  private constructor(imu: StubChip, receiver: PtyReceiver) {
    this.#imu = imu;
    this.gnss = receiver;
    this.gpio = { vanish: () => this.#chip.vanish(), return: () => this.#chip.return() };
    this.imu = {
      bus: imu.bus,
      address: CHIPS.imu,
      emptyAddress: EMPTY_ADDRESS,
      poke: (register, bytes) => imu.poke(register, bytes),
      peek: (register) => imu.peek(register),
      unplug: () => imu.moveTo(PARKED_ADDRESS),
      plug: () => imu.moveTo(CHIPS.imu),
      moveTo: (address) => imu.moveTo(address),
    };
  }

  /** Buttons and dock contact rest, the IMU is plugged, the receiver is not. */
  static async open(): Promise<GuestRig> {
    const rig = new GuestRig(await StubChip.open(), new PtyReceiver(GNSS_PATH));
    await rig.imu.plug();
    for (const { line, activeLow } of Object.values(RIG_LINES)) await rig.drive(line, activeLow);
    return rig;
  }

  async press(role: 'record' | 'function', ms: number): Promise<void> {
    const { line, activeLow } = RIG_LINES[role];
    await this.drive(line, !activeLow);
    await wait(ms);
    await this.drive(line, activeLow);
  }

  drive(offset: number, isHigh: boolean): Promise<void> {
    return this.#chip.drive(offset, isHigh);
  }

  isHigh(offset: number): Promise<boolean> {
    return this.#chip.isHigh(offset);
  }

  async levelFile(offset: number): Promise<string> {
    return `${await lineOf(offset)}/value`;
  }

  play(offset: number, steps: readonly LevelStep[]): Promise<readonly number[]> {
    return this.#chip.play(offset, steps);
  }

  /** Charge and state of the battery `test_battery`, and whether the charger `test_ac` has power. */
  async setPower(chargePercent: number, isCharging: boolean): Promise<void> {
    await writeFile(`${POWER}/battery_capacity`, String(chargePercent));
    await writeFile(`${POWER}/battery_status`, isCharging ? 'charging' : 'discharging');
    await writeFile(`${POWER}/ac_online`, isCharging ? 'on' : 'off');
  }

  /** The carrier of the network interface `dummy0`, as a dock with a network adapter gives it. */
  async setCarrier(isUp: boolean): Promise<void> {
    await run('/rig/busybox', ['ip', 'link', 'set', 'dummy0', 'up']);
    await writeFile('/sys/class/net/dummy0/carrier', isUp ? '1' : '0');
  }

  /** Makes `/sys/class/gpio` absent, as on a kernel without GPIO in sysfs, or brings it back. */
  async showSysfsGpio(isThere: boolean): Promise<void> {
    await run('bash', [SYSFS_SCRIPT, isThere ? 'on' : 'off']);
  }

  async close(): Promise<void> {
    await this.gnss.unplug();
    this.#imu.close();
  }
}

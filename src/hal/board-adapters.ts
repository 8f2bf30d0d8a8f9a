import type { Clock } from '../clock.js';
import type { Logger } from '../log.js';
import type { BoardFile } from './board-schema.js';
import { KeptI2c } from './drivers/kept-i2c.js';
import type { PartsHealth } from './parts-health.js';
import type { DockPort } from './ports/dock.js';
import type { GpioPort } from './ports/gpio.js';
import type { I2cPort } from './ports/i2c.js';
import type { PowerPort } from './ports/power.js';
import type { SerialPort } from './ports/serial.js';
import type { ThermalPort } from './ports/thermal.js';
import type { VideoSource } from './ports/video.js';
import type { SimI2c } from './sim/sim-i2c.js';

// The adapter of each part, by the word of the board file. Adapters load only when a board names them, so that a native
// package never loads for a board without its hardware.

export interface AdapterDeps {
  readonly clock: Clock;
  readonly log: Logger;
}

/** A dock that is closed with its board. */
export type ClosableDock = DockPort & { close?(): void | Promise<void> };

export async function openGpio(
  { gpio }: BoardFile,
  { clock, log }: AdapterDeps,
): Promise<GpioPort> {
  switch (gpio.compatible) {
    case 'linux,gpio':
      return new (await import('./linux/linux-gpio.js')).LinuxGpio(clock, log);
    case 'lapel,sim-gpio':
      return new (await import('./sim/sim-gpio.js')).SimGpio(clock, gpio.chips);
  }
}

export async function openDock(
  { dock }: BoardFile,
  { clock }: AdapterDeps,
  gpio: GpioPort,
  health: PartsHealth,
): Promise<ClosableDock> {
  const onState = health.reporter('dock');
  switch (dock.compatible) {
    case 'gpio-dock':
      return (await import('./drivers/gpio-dock.js')).GpioDock.open(gpio, dock, clock, onState);
    case 'linux,power-supply-dock': {
      const { openPowerSupplyDock } = await import('./linux/power-supply-dock.js');
      return openPowerSupplyDock(dock.supply, clock, onState);
    }
    case 'linux,network-dock': {
      const { openNetworkDock } = await import('./linux/network-dock.js');
      return openNetworkDock(dock.interface, clock, onState);
    }
    case 'lapel,sim-dock':
      return new (await import('./sim/sim-dock.js')).SimDock();
  }
}

export async function openPower(
  { power }: BoardFile,
  buses: I2cBuses,
): Promise<PowerPort | undefined> {
  switch (power?.compatible) {
    case undefined:
      return undefined;
    case 'linux,power-supply':
      return new (await import('./linux/power-supply.js')).PowerSupply(power.supply);
    case 'maxim,max17048': {
      const { Max17048 } = await import('./drivers/max17048.js');
      return new Max17048(buses.bus(power.bus), power.address);
    }
    case 'lapel,sim-power':
      return new (await import('./sim/sim-power.js')).SimPower();
  }
}

export async function openThermal({ thermal }: BoardFile): Promise<ThermalPort | undefined> {
  switch (thermal?.compatible) {
    case undefined:
      return undefined;
    case 'linux,thermal-zone':
      return new (await import('./linux/thermal-zone.js')).ThermalZone(thermal.type);
    case 'lapel,sim-thermal':
      return new (await import('./sim/sim-thermal.js')).SimThermal();
  }
}

export async function openSerial(
  { serial }: BoardFile,
  { clock }: AdapterDeps,
): Promise<SerialPort | undefined> {
  switch (serial?.compatible) {
    case undefined:
      return undefined;
    case 'linux,serial':
      return new (await import('./linux/serial-port.js')).LinuxSerial(clock);
    case 'lapel,sim-serial':
      return new (await import('./sim/sim-serial.js')).SimSerial();
  }
}

export async function openVideo(
  { camera }: BoardFile,
  { clock }: AdapterDeps,
): Promise<VideoSource> {
  switch (camera.compatible) {
    case 'gstreamer':
      return new (await import('./linux/gstreamer.js')).GStreamerSource();
    case 'lapel,sim-video':
      return new (await import('./sim/sim-video.js')).SimVideo(clock, camera);
  }
}

/** The I2C buses of a board, one port a bus however many parts are on it. */
export class I2cBuses {
  readonly #open: (bus: number) => Promise<I2cPort>;
  readonly #buses = new Map<number, KeptI2c>();
  readonly #simulated: ((bus: number) => SimI2c) | undefined;

  private constructor(
    open: (bus: number) => Promise<I2cPort>,
    simulated?: (bus: number) => SimI2c,
  ) {
    this.#open = open;
    this.#simulated = simulated;
  }

  /** Opens no bus yet: each is opened when a part on it is first used. */
  static async of({ i2c }: BoardFile): Promise<I2cBuses> {
    if (i2c?.compatible !== 'lapel,sim-i2c') {
      return new I2cBuses(async (bus) => (await import('./linux/i2c-bus.js')).I2cBus.open(bus));
    }
    const { SimI2c } = await import('./sim/sim-i2c.js');
    const made = new Map<number, SimI2c>();
    const simulated = (bus: number): SimI2c => {
      const known = made.get(bus) ?? new SimI2c();
      made.set(bus, known);
      return known;
    };
    return new I2cBuses((bus) => Promise.resolve(simulated(bus)), simulated);
  }

  bus(number: number): I2cPort {
    const known = this.#buses.get(number) ?? new KeptI2c(() => this.#open(number));
    this.#buses.set(number, known);
    return known;
  }

  /** The wires of a simulated bus; undefined when the buses are real. */
  simulated(number: number): SimI2c | undefined {
    return this.#simulated?.(number);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#buses.values()].map((bus) => bus.close()));
  }
}

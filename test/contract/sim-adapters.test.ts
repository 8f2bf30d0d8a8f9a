import { Max17048 } from '../../src/hal/drivers/max17048.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { SimDock } from '../../src/hal/sim/sim-dock.js';
import { SimGpio } from '../../src/hal/sim/sim-gpio.js';
import { SimI2c } from '../../src/hal/sim/sim-i2c.js';
import { SimPower } from '../../src/hal/sim/sim-power.js';
import { SimSerial } from '../../src/hal/sim/sim-serial.js';
import { dockContract } from './dock-contract.js';
import { gpioContract } from './gpio-contract.js';
import { i2cContract } from './i2c-contract.js';
import { powerContract } from './power-contract.js';
import { SimThermal } from '../../src/hal/sim/sim-thermal.js';
import { serialContract } from './serial-contract.js';
import { thermalContract } from './thermal-contract.js';

gpioContract('SimGpio', () => {
  const gpio = new SimGpio(new SimClock(), { chip: { lines: 8 } });
  return {
    port: gpio,
    lines: [
      { chip: 'chip', line: 0 },
      { chip: 'chip', line: 7 },
    ],
    drive: (line, isHigh) => {
      gpio.drive(line, isHigh);
    },
    isHigh: (line) => gpio.isHigh(line),
  };
});

i2cContract('SimI2c', () => {
  const bus = new SimI2c();
  bus.plug(0x68);
  return {
    port: bus,
    address: 0x68,
    emptyAddress: 0x69,
    poke: (register, bytes) => {
      bus.poke(0x68, register, bytes);
    },
    unplug: () => {
      bus.unplug(0x68);
    },
  };
});

serialContract('SimSerial', () => {
  const serial = new SimSerial();
  serial.plug('gnss');
  return {
    port: serial,
    path: 'gnss',
    missingPath: 'nowhere',
    feed: (bytes) => {
      serial.feed('gnss', bytes);
    },
    written: () => serial.written('gnss'),
    unplug: () => {
      serial.unplug('gnss');
    },
  };
});

dockContract('SimDock', () => {
  const dock = new SimDock();
  return {
    port: dock,
    setDocked: (isDocked) => {
      dock.setDocked(isDocked);
    },
  };
});

thermalContract('SimThermal', () => {
  const thermal = new SimThermal();
  return {
    port: thermal,
    setCelsius: (celsius) => {
      thermal.setPlugged(true);
      thermal.setCelsius(celsius);
    },
    unplug: () => {
      thermal.setPlugged(false);
    },
  };
});

powerContract('SimPower', () => {
  const power = new SimPower();
  return {
    port: power,
    setBattery: (chargePercent, isCharging) => {
      power.setCharge(chargePercent);
      power.setCharging(isCharging);
    },
    unplug: () => {
      power.setPlugged(false);
    },
  };
});

powerContract('Max17048', () => {
  const bus = new SimI2c();
  // 3.9 V.
  bus.plug(0x36, { 0x02: 0xc3, 0x03: 0x00 });
  return {
    port: new Max17048(bus, 0x36),
    setBattery: (chargePercent, isCharging) => {
      bus.poke(0x36, 0x04, [chargePercent, 0]);
      // 10.4 % an hour in, 2 % an hour out.
      bus.poke(0x36, 0x16, isCharging ? [0x00, 0x32] : [0xff, 0xf6]);
    },
    unplug: () => {
      bus.unplug(0x36);
    },
  };
});

import test from 'ava';
import { writeFile } from 'node:fs/promises';
import { GpioDock } from '../../../src/hal/drivers/gpio-dock.js';
import { GpiodGpio } from '../../../src/hal/linux/gpiod-gpio.js';
import { GpiodTools } from '../../../src/hal/linux/gpiod-tools.js';
import { I2cBus } from '../../../src/hal/linux/i2c-bus.js';
import { OnoffGpio } from '../../../src/hal/linux/onoff-gpio.js';
import { PowerSupply } from '../../../src/hal/linux/power-supply.js';
import { LinuxSerial } from '../../../src/hal/linux/serial-port.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { dockContract } from '../../contract/dock-contract.js';
import { gpioContract } from '../../contract/gpio-contract.js';
import { i2cContract } from '../../contract/i2c-contract.js';
import { powerContract } from '../../contract/power-contract.js';
import { serialContract } from '../../contract/serial-contract.js';
import { GuestRig } from '../guest-rig.js';
import { RIG_CHIP, RIG_LINES, SPARE_LINES, openRig } from '../rig.js';

const rig = await openRig();
const clock = new SystemClock();
// The host has no /dev/gpiochip; test/contract has the gpiod tools on stand-ins.
const tools = rig instanceof GuestRig ? await GpiodTools.find() : undefined;

test.after.always(() => rig.close());

const offsetOf = ({ line }: { readonly line: number | string }): number => Number(line);

gpioContract(`OnoffGpio on ${rig.level}`, () => ({
  port: new OnoffGpio(clock),
  lines: [
    { chip: RIG_CHIP, line: SPARE_LINES[0] },
    { chip: RIG_CHIP, line: SPARE_LINES[1] },
  ],
  drive: (line, isHigh) => rig.drive(offsetOf(line), isHigh),
  isHigh: (line) => rig.isHigh(offsetOf(line)),
}));

if (rig instanceof GuestRig && tools) {
  const guest = rig;
  gpioContract(`GpiodGpio ${tools.version} on ${rig.level}`, () => ({
    port: new GpiodGpio(tools, clock),
    lines: [
      { chip: RIG_CHIP, line: SPARE_LINES[0] },
      { chip: RIG_CHIP, line: SPARE_LINES[1] },
    ],
    drive: (line, isHigh) => rig.drive(offsetOf(line), isHigh),
    isHigh: (line) => rig.isHigh(offsetOf(line)),
  }));
  powerContract(`PowerSupply on ${rig.level}`, (t) => {
    const present = '/sys/module/test_power/parameters/battery_present';
    t.teardown(() => writeFile(present, 'true'));
    return {
      port: new PowerSupply('test_battery'),
      setBattery: (percent, isCharging) => guest.setPower(percent, isCharging),
      unplug: () => writeFile(present, 'false'),
    };
  });
}

i2cContract(`I2cBus on ${rig.level}`, async (t) => {
  const { bus, address, emptyAddress } = rig.imu;
  const port = await I2cBus.open(bus);
  let isPlugged = true;
  t.teardown(async () => {
    await port.close();
    if (!isPlugged) await rig.imu.plug();
  });
  return {
    port,
    address,
    emptyAddress,
    poke: (register, bytes) => rig.imu.poke(register, bytes),
    unplug: async () => {
      isPlugged = false;
      await rig.imu.unplug();
    },
  };
});

serialContract(`LinuxSerial on ${rig.level}`, async (t) => {
  await rig.gnss.plug();
  t.teardown(() => rig.gnss.unplug());
  return {
    port: new LinuxSerial(clock),
    path: rig.gnss.path,
    missingPath: `${rig.gnss.path}-missing`,
    feed: (bytes) => rig.gnss.write(bytes),
    written: () => rig.gnss.written(),
    unplug: () => rig.gnss.unplug(),
  };
});

dockContract(`GpioDock on ${rig.level}`, async (t) => {
  const { dock } = RIG_LINES;
  await rig.drive(dock.line, dock.activeLow);
  const port = await GpioDock.open(
    new OnoffGpio(clock),
    { ...dock, debounceIntervalMs: 30 },
    clock,
    (fault) => {
      if (fault !== undefined) t.fail(fault.line);
    },
  );
  t.teardown(() => port.close());
  return { port, setDocked: (isDocked) => rig.drive(dock.line, isDocked !== dock.activeLow) };
});

import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { ExecutionContext } from 'ava';
import { GpioDock } from '../../src/hal/drivers/gpio-dock.js';
import { GpiodGpio } from '../../src/hal/linux/gpiod-gpio.js';
import { GpiodTools } from '../../src/hal/linux/gpiod-tools.js';
import { openNetworkDock } from '../../src/hal/linux/network-dock.js';
import { openPowerSupplyDock } from '../../src/hal/linux/power-supply-dock.js';
import { PowerSupply } from '../../src/hal/linux/power-supply.js';
import { SystemClock } from '../../src/hal/linux/system-clock.js';
import { ThermalZone } from '../../src/hal/linux/thermal-zone.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../src/hal/sim/sim-gpio.js';
import { GpiodStandIn, STAND_IN_CHIP } from '../support/gpiod-stand-in.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { dockContract } from './dock-contract.js';
import { gpioContract } from './gpio-contract.js';
import { powerContract } from './power-contract.js';
import { thermalContract } from './thermal-contract.js';

// Adapters whose other side a machine without that hardware can pretend: files stand in for sysfs, shell scripts for the
// gpiod tools. That proves our half. The other half is proved by the rig, where there is a kernel or a model of one.

const POLL_MS = 1_000;

for (const version of [1, 2] as const) {
  gpioContract(`GpiodGpio with stand-ins for gpiod ${version}`, async (t) => {
    const standIn = await GpiodStandIn.make(t, version);
    const tools = await GpiodTools.find(standIn.directory);
    return {
      port: new GpiodGpio(tools, new SystemClock()),
      lines: [
        { chip: STAND_IN_CHIP, line: 3 },
        { chip: STAND_IN_CHIP, line: 4 },
      ],
      drive: ({ line }, isHigh) => standIn.drive(Number(line), isHigh),
      isHigh: ({ line }) => standIn.isHigh(Number(line)),
    };
  });
}

/** Files of one directory of sysfs. */
async function sysfs(
  t: ExecutionContext,
  name: string,
): Promise<{ root: string; set: (files: Readonly<Record<string, string>>) => Promise<void> }> {
  const root = await temporaryDirectory(t);
  await mkdir(path.join(root, name));
  const set = async (files: Readonly<Record<string, string>>): Promise<void> => {
    for (const [file, text] of Object.entries(files)) {
      await writeFile(path.join(root, name, file), `${text}\n`);
    }
  };
  return { root, set };
}

const failOn = (t: ExecutionContext) => (fault: Error | undefined) => {
  if (fault !== undefined) t.fail(fault.message);
};

powerContract('PowerSupply on files', async (t) => {
  const { root, set } = await sysfs(t, 'battery');
  await set({ present: '1', capacity: '50', status: 'Discharging' });
  return {
    port: new PowerSupply('battery', root),
    setBattery: (chargePercent, isCharging) =>
      set({
        capacity: String(chargePercent),
        status: isCharging ? 'Charging' : chargePercent === 100 ? 'Full' : 'Discharging',
      }),
    unplug: () => rm(path.join(root, 'battery'), { recursive: true }),
  };
});

thermalContract('ThermalZone on files', async (t) => {
  const { root, set } = await sysfs(t, 'thermal_zone1');
  // Another zone comes first, as on many machines.
  await mkdir(path.join(root, 'thermal_zone0'));
  await writeFile(path.join(root, 'thermal_zone0', 'type'), 'gpu-thermal\n');
  await writeFile(path.join(root, 'thermal_zone0', 'temp'), '99000\n');
  await mkdir(path.join(root, 'cooling_device0'));
  await set({ type: 'cpu-thermal' });
  return {
    port: new ThermalZone('cpu-thermal', root),
    setCelsius: async (celsius) => {
      await mkdir(path.join(root, 'thermal_zone1'), { recursive: true });
      await set({ type: 'cpu-thermal', temp: String(celsius * 1000) });
    },
    unplug: () => rm(path.join(root, 'thermal_zone1'), { recursive: true }),
  };
});

dockContract('power supply dock on files', async (t) => {
  const { root, set } = await sysfs(t, 'charger');
  const clock = new SimClock();
  await set({ online: '0' });
  const port = await openPowerSupplyDock('charger', clock, failOn(t), root);
  return {
    port,
    setDocked: async (isDocked) => {
      await set({ online: isDocked ? '1' : '0' });
      await clock.advance(POLL_MS);
    },
  };
});

dockContract('network dock on files', async (t) => {
  const { root, set } = await sysfs(t, 'eth0');
  const clock = new SimClock();
  await set({ carrier: '0' });
  const port = await openNetworkDock('eth0', clock, failOn(t), root);
  return {
    port,
    setDocked: async (isDocked) => {
      await set({ carrier: isDocked ? '1' : '0' });
      await clock.advance(POLL_MS);
    },
  };
});

dockContract('GpioDock on SimGpio', async (t) => {
  const clock = new SimClock();
  const gpio = new SimGpio(clock, { chip: { lines: 8 } });
  const spec = { chip: 'chip', line: 2, activeLow: true, debounceIntervalMs: 30 };
  const port = await GpioDock.open(gpio, spec, clock, failOn(t));
  return {
    port,
    setDocked: async (isDocked) => {
      gpio.drive(spec, !isDocked);
      await clock.advance(spec.debounceIntervalMs);
    },
  };
});

import { mkdir, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { openNetworkDock } from '../../../src/hal/linux/network-dock.js';
import { openPowerSupplyDock } from '../../../src/hal/linux/power-supply-dock.js';
import { PowerSupply } from '../../../src/hal/linux/power-supply.js';
import { findSysfsLine } from '../../../src/hal/linux/sysfs-gpiochips.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { eventually } from '../../contract/eventually.js';
import { rejectsWith } from '../../support/reject-code.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** Writes files below a directory of this test; sysfs is nothing else to whoever reads it. */
async function tree(t: ExecutionContext, files: Readonly<Record<string, string>>): Promise<string> {
  const root = await temporaryDirectory(t);
  for (const [file, text] of Object.entries(files)) {
    await mkdir(path.dirname(path.join(root, file)), { recursive: true });
    await writeFile(path.join(root, file), text);
  }
  return root;
}

const chip = (
  name: string,
  label: string,
  base: number,
  ngpio: number,
): Record<string, string> => ({
  [`${name}/label`]: `${label}\n`,
  [`${name}/base`]: `${base}\n`,
  [`${name}/ngpio`]: `${ngpio}\n`,
});

/** A machine without the character device. */
const NO_DEVICES = '/nonexistent';

/** As on a Raspberry Pi 3 with kernel 6.1: the expander comes first. */
const PI = {
  ...chip('gpiochip450', 'raspberrypi-exp-gpio', 450, 8),
  ...chip('gpiochip458', 'pinctrl-bcm2835', 458, 54),
  'gpiochip458/device/of_node/gpio-line-names': 'ID_SDA\0ID_SCL\0\0GPIO3\0',
};

test('a line is found by the label of its chip, whatever the base is', async (t) => {
  const gpio = await tree(t, PI);
  const paths = { gpio, dev: NO_DEVICES };
  t.is(await findSysfsLine({ chip: 'pinctrl-bcm2835', line: 17 }, paths), 475);
  t.is(await findSysfsLine({ chip: 'raspberrypi-exp-gpio', line: 7 }, paths), 457);
  for (const line of [8, -1, 0.5]) {
    await rejectsWith(t, 'hal/disconnected', () =>
      findSysfsLine({ chip: 'raspberrypi-exp-gpio', line }, paths),
    );
  }
  await rejectsWith(t, 'hal/disconnected', () =>
    findSysfsLine({ chip: 'gpiochip458', line: 0 }, paths),
  );
});

test('a line is found by its name in the devicetree of its chip only', async (t) => {
  const gpio = await tree(t, PI);
  const paths = { gpio, dev: NO_DEVICES };
  t.is(await findSysfsLine({ chip: 'pinctrl-bcm2835', line: 'ID_SCL' }, paths), 459);
  t.is(await findSysfsLine({ chip: 'pinctrl-bcm2835', line: 'GPIO3' }, paths), 461);
  for (const [label, line] of [
    ['pinctrl-bcm2835', 'GPIO4'],
    ['raspberrypi-exp-gpio', 'ID_SCL'],
  ] as const) {
    await rejectsWith(t, 'hal/disconnected', () => findSysfsLine({ chip: label, line }, paths));
  }
});

test('of two chips with one label the one with the lower number counts', async (t) => {
  const gpio = await tree(t, {
    ...chip('gpiochip1000', 'twin', 1000, 4),
    ...chip('gpiochip900', 'twin', 900, 4),
  });
  t.is(await findSysfsLine({ chip: 'twin', line: 1 }, { gpio, dev: NO_DEVICES }), 901);
});

test('a machine without sysfs GPIO has no line', async (t) => {
  const missing = path.join(await temporaryDirectory(t), 'missing');
  const find = () => findSysfsLine({ chip: 'any', line: 0 }, { gpio: missing, dev: missing });
  await rejectsWith(t, 'hal/disconnected', find);
});

test('a battery that is not present, or gives no percentage, is disconnected', async (t) => {
  const files = { 'b/capacity': '50\n', 'b/status': 'Not charging\n' };
  t.deepEqual(await new PowerSupply('b', await tree(t, files)).read(), {
    chargePercent: 50,
    isCharging: false,
  });
  for (const fault of [
    { 'b/present': '0\n' },
    { 'b/capacity': '101\n' },
    { 'b/capacity': '-1\n' },
    { 'b/capacity': '' },
  ]) {
    const root = await tree(t, { ...files, ...fault });
    await rejectsWith(t, 'hal/disconnected', () => new PowerSupply('b', root).read());
  }
});

test('a power supply that is gone is a fault and undocked, one that is programmable is docked', async (t) => {
  const root = await tree(t, { 'usb/online': '2\n' });
  const clock = new SimClock();
  const states: (string | undefined)[] = [];
  const dock = await openPowerSupplyDock('usb', clock, (fault) => states.push(fault?.code), root);
  t.true(dock.isDocked());
  await rm(path.join(root, 'usb'), { recursive: true });
  await clock.advance(1_000);
  await eventually(t, 'undocked', () => !dock.isDocked());
  t.deepEqual(states, [undefined, 'hal/disconnected']);
  dock.close();
});

test('a network interface that is not there is undocked and no fault', async (t) => {
  const root = await tree(t, {});
  const clock = new SimClock();
  const states: (string | undefined)[] = [];
  const dock = await openNetworkDock('usb0', clock, (fault) => states.push(fault?.code), root);
  t.false(dock.isDocked());
  await mkdir(path.join(root, 'usb0'));
  await writeFile(path.join(root, 'usb0/carrier'), '1\n');
  await clock.advance(1_000);
  await eventually(t, 'docked', () => dock.isDocked());
  t.deepEqual(states, [undefined]);
  dock.close();
});

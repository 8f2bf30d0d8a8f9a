import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import i2c from 'i2c-bus';
import { Gpio } from 'onoff';
import { SerialPort } from 'serialport';
import { GuestRig } from './guest-rig.js';

// Proves the rig itself, with nothing of Lapel between it and the packages: each thing a test may do to a part is seen
// by the package that serves this part. Runs in the guest: test/rig/run-guest.sh 6.12 'node build/test/rig/guest-check.js'

const [BUTTON, LED] = [17, 5];
/** Five times the slowest edge seen in the guest (43 ms), rounded up. */
const EDGE_TIMEOUT_MS = 1000;
const run = promisify(execFile);

const check = async (what: string, work: () => Promise<string | undefined>): Promise<void> => {
  const from = performance.now();
  const seen = await work();
  const took = Math.round(performance.now() - from);
  process.stdout.write(`ok ${what}${seen === undefined ? '' : `: ${seen}`} (${took} ms)\n`);
};
const until = async (isSo: () => boolean, timeoutMs: number): Promise<boolean> => {
  for (let waited = 0; !isSo() && waited < timeoutMs; waited += 10) await sleep(10);
  return isSo();
};
const codeOf = (work: () => unknown): string | undefined => {
  try {
    work();
    return undefined;
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code);
  }
};

/** sysfs number of line 0 of the rig's chip. */
async function gpioBase(): Promise<number> {
  for (const name of await readdir('/sys/class/gpio')) {
    if (!name.startsWith('gpiochip')) continue;
    const about = async (key: string): Promise<string> =>
      (await readFile(`/sys/class/gpio/${name}/${key}`, 'utf8')).trim();
    if ((await about('label')) === 'pinctrl-bcm2835') return Number(await about('base'));
  }
  throw new Error('no chip labelled pinctrl-bcm2835 in sysfs');
}

async function checkEdges(rig: GuestRig): Promise<string> {
  const button = new Gpio((await gpioBase()) + BUTTON, 'in', 'both');
  const latencies: number[] = [];
  let drivenAt = 0;
  button.watch(() => latencies.push(performance.now() - drivenAt));
  for (let edge = 0; edge < 10; edge++) {
    drivenAt = performance.now();
    await rig.drive(BUTTON, edge % 2 === 1);
    assert.ok(await until(() => latencies.length > edge, EDGE_TIMEOUT_MS), `no edge ${edge}`);
  }
  button.unexport();
  return latencies.map((ms) => ms.toFixed(0)).join(' ') + ' ms';
}

async function checkVanish(rig: GuestRig): Promise<string> {
  const led = new Gpio((await gpioBase()) + LED, 'out');
  led.writeSync(1);
  assert.equal(await rig.isHigh(LED), true);
  await rig.gpio.vanish();
  const code = codeOf(() => {
    led.writeSync(0);
  });
  assert.ok(code, 'a write to a line of a chip that is gone');
  await assert.rejects(gpioBase);
  await rig.gpio.return();
  const again = new Gpio((await gpioBase()) + LED, 'out');
  again.writeSync(1);
  assert.equal(await rig.isHigh(LED), true);
  assert.equal(await rig.isHigh(BUTTON), true);
  again.unexport();
  return `write to it: ${code}, base now ${await gpioBase()}`;
}

async function checkSysfsGpio(rig: GuestRig): Promise<string> {
  await rig.showSysfsGpio(false);
  assert.ok(!existsSync('/sys/class/gpio'));
  assert.ok(existsSync('/sys/class/i2c-dev/i2c-0/name') && existsSync('/sys/class/net/lo/address'));
  const found = (await run('gpiofind', ['GPIO17'])).stdout.trim();
  await rig.showSysfsGpio(true);
  assert.ok(existsSync('/sys/class/gpio/export'));
  return `gpiofind GPIO17: ${found}`;
}

async function checkImu(rig: GuestRig): Promise<string> {
  const bus = i2c.openSync(0);
  await rig.imu.poke(0x75, [0x68]);
  assert.equal(bus.readByteSync(0x68, 0x75), 0x68);
  await rig.imu.poke(0x3b, [...Array(14).keys()]);
  const block = Buffer.alloc(14);
  bus.readI2cBlockSync(0x68, 0x3b, 14, block);
  assert.deepEqual([...block], [...Array(14).keys()]);
  await rig.imu.unplug();
  const code = codeOf(() => bus.readByteSync(0x68, 0x75));
  assert.ok(code, 'a chip that is unplugged answers');
  await rig.imu.moveTo(0x69);
  assert.ok(codeOf(() => bus.readByteSync(0x68, 0x75)));
  assert.equal(bus.readByteSync(0x69, 0x75), 0x68);
  await rig.imu.plug();
  assert.equal(bus.readByteSync(0x68, 0x75), 0x68);
  bus.closeSync();
  return `unplugged: ${code}`;
}

async function openSerial(path: string): Promise<{ port: SerialPort; seen: () => string }> {
  const port = new SerialPort({ path, baudRate: 9600, autoOpen: false });
  let text = '';
  port.on('data', (chunk: Buffer) => (text += chunk.toString('latin1')));
  await new Promise<void>((resolve, reject) => {
    port.open((error) => {
      if (error) reject(error);
      else resolve();
    });
  });
  return { port, seen: () => text };
}

async function checkGnss(rig: GuestRig): Promise<string> {
  await rig.gnss.plug();
  for (const round of ['first', 'second']) {
    const { port, seen } = await openSerial(rig.gnss.path);
    await rig.gnss.write(`$${round}\r\n`);
    assert.ok(await until(() => seen().includes(`$${round}\r\n`), 5000), `nothing of the ${round}`);
    await new Promise((resolve) => {
      port.close(resolve);
    });
  }
  const { port } = await openSerial(rig.gnss.path);
  let isClosed = false;
  port.on('close', () => (isClosed = true));
  await rig.gnss.unplug();
  const noticed = await until(() => isClosed, 3000);
  assert.ok(!existsSync(rig.gnss.path));
  await rig.gnss.plug();
  const { port: later, seen } = await openSerial(rig.gnss.path);
  await rig.gnss.write('$again\r\n');
  assert.ok(await until(() => seen().includes('$again'), 5000), 'nothing after plugging in');
  later.close();
  return noticed ? 'close was told' : 'no close event in 3 s';
}

async function checkCamera(rig: GuestRig): Promise<string> {
  const source = 'v4l2src device=/dev/video0 ! video/x-raw,format=YUY2,width=320,height=180';
  const launch = (count: string): Promise<unknown> =>
    run(
      'gst-launch-1.0',
      `-q ${source.replace('v4l2src', `v4l2src ${count}`)} ! fakesink`.split(' '),
    );
  await launch('num-buffers=5');
  const playing = assert.rejects(launch('num-buffers=100000'));
  await sleep(4000);
  await rig.camera.unplug();
  const from = performance.now();
  await playing;
  const tookMs = Math.round(performance.now() - from);
  assert.ok(!existsSync('/dev/video0'));
  await rig.camera.plug();
  assert.ok(await until(() => existsSync('/dev/video0'), 5000), 'no /dev/video0 again');
  await launch('num-buffers=5');
  return `a running pipeline ended ${tookMs} ms after unplugging`;
}

async function checkPower(rig: GuestRig): Promise<string> {
  const about = async (key: string): Promise<string> =>
    (await readFile(`/sys/class/power_supply/test_${key}`, 'utf8')).trim();
  await rig.setPower(37, false);
  assert.deepEqual(
    [await about('battery/capacity'), await about('battery/status'), await about('ac/online')],
    ['37', 'Discharging', '0'],
  );
  await rig.setPower(38, true);
  assert.deepEqual([await about('battery/status'), await about('ac/online')], ['Charging', '1']);
  const carrier = async (): Promise<string> =>
    (await readFile('/sys/class/net/dummy0/carrier', 'utf8')).trim();
  await rig.setCarrier(true);
  assert.equal(await carrier(), '1');
  await rig.setCarrier(false);
  assert.equal(await carrier(), '0');
  return 'charge, charger, carrier';
}

const rig = await GuestRig.open();
await check('edges', () => checkEdges(rig));
await check('a chip that vanishes and comes back', () => checkVanish(rig));
await check('no GPIO in sysfs', () => checkSysfsGpio(rig));
await check('registers, unplugging, another address', () => checkImu(rig));
await check('serial line', () => checkGnss(rig));
await check('power and dock', () => checkPower(rig));
await check('camera', () => checkCamera(rig));
await rig.close();
// A port that has not noticed that its line is gone would keep this process for ever.
process.exit();

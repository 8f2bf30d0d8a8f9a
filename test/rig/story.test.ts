import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { readTrust } from '../../src/cli/keys.js';
import { verifyPaths } from '../../src/cli/verify.js';
import { openMachine } from '../../src/hal/machine.js';
import { Mosquitto } from '../support/sync/mosquitto.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { fallUntil } from './fall.js';
import { GuestRig } from './guest-rig.js';
import { RIG_LINES, openRig } from './rig.js';
import type { Role } from './rig.js';
import { Sensors } from './sensors.js';
import { STEP_MS_MAX, VirtualCamera } from './virtual-camera.js';

// The whole camera on the hardware of the rig: kernel drivers of Linux on L2, their models on L1.

const HOLD_MS = 3500;
/** Between two holds: what is shorter is a contact that bounces. */
const PAUSE_MS = 400;
/** Steady for this long is steady: the slowest blink has a period of 2 s. */
const LOOK_MS = 2600;

test('a shift on the rig: buffering, a press, a hold, a fall, a position, the dock, a receipt', async (t) => {
  t.timeout(300_000);
  const rig = await openRig();
  const sensors = new Sensors(rig);
  const broker = await Mosquitto.start();
  const camera = await VirtualCamera.make(await temporaryDirectory(t), rig);
  t.teardown(async () => {
    await camera.close();
    await sensors.stop();
    await broker.stop();
    await rig.close();
  });
  const at = (role: Role): number => RIG_LINES[role].line;
  const told = stopwatch(t);
  await sensors.start();
  if (rig instanceof GuestRig) await rig.setPower(80, false);
  await camera.startReceiver(broker.url);

  told('keys, broker and receiver are there');
  const lapel = camera.start(broker.url);
  await lapel.event(({ event, mode }) => event === 'mode' && mode === 'buffering', STEP_MS_MAX);
  told('buffering');
  const ready = await camera.until(
    'every part works and there is a position',
    ({ parts, check, position, recorder }) =>
      parts.length === 0 && check?.length === 0 && position !== null && recorder.bufferedMs >= 3000,
  );
  t.is(ready.position?.latitude.toFixed(3), '53.361');
  told('every part works, position known');
  t.is(await look(() => rig.isHigh(at('ledStatus'))), 'blinking');
  t.is(await look(() => rig.isHigh(at('ledFault'))), 'off');

  await rig.press('record', 200);
  await lapel.event(({ event }) => event === 'recording-started', STEP_MS_MAX);
  await camera.until('durable', ({ recorder }) => recorder.isDurable);
  told('recording');
  t.is(await look(() => rig.isHigh(at('ledRecord'))), 'on');
  t.is(await look(() => rig.isHigh(at('ledStatus'))), 'off');
  await rig.press('record', HOLD_MS);
  await lapel.event(({ event }) => event === 'recording-stopped', STEP_MS_MAX);
  told('stopped by a hold');
  t.is(await look(() => rig.isHigh(at('ledRecord'))), 'off');

  const falls = await fallUntil(camera, lapel, sensors, ({ event, rec }) => {
    return event === 'recording-started' && rec === 2;
  });
  told(`a fall has started a recording; ${falls - 1} falls were void`);
  // Within a minute of a fall a stop is a reflex until it is confirmed.
  await rig.press('record', HOLD_MS);
  await lapel.event(({ outcome }) => outcome === 'refused-guarded', STEP_MS_MAX);
  await pause(PAUSE_MS);
  await rig.press('record', HOLD_MS);
  await lapel.event(({ event, rec }) => event === 'recording-stopped' && rec === 2, STEP_MS_MAX);
  told('the stop was refused once, and confirmed');

  await rig.drive(at('dock'), false);
  const docked = await camera.until(
    'a receipt for each segment',
    ({ card }) => card.segments > 0 && card.receipted === card.segments,
  );
  told(`docked, ${docked.card.receipted} receipts`);
  t.true(docked.card.segments >= 2);
  await rig.drive(at('dock'), true);

  const { fs } = openMachine();
  const evidence = path.join(camera.store, 'lapel-rig');
  const report = await verifyPaths(fs, [evidence], await readTrust(fs, camera.trust));
  t.is(report.state, 'ok');
  told('verified');
});

/** How a light looks to an eye that looks for a while. */
async function look(isHigh: () => Promise<boolean>): Promise<'on' | 'off' | 'blinking'> {
  const seen = new Set<boolean>();
  const end = performance.now() + LOOK_MS;
  while (performance.now() < end) {
    seen.add(await isHigh());
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  if (seen.size === 2) return 'blinking';
  return seen.has(true) ? 'on' : 'off';
}

function stopwatch(t: ExecutionContext): (what: string) => void {
  const from = performance.now();
  return (what) => {
    t.log(`${((performance.now() - from) / 1000).toFixed(1)} s: ${what}`);
  };
}

import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { LAPEL, runLapelJson } from '../support/process.js';
import { Mosquitto } from '../support/sync/mosquitto.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { GuestRig } from './guest-rig.js';
import { RIG_LINES, openRig } from './rig.js';
import { Sensors } from './sensors.js';
import { STEP_MS_MAX, VirtualCamera } from './virtual-camera.js';
import type { VirtualBoard } from './virtual-camera.js';

// One thing is wrong at a time: the doctor names the very part, and the running camera says so and goes on.

const rig = await openRig();
const sensors = new Sensors(rig);
test.before(() => sensors.start());
test.after.always(async () => {
  await sensors.stop();
  await rig.close();
});

interface Report {
  readonly ok: boolean;
  readonly findings: readonly { part: string; ok: boolean; detail: string }[];
}

const PARTS = ['buttons.record', 'leds.record', 'imu', 'gnss', 'dock'];
const lines = (report: Report): string[] =>
  report.findings.filter(({ ok }) => !ok).map(({ part, detail }) => `${part} ${detail}`);

const spoiled: readonly [what: string, change: (board: VirtualBoard) => void, said: RegExp][] = [
  ['nothing', () => undefined, /^$/],
  [
    'the polarity of the record button',
    ({ buttons }) => (buttons.record.activeLow = false),
    /^buttons\.record hal\/no-effect: buttons\.record reads as pressed[^\n]*$/,
  ],
  [
    'the label of the chip of the record button',
    ({ buttons, gpio }) => {
      gpio.chips['pinctrl-bcm2712'] = { lines: 54 };
      buttons.record.chip = 'pinctrl-bcm2712';
    },
    /^buttons\.record hal\/disconnected: [^\n]*pinctrl-bcm2712[^\n]*$/,
  ],
  [
    'the address of the motion sensor',
    ({ imu }) => (imu.address = 0x51),
    /^imu hal\/no-acknowledge: [^\n]*$/,
  ],
  [
    'the path of the receiver',
    ({ gnss }) => (gnss.path += '-gone'),
    /^gnss hal\/disconnected: [^\n]*$/,
  ],
];
for (const [what, change, said] of spoiled) {
  test.serial(
    `doctor on ${rig.level} with ${what} wrong in the board file names that part`,
    async (t) => {
      t.timeout(STEP_MS_MAX * 2);
      const camera = await VirtualCamera.make(await temporaryDirectory(t), rig);
      await camera.writeBoard(rig, change);
      const { status, result } = await runLapelJson<Report>(
        ...['doctor', '--board', camera.board, '--data', camera.data, '--only', PARTS.join(',')],
      );
      t.regex(lines(result).join('\n'), said);
      t.is(status, what === 'nothing' ? 0 : 1);
    },
  );
}

test.serial(`without sysfs GPIO on ${rig.level} the gpiod tools serve, or are named`, async (t) => {
  t.timeout(STEP_MS_MAX * 2);
  const camera = await VirtualCamera.make(await temporaryDirectory(t), rig);
  const words = ['doctor', '--board', camera.board, '--data', camera.data, '--json'];
  const command = `mount -t tmpfs none /sys/class/gpio && exec '${process.execPath}' '${LAPEL}' ${words.join(' ')} --only buttons.record,leds.record`;
  const run = promisify(execFile)('unshare', ['-m', 'sh', '-c', command]);
  const { stdout } = await run.catch((error: unknown) => error as { stdout: string });
  const report = JSON.parse(stdout) as Report;
  if (rig.level === 'L2') t.deepEqual(lines(report), []);
  else t.regex(lines(report)[0] ?? '', /^buttons\.record hal\/(no-gpio|disconnected): /);
});

test.serial(
  `parts that go and come back while ${rig.level} records are told, shown and survived`,
  async (t) => {
    t.timeout(STEP_MS_MAX * 4);
    const broker = await Mosquitto.start();
    const camera = await VirtualCamera.make(await temporaryDirectory(t), rig);
    t.teardown(async () => {
      await camera.close();
      await broker.stop();
    });
    const lapel = camera.start(broker.url);
    await lapel.event(({ event, mode }) => event === 'mode' && mode === 'buffering', STEP_MS_MAX);
    await camera.until('all well', ({ parts }) => parts.length === 0);
    await rig.press('record', 200);
    await camera.until('recording', ({ recorder }) => recorder.isDurable);

    const losses = [
      { part: 'imu', lose: () => rig.imu.unplug(), restore: () => rig.imu.plug() },
      { part: 'gnss', lose: () => rig.gnss.unplug(), restore: () => rig.gnss.plug() },
      { part: 'buttons.record', lose: () => rig.gpio.vanish(), restore: () => rig.gpio.return() },
    ];
    for (const { part, lose, restore } of losses) {
      const from = performance.now();
      await lose();
      const broken = await camera.until(`${part} is told`, ({ parts }) =>
        parts.some((fault) => fault.part === part),
      );
      const toldMs = performance.now() - from;
      t.is(broken.recorder.mode, 'recording');
      if (part !== 'buttons.record') {
        t.true(await rig.isHigh(RIG_LINES.ledFault.line), `${part}: the amber light is on`);
      }
      await restore();
      const back = await camera.until(`${part} is back`, ({ parts }) => parts.length === 0);
      t.is(back.recorder.mode, 'recording');
      t.true(back.recorder.isDurable);
      t.log(
        `${part}: told after ${Math.round(toldMs)} ms, back after ${Math.round(performance.now() - from)} ms`,
      );
    }
    await rig.press('record', 3500);
    await lapel.event(({ event }) => event === 'recording-stopped', STEP_MS_MAX);
  },
);

// Only the guest has a camera whose driver can be taken away; on the host a test picture stands for it.
if (rig instanceof GuestRig) {
  test.serial(
    'a camera whose driver is unbound is named by the doctor, shown while L2 records, and filmed again',
    async (t) => {
      t.timeout(STEP_MS_MAX * 5);
      const broker = await Mosquitto.start();
      const camera = await VirtualCamera.make(await temporaryDirectory(t), rig);
      t.teardown(async () => {
        await camera.close();
        await broker.stop();
      });
      await rig.camera.unplug();
      const words = ['--board', camera.board, '--data', camera.data];
      const { status, result } = await runLapelJson<Report>('doctor', ...words, '--only', 'camera');
      await rig.camera.plug();
      t.is(status, 1);
      t.regex(lines(result).join('\n'), /^camera [^\n]*$/);

      const lapel = camera.start(broker.url);
      await lapel.event(({ event, mode }) => event === 'mode' && mode === 'buffering', STEP_MS_MAX);
      await rig.press('record', 200);
      await camera.until('recording', ({ recorder }) => recorder.isDurable);
      const from = performance.now();
      await rig.camera.unplug();
      await camera.until('not durable', ({ recorder }) => !recorder.isDurable);
      const toldMs = performance.now() - from;
      await shines(t, RIG_LINES.ledFault.line, 'amber');
      t.false(await rig.isHigh(RIG_LINES.ledRecord.line), 'red is dark');
      await rig.camera.plug();
      const back = await camera.until('durable again', ({ recorder }) => recorder.isDurable);
      t.is(back.recorder.mode, 'recording');
      t.log(
        `camera: told after ${Math.round(toldMs)} ms, back after ${Math.round(performance.now() - from)} ms`,
      );
      await rig.press('record', 3500);
      await lapel.event(({ event }) => event === 'recording-stopped', STEP_MS_MAX);
    },
  );
}

/** Waits for a light that may blink. */
async function shines(t: ExecutionContext, line: number, colour: string): Promise<void> {
  const limit = performance.now() + STEP_MS_MAX;
  while (!(await rig.isHigh(line)) && performance.now() < limit) await sleep(50);
  t.true(performance.now() < limit, `${colour} is seen`);
}

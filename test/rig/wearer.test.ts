import { setTimeout as pause } from 'node:timers/promises';
import test from 'ava';
import { signals, states } from '../../src/config/indicators.js';
import type { LightPattern } from '../../src/config/indicators.js';
import { Mosquitto } from '../support/sync/mosquitto.js';
import { temporaryDirectory } from '../support/temporary-directory.js';
import { fallUntil } from './fall.js';
import { nameOf, pulsesOf, seePattern } from './light-pattern.js';
import { watchLight } from './light-watch.js';
import { readLog } from './read-log.js';
import { RIG_LINES, openRig } from './rig.js';
import type { Role } from './rig.js';
import { Sensors } from './sensors.js';
import { STEP_MS_MAX, VirtualCamera } from './virtual-camera.js';

// What the wearer's hands do on the whole camera, and what lights and motor say to it, read back from their lines.

const TAP_MS = 200;
const HOLD_MS = 3500;
/** Between two presses: what is shorter is a contact that bounces. */
const PAUSE_MS = 400;
/** In a guest the answer of light and motor comes up to 6 s after the release. */
const GUEST_ANSWER_MS = 10_000;
/** The pulses of a choice are over. */
const PULSES_MS = 1500;
const CATEGORIES = ['arrest', 'traffic', 'other'];

test('press, mark, mute, fall, stop, category: lights and motor say what the table says', async (t) => {
  t.timeout(600_000);
  const rig = await openRig();
  const sensors = new Sensors(rig);
  const broker = await Mosquitto.start();
  const camera = await VirtualCamera.make(await temporaryDirectory(t), rig, {
    mute: 'toggle',
    categories: CATEGORIES,
  });
  t.teardown(async () => {
    await camera.close();
    await sensors.stop();
    await broker.stop();
    await rig.close();
  });
  const file = (role: Role): Promise<string> => rig.levelFile(RIG_LINES[role].line);
  const shows = async (
    lights: Partial<Record<'ledRecord' | 'ledStatus' | 'ledFault', LightPattern>>,
    state: string,
  ): Promise<void> => {
    const seen = await Promise.all(
      Object.entries(lights).map(async ([role, pattern]) => [
        role,
        await seePattern(await file(role as Role), pattern, rig.level === 'L1' ? 'exact' : 'rough'),
      ]),
    );
    const expected = Object.entries(lights).map(([role, pattern]) => [role, nameOf(pattern)]);
    t.log(`${state}: ${seen.map((light) => light.join(' ')).join(', ')}`);
    t.deepEqual(seen, expected, state);
  };

  await sensors.start();
  const lapel = camera.start(broker.url);
  const outcome = (wanted: string, times = 1): Promise<unknown> => {
    const isWanted = (event: Record<string, unknown>): boolean => event['outcome'] === wanted;
    return lapel.event(() => lapel.events.filter(isWanted).length === times, STEP_MS_MAX);
  };
  await lapel.event(({ event, mode }) => event === 'mode' && mode === 'buffering', STEP_MS_MAX);
  await camera.until('all parts work', ({ parts, check }) => parts.length === 0 && check !== null);
  const { idle, buffering, recording, muted, picking } = states;
  await shows({ ledRecord: idle.record, ledStatus: buffering.status }, 'buffering');

  await rig.press('record', TAP_MS);
  await outcome('started');
  await camera.until('durable', ({ recorder }) => recorder.isDurable);
  await shows({ ledRecord: recording.record, ledStatus: idle.status }, 'recording');

  const stopRed = await watchLight(await file('ledRecord'));
  const stopMotor = await watchLight(await file('vibration'));
  await rig.press('record', TAP_MS);
  await outcome('mark');
  await pause(rig.level === 'L1' ? 2 * PAUSE_MS : GUEST_ANSWER_MS);
  const dark = (await stopRed()).filter(({ isHigh }) => !isHigh).length;
  const felt = pulsesOf(await stopMotor()).length;
  t.log(`mark: the red light winks ${dark} time, the motor gives ${felt} pulse`);
  t.deepEqual(
    [dark, felt],
    [1, signals.marked.vibrationMs.length],
    'a mark is one wink and one pulse',
  );

  await rig.press('function', TAP_MS);
  await outcome('mute-on');
  await shows({ ledRecord: recording.record, ledStatus: muted.status }, 'muted');
  await rig.press('function', TAP_MS);
  await outcome('mute-off');
  await shows({ ledRecord: recording.record, ledStatus: idle.status }, 'no longer muted');

  await fallUntil(camera, lapel, sensors, ({ outcome }) => outcome === 'mark');
  await rig.press('record', HOLD_MS);
  await outcome('refused-guarded');
  await pause(PAUSE_MS);
  await rig.press('record', HOLD_MS);
  await lapel.event(({ event, rec }) => event === 'recording-stopped' && rec === 1, STEP_MS_MAX);
  await pause(PULSES_MS);
  const stopCounting = await watchLight(await file('vibration'));
  await pause(PAUSE_MS);
  for (const times of [1, 2]) {
    await rig.press('function', TAP_MS);
    await outcome('category', times);
    await pause(PULSES_MS);
  }
  await shows({ ledRecord: idle.record, ledStatus: picking.status }, 'choosing a category');
  const pulses = pulsesOf(await stopCounting()).map(Math.round);
  t.log(`category: pulses of ${pulses.join(', ')} ms`);
  await camera.until('the choice is over', () => readChoice(camera.data) !== undefined);
  await shows({ ledRecord: idle.record, ledStatus: buffering.status }, 'buffering again');
  t.is(readChoice(camera.data), CATEGORIES[1]);
  t.is(pulses.length, 1 + 2, 'one pulse for the first category, two for the second');
});

const readChoice = (data: string): string | null | undefined =>
  readLog<{ readonly category: string | null }>(data, 'category')[0]?.category;

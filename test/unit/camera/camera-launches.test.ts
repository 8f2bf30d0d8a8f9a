import test from 'ava';
import { checkedLaunches } from '../../../src/camera-launches.js';
import { parseConfig } from '../../../src/config/config.js';
import { CameraError } from '../../../src/errors.js';
import { generateIdentity } from '../../../src/evidence/age-recipients.js';
import type { Board } from '../../../src/hal/board.js';
import { createLogger } from '../../../src/log.js';
import { TEST_CAMERA } from '../../support/test-launch.js';

/** A board whose pipelines cannot be built when they hold one of these words. */
async function launchesOf(settings: object, ...missing: readonly string[]) {
  const logged: string[] = [];
  const board = {
    camera: TEST_CAMERA,
    microphone: { source: 'alsasrc' },
    video: {
      check: (launch: string) => {
        const word = missing.find((each) => launch.includes(each));
        if (word === undefined) return Promise.resolve();
        return Promise.reject(new CameraError('hal/no-element', word));
      },
    },
  } as unknown as Board;
  const config = parseConfig({
    ...{ deviceId: 'cam-1', recipients: [generateIdentity().recipient], receivers: [] },
    ...settings,
  });
  const log = createLogger('info', { write: (line) => logged.push(line) });
  const { video, withAudio } = await checkedLaunches(board, config, log);
  const has = (word: string): boolean[] =>
    [video, withAudio ?? ''].map((line) => line.includes(word));
  return { has, logged };
}

test('without the setting there is no overlay; with it, camera and wearer are in it', async (t) => {
  t.deepEqual((await launchesOf({})).has('overlay'), [false, false]);
  const { has, logged } = await launchesOf({ overlay: true, wearer: 'Agent 7' });
  t.deepEqual(has('clockoverlay text="cam&#45;1 Agent 7" '), [true, true]);
  t.deepEqual(logged, []);
  t.deepEqual((await launchesOf({ overlay: true })).has('text="cam&#45;1" '), [true, true]);
});

test('an overlay that cannot be had costs the overlay, not the pictures and not the sound', async (t) => {
  const { has, logged } = await launchesOf({ overlay: true }, 'clockoverlay');
  t.deepEqual(has('overlay'), [false, false]);
  t.deepEqual(has('x264enc'), [true, true]);
  t.is(logged.length, 1);
  t.regex(logged[0] ?? '', /overlay cannot be used/);
});

test('a microphone that cannot be had costs the sound, not the overlay', async (t) => {
  const { has } = await launchesOf({ overlay: true }, 'alsasrc');
  t.deepEqual(has('clockoverlay'), [true, false]);
});

test('pictures that cannot be had are a fault', async (t) => {
  await t.throwsAsync(launchesOf({ overlay: true }, 'x264enc'), { code: 'hal/no-element' });
});

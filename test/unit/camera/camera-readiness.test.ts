import test from 'ava';
import { CameraReadiness } from '../../../src/camera-readiness.js';
import { openBoard } from '../../../src/hal/board.js';
import { parseBoard } from '../../../src/hal/board-file.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { createLogger } from '../../../src/log.js';
import { boardDocument } from '../../support/board-document.js';

const MIB = 1024 * 1024;
const RESERVE = 2048 * MIB;

async function failing({ freeBytes = 8192 * MIB, framesPerSecond = 30, charge = 80 } = {}) {
  const clock = new SimClock();
  const board = await openBoard(parseBoard(JSON.stringify(boardDocument()), 'test.json'), {
    clock,
    log: createLogger('silent', { write: () => undefined }),
    files: { exists: () => Promise.resolve(true) },
    footageDirectory: '/footage',
  });
  board.sim?.setCharge(charge);
  const recorder = {
    status: () => ({ frames: Math.floor((clock.monotonicMs() / 1000) * framesPerSecond) }),
  };
  const card = { freeBytes: () => Promise.resolve(freeBytes) };
  const checking = new CameraReadiness(board, recorder, card, RESERVE).check();
  await clock.advance(5000);
  const findings = await checking;
  return findings.filter(({ ok }) => !ok).map(({ part, detail }) => `${part} ${detail}`);
}

test('a camera that gives pictures, has room and charge is ready', async (t) => {
  t.deepEqual(await failing(), []);
});

test('a card on which a press would be refused, or soon, keeps the camera from being ready', async (t) => {
  for (const freeBytes of [0, RESERVE - 1, RESERVE + 100 * MIB]) {
    const said = await failing({ freeBytes });
    t.is(said.length, 1, `${freeBytes}`);
    t.regex(said[0] ?? '', /^card storage\/disk-full: /);
  }
  t.deepEqual(await failing({ freeBytes: RESERVE + 301 * MIB }), []);
});

test('a camera without pictures, or with an empty battery, is not ready', async (t) => {
  const [camera] = await failing({ framesPerSecond: 0 });
  t.regex(camera ?? '', /^camera capture\/no-video: /);
  const [power] = await failing({ charge: 5 });
  t.regex(power ?? '', /^power hal\/low-battery: /);
});

import test from 'ava';
import type { RecorderMode, ShownState } from '../../../src/capture/ports.js';
import { CameraIndicator } from '../../../src/camera-indicator.js';
import { CameraError } from '../../../src/errors.js';
import { openBoard } from '../../../src/hal/board.js';
import { parseBoard } from '../../../src/hal/board-file.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { createLogger } from '../../../src/log.js';
import { boardDocument, withValue } from '../../support/board-document.js';

async function bench(document = boardDocument()) {
  const clock = new SimClock();
  const board = await openBoard(parseBoard(JSON.stringify(document), 'test.json'), {
    clock,
    log: createLogger('silent', { write: () => undefined }),
    files: { exists: () => Promise.resolve(true) },
    footageDirectory: '/footage',
  });
  const indicator = new CameraIndicator(board);
  const lights = async (): Promise<unknown> => {
    await clock.advance(3000);
    return board.sim?.state().lights;
  };
  return { board, clock, indicator, lights };
}

const shown = (mode: RecorderMode, isDurable: boolean): ShownState => {
  return { mode, isDurable, isMuted: false, isStealthy: false };
};

const LOST = new CameraError('hal/disconnected', 'no answer');

test('a part that breaks takes the ready light and lights amber, and gives both back', async (t) => {
  const { board, indicator, lights } = await bench();
  indicator.show(shown('buffering', false));
  t.like(await lights(), { status: 'blinking', fault: 'off' });
  const report = board.health.reporter('imu');
  report(LOST);
  t.like(await lights(), { record: 'off', status: 'off', fault: 'on' });
  indicator.show(shown('recording', true));
  t.like(await lights(), { record: 'on', status: 'off', fault: 'on' });
  report(undefined);
  t.like(await lights(), { record: 'on', status: 'off', fault: 'off' });
});

test('a check that was not passed keeps the ready light dark until one is', async (t) => {
  const { indicator, lights } = await bench();
  indicator.show(shown('buffering', false));
  indicator.setChecked(false);
  t.like(await lights(), { status: 'off', fault: 'on' });
  indicator.setChecked(true);
  t.like(await lights(), { status: 'blinking', fault: 'off' });
});

test('a board without an amber light tells faults with its status light', async (t) => {
  const { board, indicator, lights } = await bench(
    withValue(boardDocument(), 'leds.fault', undefined),
  );
  indicator.show(shown('buffering', false));
  board.health.reporter('gnss')(LOST);
  t.like(await lights(), { status: 'on' });
});

test('a mark makes the record light wink, for boards that have no motor', async (t) => {
  const { board, clock, indicator, lights } = await bench();
  indicator.show(shown('recording', true));
  t.like(await lights(), { record: 'on' });
  indicator.signal('marked');
  await clock.advance(50);
  t.like(board.sim?.state().lights, { record: 'off' });
  t.like(await lights(), { record: 'on' });
});

test('a stealthy camera shows and moves nothing; its lights come back as they were', async (t) => {
  const { board, indicator, lights } = await bench();
  indicator.show({ ...shown('recording', true), isStealthy: true });
  t.like(await lights(), { record: 'off', status: 'off', fault: 'off' });
  board.health.reporter('imu')(LOST);
  t.like(await lights(), { record: 'off', status: 'off', fault: 'off' });
  indicator.show(shown('recording', true));
  t.like(await lights(), { record: 'on', fault: 'on' });
});

import test from 'ava';
import { CameraIndicator } from '../../../src/camera-indicator.js';
import type { Shown } from '../../../src/capture/ports.js';
import { CameraError } from '../../../src/errors.js';
import { openBoard } from '../../../src/hal/board.js';
import { parseBoard } from '../../../src/hal/board-file.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { SimGpio } from '../../../src/hal/sim/sim-gpio.js';
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
  /** How often each output was switched on from now on. */
  const count = (): Record<'vibration' | 'buzzer' | 'record' | 'status' | 'fault', number> => {
    const counts = { vibration: 0, buzzer: 0, record: 0, status: 0, fault: 0 };
    const { leds, vibration, buzzer } = board.file;
    for (const [role, line] of Object.entries({ ...leds, vibration, buzzer })) {
      if (line === undefined || !(board.gpio instanceof SimGpio)) continue;
      board.gpio.observe(line, (isHigh) => {
        if (isHigh !== line.activeLow) counts[role as keyof typeof counts] += 1;
      });
    }
    return counts;
  };
  const lights = async (): Promise<unknown> => {
    await clock.advance(3000);
    return board.sim?.state().lights;
  };
  return { board, clock, indicator, lights, count };
}

const shown = (mode: Shown['mode'], isDurable: boolean, isStealthy = false): Shown => ({
  ...{ mode, isDurable, isStealthy },
  ...{ isMuted: false, isPicking: false },
});

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

test('a recording is felt and heard again every two minutes, a camera asleep every quarter of an hour', async (t) => {
  const { clock, indicator, count } = await bench();
  const counts = count();
  indicator.show(shown('recording', true));
  await clock.advance(119_000);
  t.is(counts.vibration, 0);
  await clock.advance(2000);
  t.like(counts, { vibration: 2, buzzer: 2 });
  await clock.advance(120_000);
  t.is(counts.vibration, 4);
  indicator.show(shown('asleep', false));
  await clock.advance(899_000);
  t.is(counts.vibration, 4);
  await clock.advance(2000);
  t.is(counts.vibration, 5);
});

test('a category is told by as many pulses, and a clock that nobody has set by five every 20 s', async (t) => {
  const { clock, indicator, count } = await bench();
  const counts = count();
  indicator.show(shown('buffering', false));
  indicator.signal('category', 3);
  await clock.advance(3000);
  t.like(counts, { vibration: 3, buzzer: 3 });
  indicator.setFacts({ isClockUnset: true });
  await clock.advance(1000);
  t.is(counts.vibration, 8);
  await clock.advance(20_000);
  t.is(counts.vibration, 13);
});

test('stealth is felt once on the way in, and then nothing is lit, felt or heard until it ends', async (t) => {
  const { board, clock, indicator, lights, count } = await bench();
  indicator.show(shown('recording', true));
  indicator.signal('stealthOn');
  await clock.advance(10);
  t.like(board.sim?.state().lights, { record: 'on', vibration: 'on', buzzer: 'off' });
  indicator.show(shown('recording', true, true));
  const counts = count();
  await clock.advance(3000);
  t.like(board.sim?.state().lights, { record: 'off', vibration: 'off' });
  board.health.reporter('imu')(LOST);
  indicator.setFacts({ isBatteryLow: true, isClockUnset: true, storage: 'half-hour' });
  indicator.signal('marked');
  indicator.signal('refused');
  indicator.show(shown('fault', false, true));
  await clock.advance(1_000_000);
  t.deepEqual(counts, { vibration: 0, buzzer: 0, record: 0, status: 0, fault: 0 });
  indicator.show(shown('recording', true));
  indicator.signal('stealthOff');
  t.like(await lights(), { record: 'on' });
  t.true(counts.vibration >= 2);
});

test('a closed indicator reminds nobody', async (t) => {
  const { clock, indicator, count } = await bench();
  indicator.show(shown('recording', true));
  indicator.close();
  indicator.show(shown('fault', false));
  const counts = count();
  await clock.advance(300_000);
  t.is(counts.vibration, 0);
});

import test from 'ava';
import { CameraError } from '../../../src/errors.js';
import { boardChecks, examine } from '../../../src/hal/board-checks.js';
import type { Finding } from '../../../src/hal/board-checks.js';
import { openBoard } from '../../../src/hal/board.js';
import type { Board } from '../../../src/hal/board.js';
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
  return { board, clock };
}

/** Looks at one part while time passes. */
async function look(board: Board, clock: SimClock, part: string): Promise<Finding | undefined> {
  const check = boardChecks(board).find((it) => it.part === part);
  if (check === undefined) return undefined;
  const finding = examine(check, clock);
  await clock.advance(20_000);
  return finding;
}

test('a board that works passes every check, and what a running camera may look at moves nothing', async (t) => {
  const { board, clock } = await bench();
  const parts = boardChecks(board).map(({ part }) => part);
  t.deepEqual(parts, [
    ...['buttons.record', 'buttons.function', 'leds.record', 'leds.status', 'leds.fault'],
    ...['vibration', 'buzzer', 'dock', 'power', 'thermal', 'clock'],
  ]);
  for (const part of parts) t.like(await look(board, clock, part), { part, ok: true });
  const quiet = boardChecks(board).filter(({ isQuiet }) => isQuiet);
  t.false(quiet.some(({ part }) => /^leds|^vibration$|^buzzer$/.test(part)));
});

test('a button with the wrong polarity reads as pressed and is named', async (t) => {
  const { board, clock } = await bench();
  board.sim?.press('record');
  const finding = await look(board, clock, 'buttons.record');
  t.false(finding?.ok);
  t.regex(finding?.detail ?? '', /^hal\/no-effect: buttons\.record reads as pressed/);
});

test('a light that is wired to an input is read back, and a swapped polarity shows', async (t) => {
  const wire = { chip: 'chip', line: 7, activeLow: false };
  const { board, clock } = await bench(withValue(boardDocument(), 'leds.record.readBack', wire));
  t.true(board.gpio instanceof SimGpio);
  if (!(board.gpio instanceof SimGpio)) return;
  const { gpio } = board;
  const out = { chip: 'chip', line: 2 };
  const cancel = gpio.observe(out, (isHigh) => {
    gpio.drive(wire, isHigh);
  });
  t.like(await look(board, clock, 'leds.record'), { ok: true });
  cancel();
  gpio.observe(out, (isHigh) => {
    gpio.drive(wire, !isHigh);
  });
  const finding = await look(board, clock, 'leds.record');
  t.regex(
    finding?.detail ?? '',
    /^hal\/no-effect: leds\.record was switched on and its wire reads off/,
  );
});

test('an empty battery that is not charging, and a part that is known to be lost, fail', async (t) => {
  const { board, clock } = await bench();
  board.sim?.setCharge(9);
  t.regex((await look(board, clock, 'power'))?.detail ?? '', /^hal\/low-battery: 9 % are left/);
  board.health.reporter('leds.status')(new CameraError('hal/disconnected', 'no chip'));
  t.regex((await look(board, clock, 'leds.status'))?.detail ?? '', /^hal\/disconnected: no chip/);
});

test('a look that hangs is a fault after its time', async (t) => {
  const clock = new SimClock();
  const finding = examine({ part: 'imu', look: () => new Promise(() => undefined) }, clock);
  await clock.advance(20_000);
  t.regex((await finding).detail, /^hal\/no-answer: imu: no answer within 15000 ms/);
  t.is(clock.timers, 0);
});

test('a camera that is too hot fails its check with the temperature and its limit', async (t) => {
  const { board, clock } = await bench();
  t.is((await look(board, clock, 'thermal'))?.detail, '45.0 °C');
  board.sim?.setTemperature(85);
  const finding = await look(board, clock, 'thermal');
  t.false(finding?.ok);
  t.regex(finding?.detail ?? '', /^hal\/too-hot: 85\.0 °C, the limit is 85 °C/);
});

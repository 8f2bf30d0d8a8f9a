import test from 'ava';
import { bitrateOf } from '../../../src/camera-card.js';
import { CameraWarnings } from '../../../src/camera-warnings.js';
import { openBoard } from '../../../src/hal/board.js';
import { parseBoard } from '../../../src/hal/board-file.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { SimThermal } from '../../../src/hal/sim/sim-thermal.js';
import { createLogger } from '../../../src/log.js';
import { boardDocument } from '../../support/board-document.js';

const log = createLogger('silent', { write: () => undefined });
const RESERVE = 1_000_000;
/** The board of the tests takes 2000 kbit/s. */
const HOUR_BYTES = (2_000_000 / 8) * 3600;

test('what runs low is told: room for an hour, for half of one, the battery, and all well again', async (t) => {
  const clock = new SimClock();
  const board = await openBoard(parseBoard(JSON.stringify(boardDocument()), 'test.json'), {
    ...{ clock, log, footageDirectory: '/footage' },
    files: { exists: () => Promise.resolve(true) },
  });
  let freeBytes = RESERVE + HOUR_BYTES;
  let told: Record<string, unknown> = {};
  const card = {
    freeBytes: () =>
      freeBytes < 0 ? Promise.reject(new Error('gone')) : Promise.resolve(freeBytes),
  };
  const warnings = new CameraWarnings(board, card, RESERVE, log, (facts) => {
    told = { ...told, ...facts };
  });
  const after = async (bytes: number, percent: number): Promise<unknown> => {
    freeBytes = bytes;
    board.sim?.setCharge(percent);
    await clock.advance(5000);
    return told;
  };
  t.like(await after(RESERVE + HOUR_BYTES, 80), { storage: 'ample', isBatteryLow: false });
  t.like(await after(RESERVE + HOUR_BYTES - 1, 80), { storage: 'hour' });
  t.like(await after(RESERVE + HOUR_BYTES / 2 - 1, 9), {
    storage: 'half-hour',
    isBatteryLow: true,
  });
  // A card that does not answer changes nothing of what was known.
  t.like(await after(-1, 80), { storage: 'half-hour', isBatteryLow: true });
  board.sim?.setDocked(true);
  t.like(await after(RESERVE + HOUR_BYTES, 9), { storage: 'ample', isBatteryLow: false });
  board.sim?.setDocked(false);
  t.like(await after(RESERVE + HOUR_BYTES, 3), { isBatteryEmpty: false });
  t.like(await after(RESERVE + HOUR_BYTES, 2), { isBatteryEmpty: true });
  t.like(await after(RESERVE + HOUR_BYTES, 4), { isBatteryEmpty: true }, 'a gauge wavers');
  t.like(await after(RESERVE + HOUR_BYTES, 5), { isBatteryEmpty: false });
  warnings.close();
  told = {};
  t.deepEqual(await after(0, 1), {});
  await board.close();
});

test('room is counted at the bit rate that the encoder makes, where that is more than it is set to', async (t) => {
  t.is(bitrateOf({ bufferedBytes: 0, bufferedMs: 0 }, 2000), 2000);
  t.is(bitrateOf({ bufferedBytes: 1_250_000, bufferedMs: 4999 }, 2000), 2000, 'too short to tell');
  t.is(bitrateOf({ bufferedBytes: 1_000_000, bufferedMs: 5000 }, 2000), 2000, 'a quiet scene');
  t.is(bitrateOf({ bufferedBytes: 2_500_000, bufferedMs: 5000 }, 2000), 4000);
  const clock = new SimClock();
  const board = await openBoard(parseBoard(JSON.stringify(boardDocument()), 'test.json'), {
    ...{ clock, log, footageDirectory: '/footage' },
    files: { exists: () => Promise.resolve(true) },
  });
  const card = { freeBytes: () => Promise.resolve(RESERVE + HOUR_BYTES) };
  let kbps = 2000;
  let storage: string | undefined;
  const warnings = new CameraWarnings(
    ...([board, card, RESERVE, log] as const),
    (facts) => {
      storage = facts.storage ?? storage;
    },
    () => kbps,
  );
  await clock.advance(5000);
  t.is(storage, 'ample');
  kbps = 2001;
  await clock.advance(5000);
  t.is(storage, 'hour');
  kbps = 4001;
  await clock.advance(5000);
  t.is(storage, 'half-hour');
  warnings.close();
  await board.close();
});

test('heat is told at the second look, with the fault of the part, and a sensor that is lost is a fault and no heat', async (t) => {
  const clock = new SimClock();
  const board = await openBoard(parseBoard(JSON.stringify(boardDocument()), 'test.json'), {
    ...{ clock, log, footageDirectory: '/footage' },
    files: { exists: () => Promise.resolve(true) },
  });
  const told: (boolean | undefined)[] = [];
  const card = { freeBytes: () => Promise.resolve(1e12) };
  const warnings = new CameraWarnings(board, card, RESERVE, log, ({ isTooHot }) => {
    if (isTooHot !== undefined) told.push(isTooHot);
  });
  const faults = (): string[] =>
    board.health.faults().map(({ part, fault }) => `${part} ${fault.code}: ${fault.message}`);
  const after = async (celsius: number): Promise<boolean | undefined> => {
    board.sim?.setTemperature(celsius);
    await clock.advance(5000);
    return told.at(-1);
  };
  t.false(await after(84));
  t.false(await after(91));
  t.deepEqual(faults(), []);
  t.true(await after(91));
  t.deepEqual(faults(), ['thermal hal/too-hot: 91.0 °C, the limit is 85 °C']);
  t.true(await after(76));
  t.false(await after(75));
  t.deepEqual(faults(), []);
  if (board.thermal instanceof SimThermal) board.thermal.setPlugged(false);
  t.false(await after(99));
  t.deepEqual(faults(), ['thermal hal/disconnected: the sensor does not answer']);
  warnings.close();
  await board.close();
});

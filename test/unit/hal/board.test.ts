import test from 'ava';
import { openBoard } from '../../../src/hal/board.js';
import type { BoardDeps } from '../../../src/hal/board.js';
import { parseBoard } from '../../../src/hal/board-file.js';
import type { ButtonEdge } from '../../../src/hal/drivers/debounce.js';
import { SimClock } from '../../../src/hal/sim/sim-clock.js';
import { SimControl } from '../../../src/hal/sim/sim-control.js';
import { createLogger } from '../../../src/log.js';
import { boardDocument, withValue } from '../../support/board-document.js';
import type { JsonObject } from '../../support/board-document.js';

const parse = (document: JsonObject) => parseBoard(JSON.stringify(document), 'test.json');

function bench(document = boardDocument()) {
  const clock = new SimClock();
  const logged: string[] = [];
  const deps: BoardDeps = {
    clock,
    log: createLogger('warn', { write: (line) => logged.push(line) }),
    files: { exists: (path) => Promise.resolve(!path.includes('missing')) },
    footageDirectory: '/footage',
  };
  return { clock, logged, deps, file: parse(document) };
}

test('the roles of a board reach its lines', async (t) => {
  const { clock, deps, file } = bench();
  const board = await openBoard(file, deps);
  board.lights.show('record', 'on');
  board.lights.show('fault', { blinkMs: 500 });
  board.vibration?.play([1_000]);
  board.buzzer?.play([100, 100, 1_000]);
  await clock.advance(600);
  t.like(board.sim?.state(), {
    lights: { record: 'on', status: 'off', fault: 'blinking', vibration: 'on', buzzer: 'blinking' },
    isDocked: false,
  });
  await board.close();
});

test('a simulated press arrives at the button of its role', async (t) => {
  const { clock, deps, file } = bench();
  const board = await openBoard(file, deps);
  t.truthy(board.sim);
  if (board.sim === undefined) return;
  const control = new SimControl(board.sim, clock);
  const edges: string[] = [];
  const note = (role: string) => (edge: ButtonEdge) => {
    edges.push(`${role} ${edge.isPressed ? 'down' : 'up'} ${edge.at}`);
  };
  board.buttons.record.watch(note('record'));
  board.buttons.function?.watch(note('function'));
  const pressing = control.run(['press', 'record']);
  await clock.advance(200);
  await pressing;
  t.deepEqual(edges, ['record down 0', 'record up 100']);
  await control.run(['dock']);
  t.true(board.dock.isDocked());
  t.true((await board.power?.read())?.isCharging);
  await board.close();
});

test('only the wall clock of the board jumps, not that of the machine', async (t) => {
  const { clock, deps, file } = bench();
  const board = await openBoard(file, deps);
  board.sim?.setClock({ shiftMs: 86_400_000 });
  t.is(board.clock.wallTime().ms - clock.wallTime().ms, 86_400_000);
  t.is(board.clock.monotonicMs(), clock.monotonicMs());
  await board.close();
});

test('the simulated camera runs on the clock given, and can be broken', async (t) => {
  const { clock, deps, file } = bench();
  const board = await openBoard(file, deps);
  let bytes = 0;
  const ends: string[] = [];
  board.video.startRun('fakesrc ! appsink name=video', {
    bytes: (chunk) => (bytes += chunk.length),
    ended: ({ reason }) => ends.push(reason),
  });
  await clock.advance(1_000);
  t.true(bytes > 0);
  board.sim?.breakCamera('stall');
  const stalledAt = bytes;
  await clock.advance(1_000);
  t.is(bytes, stalledAt);
  board.sim?.breakCamera('kill');
  await clock.advance(10);
  t.deepEqual(ends, ['failed']);
  await board.close();
});

test('closing darkens lights, leaves no timer and frees every line, twice or not', async (t) => {
  const { clock, deps, file } = bench();
  const board = await openBoard(file, deps);
  board.lights.show('status', { blinkMs: 500 });
  board.vibration?.play([2_000]);
  await clock.advance(10);
  await board.close();
  await board.close();
  t.is(clock.timers, 0);
  t.deepEqual(board.sim?.state().lights, {
    record: 'off',
    status: 'off',
    fault: 'off',
    vibration: 'off',
    buzzer: 'off',
  });
  await board.gpio.openOutput(file.leds.record);
  await board.gpio.openInput(file.buttons.record);
});

test('a board without the optional parts opens without them', async (t) => {
  let document = withValue(boardDocument(), 'buttons.function', undefined);
  document = withValue(document, 'leds.fault', undefined);
  document = withValue(document, 'vibration', undefined);
  document = withValue(document, 'buzzer', undefined);
  const { deps, file } = bench(document);
  const board = await openBoard(file, deps);
  t.is(board.buttons.function, undefined);
  t.is(board.vibration, undefined);
  t.is(board.buzzer, undefined);
  t.false(board.lights.has('fault'));
  await board.close();
});

test('the camera comes with its source ready to launch', async (t) => {
  const source = 'filesrc location=${footage}/street.i420 ! rawvideoparse';
  const { deps, file } = bench(withValue(boardDocument(), 'camera.source', source));
  const board = await openBoard(file, deps);
  t.is(board.camera.source, 'filesrc location="/footage/street.i420" ! rawvideoparse');
  t.is(board.camera.bitrateKbps, 2000);
  await board.close();
});

test('a board whose footage is missing is not opened', async (t) => {
  const source = 'filesrc location=${footage}/missing.i420 ! rawvideoparse';
  const { deps, file } = bench(withValue(boardDocument(), 'camera.source', source));
  await t.throwsAsync(openBoard(file, deps), { code: 'hal/no-footage' });
});

test('sensors of a simulated board are there, and their loss is a fault of their part', async (t) => {
  let document = withValue(boardDocument(), 'i2c', { compatible: 'lapel,sim-i2c' });
  document = withValue(document, 'serial', { compatible: 'lapel,sim-serial' });
  document = withValue(document, 'imu', {
    ...{ status: 'okay', compatible: 'st,lsm6dso', bus: 1, address: 0x6a },
  });
  document = withValue(document, 'gnss', {
    ...{ status: 'okay', compatible: 'nmea,0183', path: '/dev/sim', baudRate: 9600 },
  });
  const { clock, deps, file } = bench(document);
  const board = await openBoard(file, deps);
  await clock.advance(5_000);
  t.deepEqual(board.health.faults(), []);
  t.true((board.imu?.counts.reads ?? 0) > 400);
  t.truthy(board.gnss?.fix());
  await board.control?.run(['imu', 'unplug']);
  await board.control?.run(['gnss', 'unplug']);
  await clock.advance(5_000);
  t.deepEqual(
    board.health
      .faults()
      .map(({ part }) => part)
      .sort(),
    ['gnss', 'imu'],
  );
  await board.control?.run(['imu', 'plug']);
  await board.control?.run(['gnss', 'plug']);
  await clock.advance(8_000);
  t.deepEqual(board.health.faults(), []);
  await board.close();
  t.is(clock.timers, 0);
});

test('a line that cannot be opened is a fault of its part, and the others work', async (t) => {
  const { clock, deps, file } = bench();
  const { record } = file.buttons;
  const board = await openBoard({ ...file, buttons: { record, function: record } }, deps);
  t.deepEqual(
    board.health.faults().map(({ part, fault }) => `${part} ${fault.code}`),
    ['buttons.function hal/busy'],
  );
  const heard: (string | undefined)[] = [];
  board.health.watch((part, fault) => heard.push(part, fault?.code));
  await clock.advance(10_000);
  t.deepEqual(heard, [], 'the same fault is told once');
  board.sim?.press('record');
  t.true(board.buttons.record.isPressed);
  await board.close();
  t.is(clock.timers, 0);
});

test('a light of a board that is closed stays dark', async (t) => {
  const { clock, deps, file } = bench();
  const board = await openBoard(file, deps);
  await board.close();
  board.lights.show('record', 'on');
  await clock.advance(0);
  t.is(board.sim?.state().lights['record'], 'off');
});

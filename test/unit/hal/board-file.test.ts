import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CameraError } from '../../../src/errors.js';
import { findBoard, linesOf, parseBoard } from '../../../src/hal/board-file.js';
import { boardJsonSchema } from '../../../src/hal/board-schema.js';
import { boardDocument, withValue } from '../../support/board-document.js';
import type { Json } from '../../support/board-document.js';

const parse = (document: Json) => parseBoard(JSON.stringify(document), 'test.json');

/** The faults that a board is refused with. */
function faults(t: ExecutionContext, document: Json): string[] {
  const error = t.throws(() => parse(document), { instanceOf: CameraError });
  t.is(error.code, 'board/invalid');
  t.true(error.message.startsWith('test.json: '), error.message);
  t.false(error.message.includes('\n'));
  return error.message.slice('test.json: '.length).split('; ');
}

test('a complete board is taken as it stands, with defaults for polarity and debounce', (t) => {
  const board = parse(boardDocument());
  t.deepEqual(board.buttons.record, {
    chip: 'chip',
    line: 0,
    activeLow: true,
    debounceIntervalMs: 20,
  });
  t.deepEqual(board.buttons.function, {
    chip: 'chip',
    line: 1,
    activeLow: false,
    debounceIntervalMs: 30,
  });
  t.deepEqual(board.leds.fault, { chip: 'chip', line: 4, activeLow: false });
  t.is(board.camera.width, 640);
});

for (const path of [
  'buttons.function',
  'leds.fault',
  'vibration',
  'buzzer',
  'camera.threads',
  '$schema',
]) {
  test(`a board may do without ${path}`, (t) => {
    t.notThrows(() => parse(withValue(boardDocument(), path, undefined)));
  });
}

for (const path of [
  'compatible',
  'model',
  'gpio',
  'gpio.chips',
  'buttons.record',
  'buttons.record.line',
  'leds.record',
  'leds.status',
  'dock',
  'imu',
  'gnss',
  'camera',
  'camera.status',
  'camera.encoder',
  'camera.width',
  'memory.preEventBytesMax',
]) {
  test(`a board cannot do without ${path}`, (t) => {
    t.deepEqual(faults(t, withValue(boardDocument(), path, undefined)), [`${path}: is missing`]);
  });
}

const wrong: readonly [path: string, value: Json, fault: string][] = [
  ['compatible', 'Lapel', 'compatible: must be vendor,device in lower case'],
  ['colour', 'red', 'colour: unknown key'],
  ['button', {}, 'button: unknown key, did you mean buttons?'],
  ['leds.stauts', {}, 'leds.stauts: unknown key'],
  ['buttons.record.line', 1024, 'buttons.record.line: must be a whole number from 0 to 1023'],
  ['buttons.record.line', 8, 'buttons.record.line: the chip has only the lines 0 to 7'],
  ['buttons.record.chip', 'other', 'buttons.record.chip: gpio.chips has no such chip'],
  ['buttons.record.chip', 'constructor', 'buttons.record.chip: gpio.chips has no such chip'],
  ['leds.record.line', 0, 'leds.record.line: is the line of buttons.record already'],
  ['vibration.line', 4, 'vibration.line: is the line of leds.fault already'],
  [
    'buttons.record.debounceIntervalMs',
    101,
    'buttons.record.debounceIntervalMs: must be a whole number from 1 to 100 ms',
  ],
  [
    'gpio.compatible',
    'acme,gpio',
    'gpio.compatible: expected one of "lapel,sim-gpio"|"linux,gpio"',
  ],
  [
    'imu',
    { status: 'okay', compatible: 'st,lsm6dso', bus: 1 },
    'imu.address: is missing, the part is in use',
  ],
  ['imu', { status: 'disabled', address: 3 }, 'imu.address: must be a whole number from 8 to 119'],
  ['gnss', { status: 'on' }, 'gnss.status: expected one of "okay"|"disabled"'],
  [
    'camera.status',
    'disabled',
    'camera.status: must be "okay": without its camera there is nothing to run',
  ],
  ['camera.width', 641, 'camera.width: must be even'],
  ['camera.height', 2162, 'camera.height: must be a whole number from 16 to 2160 pixels'],
  [
    'camera.gopFrames',
    31,
    'camera.gopFrames: must be at most one second, since a GOP is what a power cut may cost',
  ],
  ['camera.source', 'a\nb', 'camera.source: must be one line'],
  ['camera.source', 'a ${home}/x', 'camera.source: the only placeholder is ${footage}'],
  ['camera.format', 'YUY2', 'camera.format: expected one of "I420"|"NV12"'],
  [
    'camera.bitrateKbps',
    25001,
    'camera.bitrateKbps: must be a whole number from 100 to 25000 kbit/s',
  ],
  [
    'memory.preEventBytesMax',
    1000,
    'memory.preEventBytesMax: must be a whole number from 1048576 to 536870912 bytes',
  ],
];
for (const [path, value, fault] of wrong) {
  test(`${path} ${JSON.stringify(value)} is refused`, (t) => {
    t.deepEqual(faults(t, withValue(boardDocument(), path, value)), [fault]);
  });
}

test('threads are for x264enc only', (t) => {
  const board = withValue(boardDocument(), 'camera.threads', 2);
  t.notThrows(() => parse(board));
  t.deepEqual(faults(t, withValue(board, 'camera.encoder', 'v4l2h264enc')), [
    'camera.threads: is only for x264enc',
  ]);
});

test('every fault is named, wiring included, where other parts are at fault too', (t) => {
  let board = withValue(boardDocument(), 'model', undefined);
  board = withValue(board, 'camera.width', 'wide');
  board = withValue(board, 'camera.gopFrames', 60);
  board = withValue(board, 'leds.status.line', 2);
  board = withValue(board, 'imu.status', 'okay');
  t.deepEqual(faults(t, board), [
    'model: is missing',
    'imu.compatible: is missing, the part is in use',
    'imu.bus: is missing, the part is in use',
    'imu.address: is missing, the part is in use',
    'camera.width: must be a whole number from 16 to 3840 pixels',
    'leds.status.line: is the line of leds.record already',
  ]);
});

test('text that is not JSON is refused with its place', (t) => {
  t.throws(() => parseBoard('{\n  "model": "x",\n}', 'board/x.json'), {
    code: 'board/invalid',
    message: 'board/x.json: not a JSON document, line 3, column 1: expected a key in double quotes',
  });
});

test('lines are listed with the place that names them', (t) => {
  t.deepEqual(
    linesOf(parse(boardDocument())).map(({ role, line }) => `${role} ${line}`),
    [
      'buttons.record 0',
      'buttons.function 1',
      'leds.record 2',
      'leds.status 3',
      'leds.fault 4',
      'vibration 5',
      'buzzer 6',
    ],
  );
});

test('the JSON Schema describes every key', (t) => {
  const missing: string[] = [];
  const walk = (schema: Record<string, unknown>, path: string): void => {
    const properties = (schema['properties'] ?? {}) as Record<string, Record<string, unknown>>;
    for (const [key, property] of Object.entries(properties)) {
      const isGroup = property['type'] === 'object';
      if (!isGroup && property['description'] === undefined) missing.push(`${path}${key}`);
      walk(property, `${path}${key}.`);
    }
  };
  walk(boardJsonSchema(), '');
  t.deepEqual(missing, []);
});

/** Just enough of a file system for boards. */
function boardFiles(files: Readonly<Record<string, string>>) {
  return {
    readFile: (path: string): Promise<Buffer> => {
      const text = files[path];
      return text === undefined
        ? Promise.reject(new CameraError('storage/not-found', `no ${path}`))
        : Promise.resolve(Buffer.from(text));
    },
    list: () =>
      Promise.resolve([
        { name: 'README.md', isDirectory: false },
        { name: 'board.schema.json', isDirectory: false },
        { name: 'old.json', isDirectory: true },
        { name: 'pi.json', isDirectory: false },
        { name: 'sim.json', isDirectory: false },
      ]),
  };
}

test('a board is found by name and by path', async (t) => {
  const text = JSON.stringify(boardDocument());
  const files = boardFiles({ '/boards/sim.json': text, './mine.json': text });
  t.is((await findBoard('sim', files, '/boards')).model, 'Board of a test');
  t.is((await findBoard('./mine.json', files, '/boards')).model, 'Board of a test');
});

test('an unknown name lists the known ones', async (t) => {
  const files = boardFiles({});
  const expected = {
    code: 'board/not-found',
    message: 'no board nosuch; known are: pi, sim',
  };
  await t.throwsAsync(findBoard('nosuch', files, '/boards'), expected);
  await t.throwsAsync(findBoard('../sim', files, '/boards'), { code: 'board/not-found' });
});

test('a board that is found but at fault is invalid, with its path', async (t) => {
  await t.throwsAsync(findBoard('sim', boardFiles({ '/boards/sim.json': '{}' }), '/boards'), {
    code: 'board/invalid',
    message: /^\/boards\/sim\.json: compatible: is missing; /,
  });
});

test('what keeps a board file from being read is passed on', async (t) => {
  const files = {
    ...boardFiles({}),
    readFile: () => Promise.reject(new CameraError('storage/limit', 'too long')),
  };
  await t.throwsAsync(findBoard('sim', files, '/boards'), { code: 'storage/limit' });
});

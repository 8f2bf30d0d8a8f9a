import test from 'ava';
import {
  Progress,
  formatBytes,
  formatSeconds,
  paint,
  printError,
  printJson,
  progressLine,
  say,
} from '../../../src/cli/output.js';
import { CameraError } from '../../../src/errors.js';
import { memoryOutput } from '../../support/memory-output.js';

const terminal = { isTTY: true, write: () => true };

test('bytes are told in decimal units with one digit, without a step at the seams', (t) => {
  const cases: readonly (readonly [number, string])[] = [
    [0, '0 B'],
    [999, '999 B'],
    [1000, '1.0 kB'],
    [999_949, '999.9 kB'],
    [999_950, '1.0 MB'],
    [1_550_000, '1.6 MB'],
    [64e9, '64.0 GB'],
    [2e12, '2.0 TB'],
    [5e15, '5000.0 TB'],
  ];
  for (const [bytes, text] of cases) t.is(formatBytes(bytes), text);
});

test('seconds are told with a digit below a minute, and never as 60 s', (t) => {
  t.is(formatSeconds(4), '4.0 s');
  t.is(formatSeconds(59.94), '59.9 s');
  t.is(formatSeconds(59.96), '1 min 00 s');
  t.is(formatSeconds(125.4), '2 min 05 s');
  t.is(formatSeconds(119.7), '2 min 00 s');
});

test.serial('colours are for terminals, and not for those who set NO_COLOR', (t) => {
  const before = process.env['NO_COLOR'];
  t.teardown(() => {
    if (before === undefined) delete process.env['NO_COLOR'];
    else process.env['NO_COLOR'] = before;
  });
  delete process.env['NO_COLOR'];
  t.is(paint(terminal, 'red', 'bad'), '\u001b[31mbad\u001b[0m');
  t.is(paint({ write: () => true }, 'red', 'bad'), 'bad');
  t.is(paint({ ...terminal, isTTY: false }, 'red', 'bad'), 'bad');
  process.env['NO_COLOR'] = '';
  t.is(paint(terminal, 'green', 'good'), '\u001b[32mgood\u001b[0m', 'empty counts as not set');
  process.env['NO_COLOR'] = '1';
  t.is(paint(terminal, 'red', 'bad'), 'bad');
});

test('lines are for people, objects for programs', (t) => {
  const people = memoryOutput();
  say(people, 'hello');
  t.is(people.text(), 'hello\n');
  const program = memoryOutput({ isJson: true });
  say(program, 'hello');
  printJson(program, { a: 1 });
  t.is(program.text(), '{"a":1}\n');
});

test('an error is one line with code and remedy, however many lines its message has', (t) => {
  const output = memoryOutput();
  const error = new CameraError('storage/disk-full', 'no\n  room.\n');
  printError(output, error);
  t.is(output.text(), '');
  t.is(output.errors(), `error storage/disk-full: no room. ${error.remedy}\n`);
});

test('an error of a program run is an object on the output, with kind and remedy', (t) => {
  const output = memoryOutput({ isJson: true });
  printError(output, new TypeError('oops'));
  t.is(output.errors(), '');
  t.deepEqual(JSON.parse(output.text()), {
    ok: false,
    error: {
      code: 'internal/bug',
      kind: 'internal',
      message: 'oops',
      remedy: 'Report it with the log.',
    },
  });
});

test('a bar shows share, amount and speed', (t) => {
  const state = { label: 'verify', done: 5e6, total: 20e6, elapsedMs: 2000, columns: 200 };
  const line = progressLine(state);
  t.is(line, `verify ${'█'.repeat(8)}${'░'.repeat(22)}  25 %  5.0 MB of 20.0 MB  2.5 MB/s`);
  t.is(progressLine({ ...state, columns: 40 }), line.slice(0, 39));
  t.is(progressLine({ ...state, columns: 3 }).length, 20, 'never less than the label needs');
  t.regex(progressLine({ ...state, done: 0, total: 0 }), /100 %/);
  t.regex(progressLine({ ...state, done: 30e6 }), /100 %/, 'never more than all');
  t.regex(progressLine({ ...state, elapsedMs: 0 }), / 0 B\/s$/);
  t.regex(progressLine({ ...state, done: 19.99e6 }), / 99 %/, 'never all before the end');
});

test('a terminal gets one bar that is redrawn, and a line that ends', (t) => {
  const output = memoryOutput({ isTTY: true, columns: 60 });
  const progress = new Progress(output, 'upload');
  progress.update(1, 10);
  progress.update(2, 10);
  t.is(output.errors().split('\r').length - 1, 1, 'not more often than the eye sees');
  progress.finish(10);
  t.regex(output.errors(), /100 %[^\n]*\n$/);
  t.is(output.text(), '');
});

test('when the work fails a drawn bar leaves its line, so that the error stands on its own', async (t) => {
  const output = memoryOutput({ isTTY: true });
  const progress = new Progress(output, 'export');
  t.is(await progress.guard(Promise.resolve(7)), 7);
  await t.throwsAsync(() => progress.guard(Promise.reject(new Error('no'))), { message: 'no' });
  t.is(output.errors(), '', 'nothing was drawn');
  progress.update(1, 10);
  await t.throwsAsync(() => progress.guard(Promise.reject(new Error('no'))), { message: 'no' });
  t.true(output.errors().endsWith('\n'));
});

test('a log file gets no bar for what is quick, a program nothing at all', async (t) => {
  const file = memoryOutput();
  const progress = new Progress(file, 'export');
  progress.update(1, 10);
  t.is(file.errors(), '');
  await t.throwsAsync(() => progress.guard(Promise.reject(new Error('no'))));
  t.is(file.errors(), '');
  progress.finish(10);
  t.regex(file.errors(), /^export .* 100 % .*\n$/);
  const program = memoryOutput({ isJson: true });
  const silent = new Progress(program, 'export');
  silent.update(1, 10);
  silent.finish(10);
  t.is(program.text() + program.errors(), '');
});

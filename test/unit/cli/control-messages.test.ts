import test from 'ava';
import {
  formatFailure,
  formatRequest,
  formatResult,
  LINE_BYTES_MAX,
  parseRequest,
  parseResponse,
} from '../../../src/cli/control-messages.js';
import { CameraError } from '../../../src/errors.js';

test('a request is one line and is read back', (t) => {
  const request = { verb: 'sim', words: ['press', 'rec\nord'] };
  const line = formatRequest(request);
  t.is(line.indexOf('\n'), line.length - 1);
  t.deepEqual(parseRequest(line), request);
});

test('words may be left out', (t) => {
  t.deepEqual(parseRequest('{"verb":"status"}'), { verb: 'status', words: [] });
});

for (const line of [
  '',
  'status',
  'null',
  '{}',
  '{"verb":1}',
  '{"verb":""}',
  '{"verb":"sim","words":"press"}',
  '{"verb":"sim","words":[1]}',
  '{"verb":"sim","word":[]}',
  `{"verb":"a","words":[${'"a",'.repeat(64)}"a"]}`,
]) {
  test(`${line.slice(0, 40)} is no request`, (t) => {
    t.throws(() => parseRequest(line), { code: 'cli/usage' });
  });
}

test('a result is read back, whatever JSON it is', (t) => {
  for (const result of [null, 0, '', 'a\nb', [1], { a: { b: true } }]) {
    t.deepEqual(parseResponse(formatResult(result)), result);
  }
  t.is(parseResponse(formatResult(undefined)), null);
});

test('an error keeps its code and message', (t) => {
  const line = formatFailure(new CameraError('hal/busy', 'record is pressed already'));
  t.throws(() => parseResponse(line), { code: 'hal/busy', message: 'record is pressed already' });
});

test('what is no CameraError, and a code of another version, is internal/bug', (t) => {
  t.throws(() => parseResponse(formatFailure(new TypeError('x is not a function'))), {
    code: 'internal/bug',
    message: 'x is not a function',
  });
  t.throws(() => parseResponse('{"ok":false,"code":"new/thing","message":"m"}'), {
    code: 'internal/bug',
    message: 'm',
  });
});

test('an answer longer than a line may be becomes an error that says so', (t) => {
  const overhead = formatResult('').length;
  const longest = 'x'.repeat(LINE_BYTES_MAX - overhead);
  t.is(parseResponse(formatResult(longest)), longest);
  t.throws(() => parseResponse(formatResult(`${longest}x`)), { code: 'cli/usage' });
});

test('an error message of any length fits a line', (t) => {
  const line = formatFailure(new Error('\u0001'.repeat(100_000)));
  t.true(Buffer.byteLength(line) <= LINE_BYTES_MAX);
});

for (const line of ['', 'ok', '{}', '{"ok":true', '{"ok":"yes"}', '{"ok":false}']) {
  test(`${line} is no answer`, (t) => {
    t.throws(() => parseResponse(line), { code: 'cli/no-answer' });
  });
}

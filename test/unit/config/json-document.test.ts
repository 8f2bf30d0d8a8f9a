import test from 'ava';
import {
  DOCUMENT_DEPTH_MAX,
  DOCUMENT_LENGTH_MAX,
  readJson,
} from '../../../src/config/json-document.js';

const faults: readonly [text: string, fault: string][] = [
  ['', 'line 1, column 1: expected a value, the text ends here'],
  ['{"a": }', 'line 1, column 7: expected a value'],
  ['{"a": 1', 'line 1, column 8: expected "," or "}", the text ends here'],
  ['{"a": 1,}', 'line 1, column 9: expected a key in double quotes'],
  ['{\n  "a": 1\n  "b": 2\n}', 'line 3, column 3: expected "," or "}"'],
  ['{"a" 1}', 'line 1, column 6: expected ":"'],
  ['{a: 1}', 'line 1, column 2: expected a key in double quotes'],
  ['[1, 2', 'line 1, column 6: expected "," or "]", the text ends here'],
  ['[1 2]', 'line 1, column 4: expected "," or "]"'],
  ['[01]', 'line 1, column 3: expected "," or "]"'],
  ['tru', 'line 1, column 1: expected a value'],
  ['{} x', 'line 1, column 4: unexpected text after the end'],
  ['"a\\x"', 'line 1, column 1: a string with a bad escape, a raw control character or no end'],
  ['["a\nb"]', 'line 1, column 2: a string with a bad escape, a raw control character or no end'],
  ['{"a":1,\n "a":2}', 'line 2, column 2: the key "a" comes twice'],
  ['{"a":1,"\\u0061":2}', 'line 1, column 8: the key "a" comes twice'],
  ['\uFEFF{}', 'line 1, column 1: expected a value'],
];

for (const [text, fault] of faults) {
  test(`names the place in ${JSON.stringify(text)}`, (t) => {
    t.deepEqual(readJson(text), { ok: false, fault });
  });
}

test('reads what is JSON, with whatever white space', (t) => {
  const text = ' {"a" : [ 1 , -2.5e3 , true , null , "\\u00e9\\n" ] ,\r\n\t"b":{}} ';
  t.deepEqual(readJson(text), {
    ok: true,
    value: { a: [1, -2500, true, null, 'é\n'], b: {} },
  });
});

test('the same key in two objects is not the same key twice', (t) => {
  t.true(readJson('[{"a":1},{"a":{"a":2}}]').ok);
});

test('nesting is read up to its limit and refused beyond', (t) => {
  const nested = (depth: number): string => '['.repeat(depth) + ']'.repeat(depth);
  t.true(readJson(nested(DOCUMENT_DEPTH_MAX)).ok);
  t.false(readJson(nested(DOCUMENT_DEPTH_MAX + 1)).ok);
  t.deepEqual(readJson(`${'['.repeat(DOCUMENT_DEPTH_MAX + 1)}1`), {
    ok: false,
    fault: `line 1, column 33: nested deeper than ${DOCUMENT_DEPTH_MAX}`,
  });
  t.false(readJson('['.repeat(100_000)).ok);
});

test('a document is read up to its longest and refused beyond', (t) => {
  const long = (length: number): string => `"${'x'.repeat(length - 2)}"`;
  t.true(readJson(long(DOCUMENT_LENGTH_MAX)).ok);
  t.deepEqual(readJson(long(DOCUMENT_LENGTH_MAX + 1)), {
    ok: false,
    fault: `longer than ${DOCUMENT_LENGTH_MAX} characters`,
  });
});

test('a key that comes twice is quoted short', (t) => {
  const key = 'k'.repeat(1000);
  const result = readJson(`{"${key}":1,"${key}":2}`);
  t.false(result.ok);
  t.true(!result.ok && result.fault.length < 100);
});

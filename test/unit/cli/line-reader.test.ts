import test from 'ava';
import { LineReader } from '../../../src/cli/line-reader.js';

const push = (reader: LineReader, text: string): string[] | undefined =>
  reader.push(Buffer.from(text));

test('lines come out whole, however they came in', (t) => {
  const reader = new LineReader(10);
  t.deepEqual(push(reader, 'ab'), []);
  t.deepEqual(push(reader, 'c\nde\n\nf'), ['abc', 'de', '']);
  t.deepEqual(push(reader, '\n'), ['f']);
});

test('a letter that is cut in the middle of its bytes stays whole', (t) => {
  const reader = new LineReader(10);
  const bytes = Buffer.from('é€\n');
  const lines = Array.from(bytes, (byte) => reader.push(Buffer.from([byte])) ?? []).flat();
  t.deepEqual(lines, ['é€']);
});

test('a line may have as many bytes as the limit, and not one more', (t) => {
  t.deepEqual(push(new LineReader(3), 'abc\n'), ['abc']);
  t.is(push(new LineReader(3), 'abcd\n'), undefined);
  t.is(push(new LineReader(3), 'é€\n'), undefined);
});

test('a line without an end is refused as soon as it is too long', (t) => {
  const reader = new LineReader(3);
  t.deepEqual(push(reader, 'abc'), []);
  t.is(push(reader, 'd'), undefined);
});

import test from 'ava';
import { PartAssembler } from '../../../../src/sync/receiver/part-assembler.js';

test('parts in order make the whole', (t) => {
  const assembler = new PartAssembler(5);
  t.true(assembler.push(0, Buffer.from('abc')));
  t.is(assembler.whole, undefined);
  t.true(assembler.push(3, Buffer.from('de')));
  t.is(assembler.whole?.toString(), 'abcde');
});

test('a part out of place is refused and changes nothing', (t) => {
  const assembler = new PartAssembler(5);
  assembler.push(0, Buffer.from('abc'));
  t.false(assembler.push(0, Buffer.from('xyz')));
  t.false(assembler.push(4, Buffer.from('e')));
  t.false(assembler.push(3, Buffer.from('def')));
  t.true(assembler.push(3, Buffer.from('de')));
  t.is(assembler.whole?.toString(), 'abcde');
});

test('nothing is whole from the start', (t) => {
  t.is(new PartAssembler(0).whole?.length, 0);
});

import test from 'ava';
import fc from 'fast-check';
import { readJson } from '../../../src/config/json-document.js';

const isJson = (text: string): boolean => {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
};

/** JSON with a few characters changed: mostly not JSON any more, and sometimes still. */
const damaged = fc
  .tuple(
    fc.json({ maxDepth: 4 }),
    fc.array(fc.tuple(fc.nat(), fc.constantFrom(...Array.from('{}[]",:0.-eE\\ \n\ttrunl'))), {
      maxLength: 3,
    }),
  )
  .map(([text, changes]) =>
    changes.reduce((changed, [at, letter]) => {
      const place = changed.length === 0 ? 0 : at % changed.length;
      return changed.slice(0, place) + letter + changed.slice(place + (at % 2));
    }, text),
  );

test('any JSON value that is printed is read back', (t) => {
  fc.assert(
    fc.property(fc.jsonValue({ maxDepth: 5 }), fc.nat(4), (value, indent) => {
      const text = JSON.stringify(value, null, indent);
      t.deepEqual(readJson(text), { ok: true, value: JSON.parse(text) as unknown });
    }),
  );
});

test('text is refused exactly where JSON.parse refuses it, keys that come twice apart', (t) => {
  fc.assert(
    fc.property(damaged, (text) => {
      const result = readJson(text);
      if (!result.ok && result.fault.endsWith('comes twice')) return;
      t.is(result.ok, isJson(text), text);
    }),
    { numRuns: 2000 },
  );
});

test('any text gets an answer whose place lies in the text', (t) => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary' }), (text) => {
      const result = readJson(text);
      if (result.ok) return;
      const [, line, column] = /^line (\d+), column (\d+): /.exec(result.fault) ?? [];
      const lines = text.split('\n');
      t.true(Number(line) >= 1 && Number(line) <= lines.length);
      const length = lines[Number(line) - 1]?.length ?? -1;
      t.true(Number(column) >= 1 && Number(column) <= length + 1);
    }),
  );
});

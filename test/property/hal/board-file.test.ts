import test from 'ava';
import fc from 'fast-check';
import { hasErrorCode } from '../../../src/errors.js';
import { linesOf, parseBoard } from '../../../src/hal/board-file.js';
import { boardDocument, withValue } from '../../support/board-document.js';
import type { Json, JsonObject } from '../../support/board-document.js';

/** Every key of the document, as `camera.width`. */
function pathsOf(document: JsonObject, prefix = ''): string[] {
  return Object.entries(document).flatMap(([key, value]) => {
    const path = `${prefix}${key}`;
    const isObject = typeof value === 'object' && value !== null && !Array.isArray(value);
    return isObject ? [path, ...pathsOf(value, `${path}.`)] : [path];
  });
}

const paths = pathsOf(boardDocument());
const anyJson = fc.jsonValue({ maxDepth: 2 }) as fc.Arbitrary<Json>;

/** A board or a `board/invalid` in one line; anything else fails the test. */
function parseOrRefuse(text: string): ReturnType<typeof parseBoard> | string {
  try {
    return parseBoard(text, 'x.json');
  } catch (error) {
    if (!hasErrorCode(error, 'board/invalid')) throw error;
    return (error as Error).message;
  }
}

test('any text is a board, or board/invalid in one printable line', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (text) => {
      const result = parseOrRefuse(text);
      if (typeof result !== 'string') return;
      // eslint-disable-next-line no-control-regex -- a terminal must not be steered by a document
      t.notRegex(result, /[\u0000-\u001f\u007f]/);
    }),
  );
});

test('a board with one value replaced is sound, or refused naming that place', (t) => {
  fc.assert(
    fc.property(fc.constantFrom(...paths), anyJson, (path, value) => {
      const result = parseOrRefuse(JSON.stringify(withValue(boardDocument(), path, value)));
      if (typeof result !== 'string') {
        const lines = linesOf(result).map(({ chip, line }) => `${chip}/${line}`);
        t.is(new Set(lines).size, lines.length);
        t.true(result.camera.gopFrames <= result.camera.framesPerSecond);
        return;
      }
      // A fault may lie in what depends on the value: a chip that is gone leaves its lines without one.
      const dependents = path.startsWith('gpio') ? ['buttons', 'leds', 'vibration', 'buzzer'] : [];
      const group = path.split('.')[0] ?? '';
      const isNamed = [group, ...dependents].some((key) => result.includes(key));
      t.true(isNamed, `${path} = ${JSON.stringify(value)}: ${result}`);
    }),
    { numRuns: 1000 },
  );
});

test('a board that is printed and read again is the same board', (t) => {
  const board = parseBoard(JSON.stringify(boardDocument()), 'x.json');
  t.deepEqual(parseBoard(JSON.stringify(board), 'x.json'), board);
});

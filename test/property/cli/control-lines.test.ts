import test from 'ava';
import fc from 'fast-check';
import { formatRequest, parseRequest, parseResponse } from '../../../src/cli/control-messages.js';
import { LineReader } from '../../../src/cli/line-reader.js';
import { hasErrorCode, isCameraError } from '../../../src/errors.js';

const request = fc.record({
  verb: fc.string({ minLength: 1, maxLength: 64 }),
  words: fc.array(fc.string({ unit: 'binary', maxLength: 20 }), { maxLength: 10 }),
});

test('requests survive any cutting of their bytes', (t) => {
  fc.assert(
    fc.property(fc.array(request), fc.array(fc.nat(50)), (requests, cuts) => {
      const bytes = Buffer.from(requests.map(formatRequest).join(''));
      const reader = new LineReader(4096);
      const lines: string[] = [];
      let start = 0;
      for (const cut of [...cuts, bytes.length]) {
        lines.push(...(reader.push(bytes.subarray(start, start + cut)) ?? []));
        start += cut;
      }
      t.deepEqual(lines.map(parseRequest), requests);
    }),
  );
});

test('any line is a request, or cli/usage', (t) => {
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json()), (line) => {
      try {
        t.true(parseRequest(line).verb.length > 0);
      } catch (error) {
        t.true(hasErrorCode(error, 'cli/usage'));
      }
    }),
  );
});

test('any line is an answer, or an error with a code', (t) => {
  const answer = fc.record({ ok: fc.boolean(), code: fc.string(), message: fc.string() });
  const printed = answer.map((value) => JSON.stringify(value));
  fc.assert(
    fc.property(fc.oneof(fc.string(), fc.json(), printed), (line) => {
      try {
        parseResponse(line);
        t.true(line.includes('true'));
      } catch (error) {
        t.true(isCameraError(error));
      }
    }),
  );
});

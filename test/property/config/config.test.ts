import test from 'ava';
import fc from 'fast-check';
import { parseConfig } from '../../../src/config/config.js';
import { settings } from '../../../src/config/table.js';
import { encodeBech32 } from '../../../src/evidence/bech32.js';
import { hasErrorCode } from '../../../src/errors.js';

const recipient = fc
  .uint8Array({ minLength: 32, maxLength: 32 })
  .map((key) => encodeBech32('age', key));

const valid = fc.record(
  {
    deviceId: fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/),
    recipients: fc.uniqueArray(recipient, { minLength: 1, maxLength: 8 }),
    preEventMs: fc.integer({ min: 0, max: 120_000 }),
    stopHoldMs: fc.integer({ min: 3_000, max: 10_000 }),
    segmentMs: fc.integer({ min: 5_000, max: 300_000 }),
  },
  { requiredKeys: ['deviceId', 'recipients'] },
);

test('a valid configuration is taken as it stands, and is its own fixed point', (t) => {
  fc.assert(
    fc.property(valid, (document) => {
      const config = parseConfig(JSON.stringify(document));
      t.deepEqual({ ...config, ...document }, config);
      t.deepEqual(parseConfig(config), config);
      t.deepEqual(Object.keys(config).sort(), Object.keys(settings).sort());
    }),
  );
});

test('anything at all is either a configuration or config/invalid in one line', (t) => {
  const keys = fc.oneof(fc.constantFrom(...Object.keys(settings), '__proto__'), fc.string());
  const input = fc.oneof(
    fc.string(),
    fc.json(),
    fc.jsonValue(),
    fc.dictionary(keys, fc.jsonValue()),
    fc
      .tuple(valid, fc.dictionary(keys, fc.jsonValue()))
      .map((parts) => Object.assign({}, ...parts)),
  );
  fc.assert(
    fc.property(input, (document) => {
      try {
        const config = parseConfig(document);
        t.true(config.recipients.length > 0 && config.stopHoldMs >= 3_000);
      } catch (error) {
        if (!hasErrorCode(error, 'config/invalid')) throw error;
        // eslint-disable-next-line no-control-regex -- a terminal must not be steered by a document
        t.notRegex((error as Error).message, /[\u0000-\u001f\u007f]/);
      }
    }),
    { numRuns: 1000 },
  );
});

test('one wrong letter in a recipient is always found', (t) => {
  const letters = 'qpzry9x8gf2tvdw0s3jn54khce6mua7l';
  fc.assert(
    fc.property(recipient, fc.integer({ min: 4, max: 61 }), fc.nat(31), (text, at, to) => {
      const letter = letters[to] ?? '';
      fc.pre(text[at] !== letter);
      const recipients = [text.slice(0, at) + letter + text.slice(at + 1)];
      t.throws(() => parseConfig({ deviceId: 'x', recipients }), {
        message: 'recipients[0]: has a typing error: the checksum does not fit',
      });
    }),
  );
});

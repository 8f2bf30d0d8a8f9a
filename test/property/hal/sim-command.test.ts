import test from 'ava';
import fc from 'fast-check';
import { HOLD_MS_MAX, parseSimCommand } from '../../../src/hal/sim/sim-command.js';
import { hasErrorCode } from '../../../src/errors.js';

const word = fc.oneof(
  fc.constantFrom(
    'press',
    'hold',
    'dock',
    'battery',
    'temperature',
    'camera',
    'clock',
    'imu',
    'gnss',
    'state',
    'record',
    'kill',
    'fall',
  ),
  fc.stringMatching(/^[+-]?\d{0,14}(ms|s|m|h|d)?(\/\d{0,14}s)?$/),
  fc.string(),
);

const isWithin = (value: number, min: number, max: number): boolean => value >= min && value <= max;

test('any words are a command within its bounds, or cli/usage', (t) => {
  fc.assert(
    fc.property(fc.array(word, { maxLength: 5 }), (words) => {
      try {
        const command = parseSimCommand(words);
        t.is<string | undefined, string | undefined>(command.verb, words[0]);
        if (command.verb === 'hold') t.true(isWithin(command.durationMs, 1, HOLD_MS_MAX));
        if (command.verb === 'battery') t.true(isWithin(command.percent, 0, 100));
        if (command.verb === 'temperature') t.true(isWithin(command.celsius, -40, 125));
        if (command.verb === 'clock' && typeof command.act === 'object') {
          const { act } = command;
          const [by, overMs] = 'slewMs' in act ? [act.slewMs, act.overMs] : [act.shiftMs, 1];
          t.true(Number.isSafeInteger(by) && Number.isSafeInteger(overMs) && overMs > 0);
        }
      } catch (error) {
        t.true(hasErrorCode(error, 'cli/usage'), String(error));
      }
    }),
    { numRuns: 2000 },
  );
});

import test from 'ava';
import fc from 'fast-check';
import { formatTopic, parseTopic } from '../../../src/sync/topics.js';
import type { Topic } from '../../../src/sync/topics.js';

const id = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9-]{0,63}$/);
const topic: fc.Arbitrary<Topic> = fc.oneof(
  fc.record({
    kind: fc.constant('up' as const),
    device: id,
    message: fc.constantFrom('birth', 'state', 'offer', 'leaves', 'meta'),
  }),
  fc.record({
    kind: fc.constant('down' as const),
    device: id,
    message: fc.constantFrom('want', 'ack', 'receipt'),
  }),
  fc.record({ kind: fc.constant('inbox' as const), receiver: id, device: id }),
  fc.record({ kind: fc.constant('receiver-state' as const), receiver: id }),
  fc.record({
    kind: fc.constantFrom('command' as const, 'command-state' as const, 'peer' as const),
    device: id,
  }),
);

test('a topic survives being written and read, within what every broker takes', (t) => {
  fc.assert(
    fc.property(topic, (value) => {
      const text = formatTopic(value);
      t.deepEqual(parseTopic(text), value);
      t.true(text.split('/').length <= 8 && Buffer.byteLength(text) <= 256);
    }),
  );
});

test('a text is either no topic, or exactly what its topic is written as', (t) => {
  const level = fc.oneof(id, fc.constantFrom('lapel', 'v1', '_rx', 'up', 'dn', 'in', 'want', '+'));
  const text = fc.oneof(
    fc.string(),
    fc.array(level, { maxLength: 7 }).map((levels) => levels.join('/')),
    fc.array(level, { maxLength: 4 }).map((levels) => ['lapel/v1', ...levels].join('/')),
  );
  fc.assert(
    fc.property(text, (value) => {
      const parsed = parseTopic(value);
      t.true(parsed === undefined || formatTopic(parsed) === value);
    }),
  );
});

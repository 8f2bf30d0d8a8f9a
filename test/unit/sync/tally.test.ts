import test from 'ava';
import { createLogger } from '../../../src/log.js';
import { Tally } from '../../../src/sync/tally.js';

test('every drop is counted, and ever rarer ones are logged', (t) => {
  const lines: string[] = [];
  const tally = new Tally<'stale' | 'bad'>(createLogger('warn', { write: (l) => lines.push(l) }));
  for (let i = 0; i < 1000; i += 1) tally.add('stale', { device: 'cam-1' });
  tally.add('bad');
  t.deepEqual(tally.all(), { stale: 1000, bad: 1 });
  t.is(tally.count('stale'), 1000);
  const counts = lines.map((line) => (JSON.parse(line) as { count: number }).count);
  t.deepEqual(counts, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1]);
});

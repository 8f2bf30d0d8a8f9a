import test from 'ava';
import { backoffMs } from '../../../src/sync/backoff.js';

test('attempts get further apart, from one second to eight', (t) => {
  t.deepEqual(
    [1, 2, 3, 4, 5, 50].map((failures) => backoffMs(failures, 0)),
    [1000, 2000, 4000, 8000, 8000, 8000],
  );
});

test('chance takes away up to half, but never below a second', (t) => {
  t.is(backoffMs(1, 0.99), 1000);
  t.is(backoffMs(4, 0.5), 6000);
  t.true(backoffMs(4, 0.999) > 4000);
});

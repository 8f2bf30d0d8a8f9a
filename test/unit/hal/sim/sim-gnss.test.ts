import test from 'ava';
import { utcFields } from '../../../../src/hal/sim/sim-gnss.js';

test('the date of every day from 2000 to 2100 is that of the calendar', (t) => {
  for (let ms = Date.UTC(2000, 0, 1); ms < Date.UTC(2100, 2, 2); ms += 86_400_000) {
    const [year = '', month = '', day = ''] = new Date(ms).toISOString().slice(0, 10).split('-');
    if (utcFields(ms).date !== `${day}${month}${year.slice(2)}`) t.fail(String(ms));
  }
  t.deepEqual(utcFields(Date.UTC(2026, 1, 28, 23, 59, 58, 990)), {
    time: '235958.99',
    date: '280226',
  });
});

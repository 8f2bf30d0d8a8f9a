import test from 'ava';
import { format } from 'prettier';
import { configMarkdownTable } from '../../../src/config/markdown-table.js';
import { settings } from '../../../src/config/table.js';

test('has one row a setting, in the order of the table', (t) => {
  const rows = configMarkdownTable().trimEnd().split('\n').slice(2);
  t.deepEqual(
    rows.map((row) => /^\| `(\w+)`/.exec(row)?.[1]),
    Object.keys(settings),
  );
});

test('a row says default, unit, bounds, floor and effect', (t) => {
  const row = configMarkdownTable()
    .split('\n')
    .find((line) => line.startsWith('| `stopHoldMs`'));
  t.deepEqual(
    row?.split('|').map((cell) => cell.trim()),
    [
      '',
      '`stopHoldMs`',
      '`3000`',
      'ms',
      '1000 to 10000',
      '3000',
      'restart',
      settings.stopHoldMs.doc,
      '',
    ],
  );
});

test('Prettier leaves it as it is', async (t) => {
  t.is(await format(configMarkdownTable(), { parser: 'markdown' }), configMarkdownTable());
});

import test from 'ava';
import { z } from 'zod';
import { describeFaults, formatPath, joinFaults, nearestKey } from '../../../src/config/faults.js';

const schema = z.strictObject({
  name: z.string(),
  mode: z.enum(['on', 'off']),
  items: z.array(z.strictObject({ size: z.int() })),
  byName: z.record(z.string().regex(/^[a-z]+$/), z.int()),
  chosen: z.int().refine((value) => value > 0, { error: 'must be chosen' }),
});
const faultsOf = (document: unknown): string[] =>
  describeFaults(schema.safeParse(document).error?.issues ?? [], document, ['name', 'mode']);

test('every fault is one line of path and reason', (t) => {
  const document = { mode: 'up', items: [{ size: 'x' }, { sise: 1 }], byName: { A: 1 }, nane: 1 };
  t.deepEqual(faultsOf(document), [
    'name: is missing',
    'mode: expected one of "on"|"off"',
    'items[0].size: expected number, received string',
    'items[1].size: is missing',
    'items[1].sise: unknown key',
    'byName.A: must match pattern /^[a-z]+$/',
    'chosen: is missing',
    'nane: unknown key, did you mean name?',
  ]);
});

test('a rule of our own speaks in its own words', (t) => {
  const document = { name: '', mode: 'on', items: [], byName: {}, chosen: 0 };
  t.deepEqual(faultsOf(document), ['chosen: must be chosen']);
});

test('a document of another kind is one fault of the whole', (t) => {
  t.deepEqual(faultsOf(null), ['the document: expected object, received null']);
  t.deepEqual(faultsOf([]), ['the document: expected object, received array']);
});

test('an inherited name does not count as present', (t) => {
  const document = { name: '', mode: 'on', items: [], byName: {}, chosen: 1, constructor: 1 };
  t.deepEqual(faultsOf(document), ['constructor: unknown key']);
});

test('an unknown key is quoted short and without control characters', (t) => {
  const [fault = ''] = faultsOf({
    name: '',
    mode: 'on',
    items: [],
    byName: {},
    chosen: 1,
    [`\u001b[31m${'x'.repeat(1000)}`]: 1,
  });
  t.regex(fault, /^\?\[31mx+…: unknown key$/);
  t.true(fault.length < 60);
});

test('paths print as code would write them', (t) => {
  t.is(formatPath([]), 'the document');
  t.is(formatPath(['camera', 'width']), 'camera.width');
  t.is(formatPath(['receivers', 0, 'rx']), 'receivers[0].rx');
});

const slips: readonly [written: string, meant: string | undefined][] = [
  ['preEventMS', 'preEventMs'],
  ['preEvent', 'preEventMs'],
  ['pre_eventMs', 'preEventMs'],
  ['brokerURL', 'brokerUrl'],
  ['broker', undefined],
  ['', undefined],
  ['x'.repeat(10_000), undefined],
];
for (const [written, meant] of slips) {
  test(`${written.slice(0, 20)} is taken for ${meant ?? 'nothing'}`, (t) => {
    t.is(nearestKey(written, ['deviceId', 'preEventMs', 'brokerUrl']), meant);
  });
}

test('hundreds of faults end in a count', (t) => {
  const line = joinFaults(Array.from({ length: 250 }, (_, index) => `f${index}`));
  t.true(line.startsWith('f0; f1; '));
  t.true(line.endsWith('f99; and 150 more'));
});

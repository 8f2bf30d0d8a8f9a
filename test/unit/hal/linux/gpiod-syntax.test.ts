import test from 'ava';
import {
  faultOf,
  getArguments,
  infoArguments,
  monitorArguments,
  parseChips,
  parseEvent,
  parseLevel,
  parseLines,
  parseVersion,
  setArguments,
} from '../../../../src/hal/linux/gpiod-syntax.js';

const LINE = { chip: 'gpiochip0', offset: 17 };

test('the words for gpiod 1.6 are those of its help', (t) => {
  t.deepEqual(infoArguments(1, 'gpiochip0'), ['gpiochip0']);
  t.deepEqual(getArguments(1, LINE), ['gpiochip0', '17']);
  t.deepEqual(monitorArguments(1, LINE), [
    '--line-buffered',
    '--format=%e %s %n',
    'gpiochip0',
    '17',
  ]);
  t.deepEqual(setArguments(1, LINE, true), ['--mode=signal', 'gpiochip0', '17=1']);
  t.deepEqual(setArguments(1, LINE, false), ['--mode=signal', 'gpiochip0', '17=0']);
});

test('the words for gpiod 2 are those of its manual', (t) => {
  t.deepEqual(infoArguments(2, 'gpiochip0'), ['--chip', 'gpiochip0']);
  t.deepEqual(getArguments(2, LINE), ['--numeric', '--chip', 'gpiochip0', '17']);
  t.deepEqual(monitorArguments(2, LINE), [
    '--edges=both',
    '--event-clock=monotonic',
    '--format=%e %S',
    '--chip',
    'gpiochip0',
    '17',
  ]);
  t.deepEqual(setArguments(2, LINE, true), ['--chip', 'gpiochip0', '17=1']);
});

test('the generation is the major version, and a third one is not known', (t) => {
  t.is(parseVersion('gpiodetect (libgpiod) v1.6.3\nCopyright (C) 2017-2018\n'), 1);
  t.is(parseVersion('gpiodetect (libgpiod) v2.2.1\nCopyright (C) 2017-2023\n'), 2);
  t.is(parseVersion('gpiodetect v2.3 (libgpiod v2.3)\nCopyright (C) 2017-2023\n'), 2);
  t.is(parseVersion('gpiodetect (libgpiod) v3.0\n'), undefined);
  t.is(parseVersion('gpiodetect (libgpiod) v12.0\n'), undefined);
  t.is(parseVersion(''), undefined);
});

test('chips are listed with label and lines, a label may have blanks', (t) => {
  t.deepEqual(parseChips('gpiochip0 [pinctrl-bcm2835] (54 lines)\ngpiochip1 [a b] (1 line)\n'), [
    { name: 'gpiochip0', label: 'pinctrl-bcm2835', lines: 54 },
    { name: 'gpiochip1', label: 'a b', lines: 1 },
  ]);
  t.deepEqual(parseChips('gpiodetect: unable to open chip'), []);
});

test('lines are listed by both generations with name and consumer', (t) => {
  const expected = [
    { offset: 0, name: undefined, consumer: undefined },
    { offset: 17, name: 'BUTTON', consumer: 'gpiomon' },
    { offset: 27, name: 'LED REC', consumer: undefined },
  ];
  const first = [
    'gpiochip0 - 54 lines:',
    '\tline   0:      unnamed       unused   input  active-high ',
    '\tline  17:     "BUTTON"    "gpiomon"   input  active-high [used]',
    '\tline  27:    "LED REC"       kernel  output  active-high [used]',
  ];
  const second = [
    'gpiochip0 - 54 lines:',
    '\tline   0:\tunnamed         \tinput',
    '\tline  17:\t"BUTTON"        \tinput edges=both consumer="gpiomon"',
    '\tline  27:\t"LED REC"       \toutput',
  ];
  t.deepEqual(parseLines(first.join('\n')), expected);
  t.deepEqual(parseLines(second.join('\n')), expected);
});

test('a level is a single digit', (t) => {
  t.is(parseLevel('1\n'), true);
  t.is(parseLevel('0\n'), false);
  for (const text of ['', '2\n', '10\n', '"17"=active\n']) t.is(parseLevel(text), undefined);
});

test('an edge has the direction and the time of its generation', (t) => {
  t.deepEqual(parseEvent(1, '1 105 7000000'), { isHigh: true, kernelMs: 105_007 });
  t.deepEqual(parseEvent(1, '0 105 999999999')?.isHigh, false);
  t.deepEqual(parseEvent(2, '1 105.007000000'), { isHigh: true, kernelMs: 105_007 });
  t.deepEqual(parseEvent(2, '2 105.000000000'), { isHigh: false, kernelMs: 105_000 });
  // The same digits mean opposite things, so a row of the wrong generation must not pass.
  t.is(parseEvent(1, '2 105 7'), undefined);
  t.is(parseEvent(1, '1 105.007000000'), undefined);
  t.is(parseEvent(2, '0 105.007000000'), undefined);
  t.is(parseEvent(2, '1 105 7000000'), undefined);
});

test('the last words of a tool say what is wrong', (t) => {
  const unable = 'gpioset: unable to request lines on chip gpiochip0';
  t.is(faultOf(`${unable}: Device or resource busy`), 'hal/busy');
  t.is(faultOf(`${unable}: No such device`), 'hal/disconnected');
  t.is(faultOf("gpioget: cannot find GPIO chip character device 'gpiochip9'"), 'hal/disconnected');
  t.is(faultOf(`${unable}: Permission denied`), 'hal/bus');
  t.is(faultOf(''), 'hal/bus');
});

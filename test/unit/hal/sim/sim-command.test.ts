import test from 'ava';
import { HOLD_MS_MAX, parseSimCommand } from '../../../../src/hal/sim/sim-command.js';
import type { SimCommand } from '../../../../src/hal/sim/sim-command.js';

const commands: readonly [words: string, command: SimCommand][] = [
  ['press record', { verb: 'press', button: 'record' }],
  ['press function', { verb: 'press', button: 'function' }],
  ['hold record 3s', { verb: 'hold', button: 'record', durationMs: 3_000 }],
  ['hold function 2500ms', { verb: 'hold', button: 'function', durationMs: 2_500 }],
  ['dock', { verb: 'dock' }],
  ['undock', { verb: 'undock' }],
  ['state', { verb: 'state' }],
  ['battery 9', { verb: 'battery', percent: 9 }],
  ['battery 100', { verb: 'battery', percent: 100 }],
  ['battery 0', { verb: 'battery', percent: 0 }],
  ['temperature 85', { verb: 'temperature', celsius: 85 }],
  ['temperature -40', { verb: 'temperature', celsius: -40 }],
  ['camera kill', { verb: 'camera', fault: 'kill' }],
  ['camera stall', { verb: 'camera', fault: 'stall' }],
  ['imu fall', { verb: 'imu', act: 'fall' }],
  ['imu invert', { verb: 'imu', act: 'invert' }],
  ['imu unplug', { verb: 'imu', act: 'unplug' }],
  ['imu plug', { verb: 'imu', act: 'plug' }],
  ['gnss fix', { verb: 'gnss', act: 'fix' }],
  ['gnss nofix', { verb: 'gnss', act: 'nofix' }],
  ['gnss unplug', { verb: 'gnss', act: 'unplug' }],
  ['gnss plug', { verb: 'gnss', act: 'plug' }],
  ['clock +1d', { verb: 'clock', act: { shiftMs: 86_400_000 } }],
  ['clock -2h', { verb: 'clock', act: { shiftMs: -7_200_000 } }],
  ['clock +5m', { verb: 'clock', act: { shiftMs: 300_000 } }],
  ['clock 1970', { verb: 'clock', act: '1970' }],
  ['clock gnss', { verb: 'clock', act: 'gnss' }],
  ['clock ntp', { verb: 'clock', act: 'ntp' }],
  ['clock follow', { verb: 'clock', act: 'follow' }],
  ['clock -1s/8s', { verb: 'clock', act: { slewMs: -1000, overMs: 8000 } }],
  ['gnss invalid', { verb: 'gnss', act: 'invalid' }],
];
for (const [words, command] of commands) {
  test(`understands ${words}`, (t) => {
    t.deepEqual(parseSimCommand(words.split(' ')), command);
  });
}

const refusals: readonly [words: string, message: RegExp][] = [
  ['press', /^expected: press record\|function$/],
  ['press shutter', /^expected: press/],
  ['press record now', /^expected: press/],
  ['hold record', /^expected: hold record\|function 3s$/],
  ['hold record 3', /^expected: hold/],
  ['hold record 0s', /^expected: hold/],
  [`hold record ${HOLD_MS_MAX + 1}ms`, /^expected: hold/],
  ['hold record 1e3ms', /^expected: hold/],
  ['dock now', /^expected: dock$/],
  ['battery 101', /^expected: battery 0\.\.100$/],
  ['battery -1', /^expected: battery/],
  ['battery nine', /^expected: battery/],
  ['temperature', /^expected: temperature -40\.\.125$/],
  ['temperature 126', /^expected: temperature/],
  ['temperature -41', /^expected: temperature/],
  ['temperature 8e1', /^expected: temperature/],
  ['camera explode', /^expected: camera kill\|stall$/],
  ['imu', /^expected: imu fall\|upright\|invert\|unplug\|plug$/],
  ['imu fall down', /^expected: imu/],
  ['imu fix', /^expected: imu/],
  ['gnss fall', /^expected: gnss fix\|nofix\|invalid\|unplug\|plug$/],
  ['clock 1d', /^expected: clock \+1d\|-2h\|-1s\/8s\|1970\|gnss\|ntp\|follow$/],
  ['clock 1971', /^expected: clock/],
  ['clock +0s', /^expected: clock/],
  ['clock +999999d', /^expected: clock/],
  ['clock +1y', /^expected: clock/],
  ['clock -1s/', /^expected: clock/],
  ['clock -1s/0s', /^expected: clock/],
  ['clock -1s/8s/8s', /^expected: clock/],
];
for (const [words, message] of refusals) {
  test(`refuses ${words}`, (t) => {
    t.throws(() => parseSimCommand(words.split(' ')), { code: 'cli/usage', message });
  });
}

for (const words of [[], ['motor', 'on'], ['constructor'], ['']]) {
  test(`lists all verbs for ${JSON.stringify(words)}`, (t) => {
    t.throws(() => parseSimCommand(words), {
      code: 'cli/usage',
      message:
        'expected one of: press record|function, hold record|function 3s, dock, undock, battery 0..100, temperature -40..125, camera kill|stall, imu fall|upright|invert|unplug|plug, gnss fix|nofix|invalid|unplug|plug, clock +1d|-2h|-1s/8s|1970|gnss|ntp|follow, state',
    });
  });
}

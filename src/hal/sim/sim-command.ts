import { CameraError } from '../../errors.js';
import type { ButtonRole, ClockAct, GnssAct, ImuAct } from './sim-board.js';

/** What a person does to a simulated board. */
export type SimCommand =
  | { readonly verb: 'press'; readonly button: ButtonRole }
  | { readonly verb: 'hold'; readonly button: ButtonRole; readonly durationMs: number }
  | { readonly verb: 'dock' | 'undock' | 'state' }
  | { readonly verb: 'battery'; readonly percent: number }
  | { readonly verb: 'temperature'; readonly celsius: number }
  | { readonly verb: 'camera'; readonly fault: 'kill' | 'stall' }
  | { readonly verb: 'imu'; readonly act: ImuAct }
  | { readonly verb: 'gnss'; readonly act: GnssAct }
  | { readonly verb: 'clock'; readonly act: ClockAct };

type Verb = SimCommand['verb'];

/** Longest hold: well above the longest gesture (`stopHoldMs`, 10 s). */
export const HOLD_MS_MAX = 15_000;
/** Farthest jump of the clock: beyond every battery-backed clock that was reset to its epoch. */
const SHIFT_MS_MAX = 100 * 366 * 86_400_000;

const usages: Readonly<Record<Verb, string>> = {
  press: 'press record|function',
  hold: 'hold record|function 3s',
  dock: 'dock',
  undock: 'undock',
  battery: 'battery 0..100',
  temperature: 'temperature -40..125',
  camera: 'camera kill|stall',
  imu: 'imu fall|upright|invert|unplug|plug',
  gnss: 'gnss fix|nofix|invalid|unplug|plug',
  clock: 'clock +1d|-2h|-1s/8s|1970|gnss|ntp|follow',
  state: 'state',
};

const unitsMs: Readonly<Record<string, number>> = {
  ms: 1,
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

const DURATION = /^(\d{1,12})(ms|s|m|h|d)$/;
const CELSIUS = /^-?\d{1,3}$/;
/** What electronics are made for: the range of industry, and the junction of a processor. */
const CELSIUS_MIN = -40;
const CELSIUS_MAX = 125;
const PERCENT = /^(?:\d{1,2}|100)$/;

/**
 * The command in the words behind `lapel sim`. Throws `cli/usage`, whose one line shows how the verb is used, or lists
 * all verbs when there is no such verb.
 */
export function parseSimCommand(words: readonly string[]): SimCommand {
  const [verb, ...rest] = words;
  if (verb === undefined || !isVerb(verb)) {
    throw new CameraError('cli/usage', `expected one of: ${Object.values(usages).join(', ')}`);
  }
  const command = parseVerb(verb, rest);
  if (command === undefined) throw new CameraError('cli/usage', `expected: ${usages[verb]}`);
  return command;
}

const isVerb = (word: string): word is Verb => Object.hasOwn(usages, word);

function parseVerb(verb: Verb, words: readonly string[]): SimCommand | undefined {
  const [first = '', second = '', ...rest] = words;
  const count = words.length;
  if (rest.length > 0) return undefined;
  switch (verb) {
    case 'press':
      return count === 1 && isButton(first) ? { verb, button: first } : undefined;
    case 'hold': {
      const durationMs = parseDuration(second);
      const isFit = durationMs !== undefined && durationMs > 0 && durationMs <= HOLD_MS_MAX;
      return isButton(first) && isFit ? { verb, button: first, durationMs } : undefined;
    }
    case 'dock':
    case 'undock':
    case 'state':
      return count === 0 ? { verb } : undefined;
    case 'battery':
      return count === 1 && PERCENT.test(first) ? { verb, percent: Number(first) } : undefined;
    case 'temperature':
      return count === 1 && isCelsius(first) ? { verb, celsius: Number(first) } : undefined;
    case 'camera':
      return count === 1 && (first === 'kill' || first === 'stall')
        ? { verb, fault: first }
        : undefined;
    case 'imu':
      return count === 1 && isImuAct(first) ? { verb, act: first } : undefined;
    case 'gnss':
      return count === 1 && isGnssAct(first) ? { verb, act: first } : undefined;
    case 'clock': {
      const act = count === 1 ? parseClockAct(first) : undefined;
      return act === undefined ? undefined : { verb, act };
    }
  }
}

const isButton = (word: string): word is ButtonRole => word === 'record' || word === 'function';

const isCelsius = (word: string): boolean =>
  CELSIUS.test(word) && Number(word) >= CELSIUS_MIN && Number(word) <= CELSIUS_MAX;

const isImuAct = (word: string): word is ImuAct =>
  ['fall', 'upright', 'invert', 'unplug', 'plug'].includes(word);

const isGnssAct = (word: string): word is GnssAct =>
  ['fix', 'nofix', 'invalid', 'unplug', 'plug'].includes(word);

function parseDuration(word: string): number | undefined {
  const [, digits, unit = ''] = DURATION.exec(word) ?? [];
  const unitMs = unitsMs[unit];
  return digits === undefined || unitMs === undefined ? undefined : Number(digits) * unitMs;
}

function parseClockAct(word: string): ClockAct | undefined {
  if (word === '1970' || word === 'gnss' || word === 'ntp' || word === 'follow') return word;
  const [by = '', within, ...rest] = word.split('/');
  const shiftMs = parseShift(by);
  if (shiftMs === undefined || rest.length > 0) return undefined;
  if (within === undefined) return { shiftMs };
  const overMs = parseDuration(within);
  const isFit = overMs !== undefined && overMs > 0 && overMs <= SHIFT_MS_MAX;
  return isFit ? { slewMs: shiftMs, overMs } : undefined;
}

/** A duration with its sign: `+1d`, `-2h`. */
function parseShift(word: string): number | undefined {
  const sign = word.startsWith('+') ? 1 : word.startsWith('-') ? -1 : undefined;
  const durationMs = parseDuration(word.slice(1));
  if (sign === undefined || durationMs === undefined) return undefined;
  return durationMs > 0 && durationMs <= SHIFT_MS_MAX ? sign * durationMs : undefined;
}

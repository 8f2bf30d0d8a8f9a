import { z } from 'zod';
import { wholeNumber } from './whole-number.js';

/** A light that is on, off, or blinks with the period given, half of it lit. */
export type LightPattern = 'on' | 'off' | { readonly blinkMs: number };

/** What a state shows, and what it says again and again while it lasts. A light that it does not name is left alone. */
export interface StateRow {
  readonly record?: LightPattern;
  readonly status?: LightPattern;
  readonly fault?: LightPattern;
  /** How often the pulses come; 0 for never. */
  readonly everyMs: number;
  /** `[on, off, on, …]` in milliseconds. */
  readonly vibrationMs: readonly number[];
  readonly toneMs: readonly number[];
}

/** What the wearer feels and hears once. */
export type SignalRow = Pick<StateRow, 'vibrationMs' | 'toneMs'>;

/** Longest pulse: beyond it a motor heats up and the wearer stops counting. */
const PULSE_MS_MAX = 2_000;
/** Shortest pulse that a coin motor turns into anything. */
const PULSE_MS_MIN = 20;
/** Pulses and pauses of one pattern: nobody counts more than 8 pulses. */
const PULSES_MAX = 15;
/** Below it an eye sees a steady light; above, a glance can fall into the dark half. */
const BLINK_MS_MIN = 200;
const BLINK_MS_MAX = 4_000;
/** A reminder more often than that is noise. */
const EVERY_MS_MIN = 5_000;
const EVERY_MS_MAX = 3_600_000;

/** A wearer who forgot that the camera records is told this often (field reference A6). */
const RECORDING_EVERY_MS_MAX = 120_000;
/** The same for a camera that is asleep and would have no pre-event. */
const ASLEEP_EVERY_MS_MAX = 900_000;

const silent = { everyMs: 0, vibrationMs: [], toneMs: [] } as const;
const slow: LightPattern = { blinkMs: 2000 };
const normal: LightPattern = { blinkMs: 1000 };
const middle: LightPattern = { blinkMs: 500 };
const fast: LightPattern = { blinkMs: 250 };
const pulses = (count: number, ms: number): number[] =>
  Array.from({ length: 2 * count - 1 }, () => ms);
const every = (everyMs: number, vibrationMs: readonly number[]) => ({
  everyMs,
  vibrationMs,
  toneMs: vibrationMs,
});

/**
 * The states, from the weakest to the strongest: several hold at a time, and each light shows what the strongest of them
 * that names it says. Running low is slow amber, and the number of pulses says what: 3 the card, 4 the battery, 5 the clock.
 */
export const states = {
  idle: { ...silent, record: 'off', status: 'off', fault: 'off' },
  asleep: { record: 'off', status: 'off', ...every(ASLEEP_EVERY_MS_MAX, [100]) },
  buffering: { ...silent, status: slow },
  picking: { ...silent, status: fast },
  uploaded: { ...silent, status: 'on' },
  uploading: { ...silent, status: 'off', fault: slow },
  recording: { record: 'on', ...every(RECORDING_EVERY_MS_MAX, [150, 100, 150]) },
  postEvent: { ...silent, record: normal },
  storageHour: { fault: slow, ...every(300_000, pulses(3, 100)) },
  storageHalfHour: { fault: slow, ...every(60_000, pulses(3, 200)) },
  batteryLow: { fault: slow, ...every(20_000, pulses(4, 100)) },
  clockUnset: { fault: slow, ...every(20_000, pulses(5, 60)) },
  notReady: { ...silent, status: 'off', fault: 'on' },
  muted: { ...silent, status: middle },
  notDurable: { record: 'off', fault: normal, ...every(20_000, [400, 150, 400]) },
  fault: { status: 'off', fault: fast, ...every(20_000, [400, 150, 400]) },
} as const satisfies Record<string, StateRow>;

const both = (vibrationMs: readonly number[]): SignalRow => ({ vibrationMs, toneMs: vibrationMs });

/** Start and stop cannot be confused, a refusal is long; entering stealth is only felt. */
export const signals = {
  started: both([150, 100, 150]),
  marked: both([100]),
  holding: both([60]),
  stopped: both([600]),
  refused: both([100, 80, 100, 80, 100, 80, 600]),
  muteOn: both([300, 100, 100]),
  muteOff: both([100, 100, 300]),
  stealthOn: { vibrationMs: [300], toneMs: [] },
  stealthOff: both([300, 150, 300]),
  category: both([120]),
  sleepOn: both([800]),
  sleepOff: both([100, 100, 100]),
} as const satisfies Record<string, SignalRow>;

export type StateName = keyof typeof states;
export type SignalKind = keyof typeof signals;

/** The language of the lights, the motor and the buzzer of one camera. */
export interface IndicatorTable {
  readonly states: Readonly<Record<StateName, StateRow>>;
  readonly signals: Readonly<Record<SignalKind, SignalRow>>;
}

/** From the weakest to the strongest. */
export const stateNames = Object.keys(states) as readonly StateName[];
export const signalKinds = Object.keys(signals) as readonly SignalKind[];

const light = z.union(
  [
    z.enum(['on', 'off']),
    z.strictObject({ blinkMs: wholeNumber(BLINK_MS_MIN, BLINK_MS_MAX, 'ms') }).readonly(),
  ],
  { error: `must be on, off or {blinkMs} of ${BLINK_MS_MIN} to ${BLINK_MS_MAX} ms` },
);
const pattern = z
  .array(wholeNumber(PULSE_MS_MIN, PULSE_MS_MAX, 'ms'))
  .max(PULSES_MAX, { error: `must be at most ${PULSES_MAX} pulses and pauses` })
  .refine(({ length }) => length === 0 || length % 2 === 1, {
    error: 'must begin and end with a pulse: on, off, on',
  })
  .readonly();
const everyMs = wholeNumber(0, EVERY_MS_MAX, 'ms').refine((ms) => ms === 0 || ms >= EVERY_MS_MIN, {
  error: `must be 0 for never, or at least ${EVERY_MS_MIN} ms`,
});

const signalRow = z.strictObject({
  vibrationMs: pattern.optional(),
  toneMs: pattern.optional(),
});
const stateRow = signalRow.extend({
  record: light.optional(),
  status: light.optional(),
  fault: light.optional(),
  everyMs: everyMs.optional(),
});

const shape = Object.fromEntries<z.ZodOptional>([
  ...stateNames.map((name) => [name, stateRow.optional()] as const),
  ...signalKinds.map((kind) => [kind, signalRow.optional()] as const),
]) as Record<StateName, z.ZodOptional<typeof stateRow>> &
  Record<SignalKind, z.ZodOptional<typeof signalRow>>;

/** What a configuration changes in the table, row by row; what it breaks of the floors is a fault of that place. */
export const indicatorsSchema = z
  .strictObject(shape)
  .superRefine((overrides, context) => {
    for (const { path, message } of floorFaults(indicatorTable(overrides))) {
      context.addIssue({ code: 'custom', path: [...path], message });
    }
  })
  .readonly();

export type IndicatorOverrides = Readonly<z.infer<z.ZodObject<typeof shape>>>;

/** The table with the overrides in it. */
export function indicatorTable(overrides: IndicatorOverrides = {}): IndicatorTable {
  const merged = <Name extends StateName | SignalKind>(
    rows: Readonly<Record<Name, StateRow | SignalRow>>,
  ): Record<string, unknown> =>
    Object.fromEntries(
      Object.entries<StateRow | SignalRow>(rows).map(([name, row]) => {
        const changes = Object.entries(overrides[name as Name] ?? {});
        const given = changes.filter(([, value]) => value !== undefined);
        return [name, { ...row, ...Object.fromEntries(given) }];
      }),
    );
  return {
    states: merged(states) as IndicatorTable['states'],
    signals: merged(signals) as IndicatorTable['signals'],
  };
}

interface Fault {
  readonly path: readonly string[];
  readonly message: string;
}

/** Red may be lit in these, and must be in the first two. */
const RED_STATES: readonly StateName[] = ['recording', 'postEvent', 'muted'];
/** A light of theirs would cover a fault that is told by a weaker one. */
const AMBER_STATES: readonly StateName[] = ['notReady', 'notDurable', 'fault'];

/** What no configuration may take away from the wearer. */
function floorFaults(table: IndicatorTable): Fault[] {
  const faults: Fault[] = [];
  const check = (isKept: boolean, path: string, message: string): void => {
    if (!isKept) faults.push({ path: path.split('.'), message });
  };
  const isLit = (pattern: LightPattern | undefined): boolean =>
    pattern !== undefined && pattern !== 'off';
  for (const name of stateNames) {
    const { record, fault } = table.states[name];
    const isRed = RED_STATES.includes(name);
    check(isRed || !isLit(record), `${name}.record`, 'must be off: red is for recordings only');
    check(!isRed || record !== 'off', `${name}.record`, 'must be lit while recording');
    const mustWarn = AMBER_STATES.includes(name);
    check(!mustWarn || isLit(fault), `${name}.fault`, 'must be lit: a fault is always shown');
    const isWarning = states[name] !== states.idle && 'fault' in states[name];
    check(!isWarning || fault !== 'off', `${name}.fault`, 'must not hide a fault');
    check(name !== 'muted' || fault === undefined, `${name}.fault`, 'must not hide a fault');
  }
  for (const [name, limitMs] of [
    ['recording', RECORDING_EVERY_MS_MAX],
    ['asleep', ASLEEP_EVERY_MS_MAX],
  ] as const) {
    const { everyMs: ms, vibrationMs } = table.states[name];
    check(ms > 0 && ms <= limitMs, `${name}.everyMs`, `must be at most ${limitMs} ms and not 0`);
    check(vibrationMs.length > 0, `${name}.vibrationMs`, 'must not be empty: it reminds');
  }
  for (const kind of ['started', 'stopped', 'refused'] as const) {
    const isFelt = table.signals[kind].vibrationMs.length > 0;
    check(isFelt, `${kind}.vibrationMs`, 'must not be empty: it must be felt');
  }
  for (const kind of ['holding', 'category'] as const) {
    const isOne = table.signals[kind].vibrationMs.length === 1;
    check(isOne, `${kind}.vibrationMs`, 'must be one pulse: it is repeated and counted');
    check(table.signals[kind].toneMs.length <= 1, `${kind}.toneMs`, 'must be one pulse or none');
  }
  return [...faults, ...confusions(table)];
}

/** Signals that a wearer must tell apart without looking. */
function confusions({ signals: rows }: IndicatorTable): Fault[] {
  const kinds = ['started', 'marked', 'stopped', 'refused'] as const;
  const texts = kinds.map((kind) => rows[kind].vibrationMs.join());
  return kinds.flatMap((kind, index) => {
    const first = texts.indexOf(texts[index] ?? '');
    if (first === index) return [];
    return [
      { path: [kind, 'vibrationMs'], message: `must differ from that of ${kinds[first] ?? ''}` },
    ];
  });
}

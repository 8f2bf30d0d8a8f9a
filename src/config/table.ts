import { z } from 'zod';
import { decodeBech32 } from '../evidence/bech32.js';
import { NAME_LENGTH_MAX } from '../evidence/metadata.js';
import { FLEET_ROLES } from '../evidence/trust.js';
import { ID_PATTERN } from '../units.js';
import { indicatorsSchema } from './indicators.js';
import { wholeNumber } from './whole-number.js';

/** When a changed setting counts: at once, with the next recording, or after a restart of the runtime. */
export type Effect = 'live' | 'next-recording' | 'restart';

/** One row of the table. Everything that code, schema and documents say about a setting comes from here. */
export interface Setting {
  /** Checks a value and fills the default; the only type of the setting. */
  readonly schema: z.ZodType;
  /** Unit of a number; empty for anything else. */
  readonly unit: string;
  /** The allowed values, for people. */
  readonly bounds: string;
  /** Smallest value that policy allows, where policy says anything; a higher value is the stricter one. */
  readonly floor?: number;
  readonly effect: Effect;
  /** One sentence for people. */
  readonly doc: string;
}

const MINUTE_MS = 60_000;
const MIB = 1024 * 1024;

/** Recipients of one file: agency, escrow and a few more. Each adds about 100 bytes to every file's head. */
const RECIPIENTS_MAX = 8;
/** Receivers one camera may meet: the docks of a few sites. */
const RECEIVERS_MAX = 8;
/** Fleet managers of one agency, with a spare each. */
const FLEET_KEYS_MAX = 8;
/** Cameras that one listens to: a team, and as many as other makers allow. */
const PEERS_MAX = 8;
/** `age1`, 52 characters for 32 bytes, 6 of checksum; age writes recipients in lower case only. */
const AGE_RECIPIENT_PATTERN = /^age1[02-9ac-hj-np-z]{58}$/;
const X25519_BYTES = 32;
/** DER of an Ed25519 SubjectPublicKeyInfo (RFC 8410 §4) is 44 bytes: a fixed prefix, then the key. */
const SPKI_PATTERN = /^MCowBQYDK2VwAyEA[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/;
const BROKER_URL_PATTERN =
  /^mqtts?:\/\/(?:[A-Za-z0-9.-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::\d{1,5})?\/?$/;
const PORT_MAX = 65_535;
/** Nobody counts more pulses of a motor. */
const CATEGORIES_MAX = 6;
const CATEGORY_LENGTH_MAX = 40;
/** A year; whoever wants more wants null. */
const RETAIN_HOURS_MAX = 8760;

const id = z.string().regex(ID_PATTERN, {
  error: 'must be 1 to 64 letters, digits and hyphens, not a hyphen first',
});

const recipient = z
  .string()
  .regex(AGE_RECIPIENT_PATTERN, {
    abort: true,
    error: ({ input }) =>
      typeof input === 'string' && /^AGE-SECRET-KEY-/i.test(input)
        ? 'is a secret key, which must never be on a camera; give its recipient (age1…)'
        : 'must be an age X25519 recipient (age1 and 58 more characters)',
  })
  .refine((text) => decodeBech32('age', text)?.length === X25519_BYTES, {
    error: 'has a typing error: the checksum does not fit',
  });

const spki = z.string().regex(SPKI_PATTERN, {
  error: 'must be an Ed25519 public key as base64 of its SubjectPublicKeyInfo',
});

const receiver = z.strictObject({ rx: id, spki }).readonly();

const isUnique = (values: readonly unknown[]): boolean => new Set(values).size === values.length;

const fleetKey = z
  .strictObject({
    id,
    spki,
    roles: z
      .array(z.enum(FLEET_ROLES))
      .min(1, { error: 'must name at least one role' })
      .refine(isUnique, { error: 'names a role twice' })
      .readonly(),
  })
  .readonly();

const peer = z.strictObject({ device: id, spki }).readonly();

const brokerUrl = z
  .string()
  .regex(BROKER_URL_PATTERN, {
    abort: true,
    error: ({ input }) =>
      typeof input === 'string' && input.includes('@')
        ? 'must not carry a user name or password'
        : 'must be mqtt://host[:port] or mqtts://host[:port]',
  })
  .refine((url) => Number(/:(\d+)\/?$/.exec(url)?.[1] ?? 1) <= PORT_MAX, {
    error: `must have a port up to ${PORT_MAX}`,
  });

/** As the sealed metadata takes it. */
const name = z
  .string()
  .min(1, { error: 'must not be empty; null says nothing' })
  .max(NAME_LENGTH_MAX, { error: `must have at most ${NAME_LENGTH_MAX} characters` });

interface NumberFacts {
  readonly min: number;
  readonly max: number;
  readonly unit: string;
  readonly default: number;
  readonly floor?: number;
  readonly effect: Effect;
  readonly doc: string;
}

const number = <const Facts extends NumberFacts>(facts: Facts) => ({
  ...facts,
  bounds: `${facts.min} to ${facts.max}`,
  schema: wholeNumber(facts.min, facts.max, facts.unit).default(facts.default),
});

interface ChoiceFacts {
  readonly values: readonly [string, ...string[]];
  readonly default: string;
  readonly effect: Effect;
  readonly doc: string;
}

const choice = <const Facts extends ChoiceFacts>(facts: Facts) => ({
  unit: '',
  effect: facts.effect,
  doc: facts.doc,
  bounds: facts.values.join(', '),
  schema: z.enum(facts.values as Facts['values']).default(facts.default as never),
});

interface SwitchFacts {
  readonly default: boolean;
  readonly effect: Effect;
  readonly doc: string;
}

const onOff = (facts: SwitchFacts) => ({
  effect: facts.effect,
  doc: facts.doc,
  unit: '',
  bounds: 'true or false',
  schema: z.boolean({ error: 'must be true or false' }).default(facts.default),
});

/** Every setting of a camera. A setting without a default must be given. */
export const settings = {
  deviceId: {
    schema: id,
    unit: '',
    bounds: '1 to 64 letters, digits, hyphens',
    effect: 'restart',
    doc: 'Name of the camera in topics, manifests and the trust file; never given to a second camera.',
  },
  recipients: {
    schema: z
      .array(recipient)
      .min(1, { error: 'must name at least one recipient: footage is never stored in the clear' })
      .max(RECIPIENTS_MAX, { error: `must name at most ${RECIPIENTS_MAX} recipients` })
      .refine(isUnique, { error: 'names a recipient twice' })
      .readonly(),
    unit: '',
    bounds: `1 to ${RECIPIENTS_MAX} age X25519 recipients`,
    effect: 'restart',
    doc: 'Who can read the footage; the camera itself never can.',
  },
  preEventMs: number({
    min: 0,
    max: 2 * MINUTE_MS,
    unit: 'ms',
    default: 30_000,
    floor: 0,
    effect: 'restart',
    doc: 'How much video from before the press a recording begins with.',
  }),
  postEventMs: number({
    min: 0,
    max: 2 * MINUTE_MS,
    unit: 'ms',
    default: 0,
    floor: 0,
    effect: 'restart',
    doc: 'How long recording goes on after it was stopped.',
  }),
  segmentMs: number({
    min: 5_000,
    max: 5 * MINUTE_MS,
    unit: 'ms',
    default: MINUTE_MS,
    effect: 'restart',
    doc: 'Length of a segment, the unit of sealing and upload; cut at the next IDR after it.',
  }),
  audio: onOff({
    default: true,
    effect: 'restart',
    doc: 'Whether sound is recorded, on a board with a microphone.',
  }),
  preEventAudio: onOff({
    default: false,
    effect: 'restart',
    doc: 'Whether sound from before the press is kept and recorded; without it nothing heard before the press ever is.',
  }),
  audioBitrateKbps: number({
    min: 24,
    max: 192,
    unit: 'kbit/s',
    default: 64,
    effect: 'restart',
    doc: 'Bit rate of the sound, AAC-LC of 48 kHz and one channel.',
  }),
  stopHoldMs: number({
    min: 1_000,
    max: 10_000,
    unit: 'ms',
    default: 3_000,
    floor: 3_000,
    effect: 'restart',
    doc: 'How long the record button is held to stop, so that no slip ends a recording.',
  }),
  recordingMsMax: number({
    min: 10 * MINUTE_MS,
    max: 12 * 60 * MINUTE_MS,
    unit: 'ms',
    default: 4 * 60 * MINUTE_MS,
    effect: 'restart',
    doc: 'The longest recording; it goes on under another number then, without a lost frame.',
  }),
  startGesture: choice({
    values: ['press', 'double-press'],
    default: 'press',
    effect: 'restart',
    doc: 'What starts a recording: one press of the record button, or two within 0.6 s.',
  }),
  mute: choice({
    values: ['off', 'held', 'toggle'],
    default: 'off',
    effect: 'restart',
    doc: 'Whether the function button mutes while recording: never (it marks), as long as it is held, or on and off by a press.',
  }),
  stealth: choice({
    values: ['forbidden', 'allowed'],
    default: 'forbidden',
    effect: 'restart',
    doc: 'Whether holding the function button for 3 s may turn lights, motor and tones off; each time is in the log.',
  }),
  sleep: choice({
    values: ['forbidden', 'allowed'],
    default: 'forbidden',
    effect: 'restart',
    doc: 'Whether the wearer may put the camera to sleep, without pre-event: by holding the function button for 3 s, or 8 s where stealth is allowed.',
  }),
  categories: {
    schema: z
      .array(z.string().min(1).max(CATEGORY_LENGTH_MAX))
      .max(CATEGORIES_MAX, { error: `must name at most ${CATEGORIES_MAX} categories` })
      .refine(isUnique, { error: 'names a category twice' })
      .readonly()
      .default([]),
    unit: '',
    bounds: `0 to ${CATEGORIES_MAX} names of up to ${CATEGORY_LENGTH_MAX} characters`,
    effect: 'restart',
    doc: 'Categories that the wearer steps through with the function button after a stop; as many pulses tell which.',
  },
  reserveBytes: number({
    min: 256 * MIB,
    max: 64 * 1024 * MIB,
    unit: 'bytes',
    default: 2 * 1024 * MIB,
    floor: 256 * MIB,
    effect: 'restart',
    doc: 'Free space below which no recording starts; a running one may use it to end well.',
  }),
  reservePercent: number({
    min: 0,
    max: 50,
    unit: '%',
    default: 15,
    floor: 0,
    effect: 'restart',
    doc: 'The same as a part of the whole card; the larger of the two counts.',
  }),
  retainAfterReceiptHours: {
    schema: wholeNumber(0, RETAIN_HOURS_MAX, 'h').nullable().default(null),
    unit: 'h',
    bounds: `null, or 0 to ${RETAIN_HOURS_MAX}`,
    effect: 'restart',
    doc: 'How long footage stays on the card after its receipt; null for as long as there is room. Marked segments and their neighbours, and what is on hold, stay longer; without a receipt nothing ever goes.',
  },
  frameTime: onOff({
    default: true,
    effect: 'restart',
    doc: 'Whether each picture carries its UTC time and whether the clock was sure of it, as an SEI of MISB ST 0604; 1 kB a second.',
  }),
  wearer: {
    schema: name.nullable().default(null),
    unit: '',
    bounds: `null, or up to ${NAME_LENGTH_MAX} characters`,
    effect: 'restart',
    doc: 'Who wears the camera; sealed with every segment, readable by recipients only.',
  },
  mount: {
    schema: name.nullable().default(null),
    unit: '',
    bounds: `null, or up to ${NAME_LENGTH_MAX} characters`,
    effect: 'restart',
    doc: 'Where the camera is worn, as chest or helmet; sealed with every segment.',
  },
  rotation: choice({
    values: ['auto', 'none', 'upside-down'],
    default: 'auto',
    effect: 'restart',
    doc: 'Whether players turn the picture, for a camera worn upside down: auto asks the motion sensor after undocking, where the board says how it is fitted, and turns nothing otherwise.',
  }),
  overlay: onOff({
    default: false,
    effect: 'restart',
    doc: 'Whether camera, wearer and UTC are burnt into the picture, readable by everybody and for good; needs processor time.',
  }),
  brokerUrl: {
    schema: brokerUrl.default('mqtt://127.0.0.1:1883'),
    unit: '',
    bounds: 'mqtt:// or mqtts:// URL',
    effect: 'restart',
    doc: 'The MQTT broker in the dock. mqtts checks the broker against the CAs of the system; client certificates cannot be set yet.',
  },
  receivers: {
    schema: z
      .array(receiver)
      .max(RECEIVERS_MAX, { error: `must name at most ${RECEIVERS_MAX} receivers` })
      .refine((list) => isUnique(list.map(({ rx }) => rx)), { error: 'names a receiver twice' })
      .readonly()
      .default([]),
    unit: '',
    bounds: `0 to ${RECEIVERS_MAX} of {rx, spki}`,
    effect: 'restart',
    doc: 'Receivers whose receipts count, each with its public key; no other receipt frees a byte.',
  },
  localBrokerUrl: {
    schema: brokerUrl.nullable().default(null),
    unit: '',
    bounds: 'null, or mqtt:// or mqtts:// URL',
    effect: 'restart',
    doc: 'The MQTT broker that is reached while undocked, for commands and other cameras; null for brokerUrl. Without remoteStart, peerStart and this, no connection is made.',
  },
  remoteStart: choice({
    values: ['off', 'on'],
    default: 'off',
    effect: 'restart',
    doc: 'Whether a signed command may start a recording; none ever stops one.',
  }),
  fleet: {
    schema: z
      .array(fleetKey)
      .max(FLEET_KEYS_MAX, { error: `must name at most ${FLEET_KEYS_MAX} fleet keys` })
      .refine((list) => isUnique(list.map(({ id: name }) => name)), {
        error: 'names a fleet key twice',
      })
      .readonly()
      .default([]),
    unit: '',
    bounds: `0 to ${FLEET_KEYS_MAX} of {id, spki, roles}`,
    effect: 'restart',
    doc: 'Fleet managers whose signature counts, each with its public key and roles: command to start recordings, config for what is to come.',
  },
  peerStart: choice({
    values: ['off', 'announce', 'follow', 'both'],
    default: 'off',
    effect: 'restart',
    doc: 'Whether the camera tells others that its wearer started, starts when one of peers says so, or both.',
  }),
  peers: {
    schema: z
      .array(peer)
      .max(PEERS_MAX, { error: `must name at most ${PEERS_MAX} peers` })
      .refine((list) => isUnique(list.map(({ device }) => device)), {
        error: 'names a peer twice',
      })
      .readonly()
      .default([]),
    unit: '',
    bounds: `0 to ${PEERS_MAX} of {device, spki}`,
    effect: 'restart',
    doc: 'Other cameras that are listened to, each with its device key.',
  },
  indicators: {
    schema: indicatorsSchema.default({}),
    unit: '',
    bounds: 'rows of the indicator table',
    effect: 'restart',
    doc: 'What lights, vibration and tones say: row by row of the indicator table, within its floors.',
  },
} as const satisfies Record<string, Setting>;

export type SettingKey = keyof typeof settings;

/** Settings that policy bounds from below. */
export type FloorKey = {
  [K in SettingKey]: (typeof settings)[K] extends { readonly floor: number } ? K : never;
}[SettingKey];

import test from 'ava';
import type { ExecutionContext } from 'ava';
import { configJsonSchema, parseConfig } from '../../../src/config/config.js';
import { settings } from '../../../src/config/table.js';
import { CameraError } from '../../../src/errors.js';

/** Made with age-keygen for this test; nobody holds the identity. */
const RECIPIENT = 'age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p';
const SPKI = `MCowBQYDK2VwAyEA${'A'.repeat(43)}=`;
const smallest = { deviceId: 'cam-7', recipients: [RECIPIENT] };

/** The message of the `config/invalid` that a document must be refused with. */
function refusal(t: ExecutionContext, input: unknown, ...rest: [object?]): string {
  const error = t.throws(() => parseConfig(input, ...rest), { instanceOf: CameraError });
  t.is(error.code, 'config/invalid');
  return error.message;
}

test('the smallest configuration gets every default', (t) => {
  t.deepEqual(parseConfig(smallest), {
    ...smallest,
    recordingMsMax: 14_400_000,
    startGesture: 'press',
    mute: 'off',
    stealth: 'forbidden',
    sleep: 'forbidden',
    categories: [],
    audio: true,
    preEventAudio: false,
    audioBitrateKbps: 64,
    preEventMs: 30_000,
    postEventMs: 0,
    segmentMs: 60_000,
    stopHoldMs: 3_000,
    reserveBytes: 2_147_483_648,
    reservePercent: 15,
    retainAfterReceiptHours: null,
    brokerUrl: 'mqtt://127.0.0.1:1883',
    receivers: [],
    indicators: {},
    frameTime: true,
    localBrokerUrl: null,
    remoteStart: 'off',
    fleet: [],
    peerStart: 'off',
    peers: [],
    wearer: null,
    mount: null,
    rotation: 'auto',
    overlay: false,
  });
});

test('text and document give the same', (t) => {
  const document = { ...smallest, preEventMs: 120_000, receivers: [{ rx: 'desk', spki: SPKI }] };
  t.deepEqual(parseConfig(JSON.stringify(document)), parseConfig(document));
});

test('every fault of a configuration is named in one message', (t) => {
  const message = refusal(t, {
    deviceId: '-x',
    recipients: [],
    preEventMs: 120_001,
    segmentMs: '60000',
    stopHoldMs: 1_000,
    colour: 'red',
  });
  t.deepEqual(message.split('; '), [
    'deviceId: must be 1 to 64 letters, digits and hyphens, not a hyphen first',
    'recipients: must name at least one recipient: footage is never stored in the clear',
    'preEventMs: must be a whole number from 0 to 120000 ms',
    'segmentMs: must be a whole number from 5000 to 300000 ms',
    'colour: unknown key',
    'stopHoldMs: is below the policy floor of 3000 ms',
  ]);
});

test('text that is not JSON is refused with its place', (t) => {
  t.is(refusal(t, '{"deviceId": }'), 'not a JSON document, line 1, column 14: expected a value');
});

for (const document of [null, undefined, 7, [], 'null', '[]']) {
  test(`${JSON.stringify(document)} is no configuration`, (t) => {
    t.regex(refusal(t, document), /^the document: expected object/);
  });
}

const numbers = Object.entries(settings).flatMap(([key, setting]) =>
  'min' in setting ? [{ key, ...setting }] : [],
);

for (const { key, min, max, unit, ...row } of numbers) {
  const lowest = 'floor' in row ? row.floor : min;

  test(`${key} takes ${lowest} and ${max} ${unit} and everything between`, (t) => {
    for (const value of [lowest, Math.floor((lowest + max) / 2), max]) {
      t.is((parseConfig({ ...smallest, [key]: value }) as Record<string, unknown>)[key], value);
    }
  });

  test(`${key} is refused just outside its bounds, with the bounds`, (t) => {
    const expected = `${key}: must be a whole number from ${min} to ${max} ${unit}`;
    for (const value of [max + 1, min - 1, min + 0.5, NaN, Infinity, String(min), null]) {
      t.is(refusal(t, { ...smallest, [key]: value }), expected);
    }
  });
}

test('a value within its bounds but below the floor is refused', (t) => {
  t.is(
    refusal(t, { ...smallest, stopHoldMs: 2_999 }),
    'stopHoldMs: is below the policy floor of 3000 ms',
  );
});

test('an image can raise a floor, for given values and for defaults', (t) => {
  const floor = { preEventMs: 60_000 };
  t.is(parseConfig(smallest, floor).preEventMs, 60_000);
  t.is(parseConfig({ ...smallest, preEventMs: 90_000 }, floor).preEventMs, 90_000);
  t.is(
    refusal(t, { ...smallest, preEventMs: 30_000 }, floor),
    'preEventMs: is below the policy floor of 60000 ms',
  );
});

test('an image cannot lower a floor', (t) => {
  t.is(
    refusal(t, { ...smallest, stopHoldMs: 2_000 }, { stopHoldMs: 1_000 }),
    'stopHoldMs: is below the policy floor of 3000 ms',
  );
});

test('a recipient with a typing error is refused, a secret key is recognised and not repeated', (t) => {
  const typo = RECIPIENT.replace('ql3z', 'ql3y');
  const secret = 'AGE-SECRET-KEY-1QQQQ';
  const message = refusal(t, { ...smallest, recipients: [typo, secret, 'x', 1] });
  t.deepEqual(message.split('; '), [
    'recipients[0]: has a typing error: the checksum does not fit',
    'recipients[1]: is a secret key, which must never be on a camera',
    'give its recipient (age1…)',
    'recipients[2]: must be an age X25519 recipient (age1 and 58 more characters)',
    'recipients[3]: expected string, received number',
  ]);
  t.false(message.includes('QQQQ'));
});

test('the same recipient twice is refused', (t) => {
  const recipients = [RECIPIENT, RECIPIENT];
  t.is(refusal(t, { ...smallest, recipients }), 'recipients: names a recipient twice');
});

test('more recipients than a file may have are refused', (t) => {
  const recipients = Array.from({ length: 9 }, () => RECIPIENT);
  t.regex(refusal(t, { ...smallest, recipients }), /recipients: must name at most 8 recipients/);
});

for (const spki of [
  SPKI.replace('MCow', 'MCox'),
  SPKI.slice(0, -1),
  `${SPKI}A`,
  // Not the canonical base64 of 44 bytes: bits beyond the last byte are set.
  SPKI.replace('A=', 'B='),
]) {
  test(`a receiver key ${spki} is refused`, (t) => {
    t.is(
      refusal(t, { ...smallest, receivers: [{ rx: 'desk', spki }] }),
      'receivers[0].spki: must be an Ed25519 public key as base64 of its SubjectPublicKeyInfo',
    );
  });
}

test('two receivers of one name are refused, and more than eight', (t) => {
  const receivers = (count: number, name: (index: number) => string): unknown =>
    Array.from({ length: count }, (_, index) => ({ rx: name(index), spki: SPKI }));
  t.is(
    refusal(t, { ...smallest, receivers: receivers(2, () => 'desk') }),
    'receivers: names a receiver twice',
  );
  t.is(
    refusal(t, { ...smallest, receivers: receivers(9, (index) => `desk-${index}`) }),
    'receivers: must name at most 8 receivers',
  );
});

for (const url of [
  'mqtt://dock',
  'mqtts://dock.example:8883/',
  'mqtt://[::1]:1',
  'mqtt://h:65535',
]) {
  test(`${url} is a broker`, (t) => {
    t.is(parseConfig({ ...smallest, brokerUrl: url }).brokerUrl, url);
  });
}

const badUrls: readonly [url: string, reason: string][] = [
  ['http://dock', 'must be mqtt://host[:port] or mqtts://host[:port]'],
  ['mqtt://', 'must be mqtt://host[:port] or mqtts://host[:port]'],
  ['mqtt://dock/path', 'must be mqtt://host[:port] or mqtts://host[:port]'],
  ['mqtt://user:pass@dock', 'must not carry a user name or password'],
  ['mqtt://dock:65536', 'must have a port up to 65535'],
];
for (const [url, reason] of badUrls) {
  test(`${url} is no broker`, (t) => {
    t.is(refusal(t, { ...smallest, brokerUrl: url }), `brokerUrl: ${reason}`);
  });
}

test('the JSON Schema says what the table says', (t) => {
  const schema = configJsonSchema() as {
    properties: Record<string, Record<string, unknown>>;
    required: string[];
    additionalProperties: boolean;
  };
  t.deepEqual(Object.keys(schema.properties), Object.keys(settings));
  t.deepEqual(schema.required, ['deviceId', 'recipients']);
  t.false(schema.additionalProperties);
  t.like(schema.properties['stopHoldMs'], {
    type: 'integer',
    minimum: 1_000,
    maximum: 10_000,
    default: 3_000,
    floor: 3_000,
    unit: 'ms',
    effect: 'restart',
    description: settings.stopHoldMs.doc,
  });
  t.false(JSON.stringify(schema).includes('readOnly'));
});

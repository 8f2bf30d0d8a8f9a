import { chmod, readFile, stat, writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { recipientOf } from '../../../src/evidence/age-recipients.js';
import { findDevice, parseTrust } from '../../../src/evidence/trust.js';
import { fromSpkiBase64, keyIdOf } from '../../../src/evidence/public-key.js';
import { enrol, init, show } from '../../../src/cli/keys.js';
import { run as doctor } from '../../../src/cli/doctor.js';
import { run as status } from '../../../src/cli/status.js';
import type { Options } from '../../../src/cli/options.js';
import { memoryOutput } from '../../support/memory-output.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

type Verb = typeof init;

/** A verb as a program runs it: exit code and object, taken to be a `T`. */
// eslint-disable-next-line @typescript-eslint/no-unnecessary-type-parameters -- the caller knows the shape
async function json<T>(verb: Verb, options: Options): Promise<{ code: number; result: T }> {
  const output = memoryOutput({ isJson: true });
  const code = await verb([], options, output);
  return { code, result: JSON.parse(output.text()) as T };
}

/** A verb as a person runs it. */
async function text(verb: Verb, options: Options): Promise<string> {
  const output = memoryOutput();
  await verb([], options, output);
  return output.text();
}

interface Made {
  readonly ok: boolean;
  readonly device: string;
  readonly spki: string;
  readonly recipients: readonly string[];
  readonly identity?: string;
  readonly config: string;
}

test('keys init makes a private key, an identity that fits its recipient, and a configuration', async (t) => {
  const data = path.join(await temporaryDirectory(t), 'cam');
  const { code, result } = await json<Made>(init, { data, device: 'cam-1' });
  t.is(code, 0);
  t.true(result.ok);
  t.is(result.device, 'cam-1');
  const identity = await readFile(result.identity ?? '', 'utf8');
  const secret = identity.split('\n').find((line) => line.startsWith('AGE-SECRET-KEY-')) ?? '';
  t.deepEqual(result.recipients, [recipientOf(secret)]);
  const config = JSON.parse(await readFile(result.config, 'utf8')) as object;
  const expected = { deviceId: 'cam-1', recipients: result.recipients, receivers: [] };
  t.deepEqual(config, expected);
  for (const file of [path.join(data, 'internal', 'device.key'), result.identity ?? '']) {
    t.is((await stat(file)).mode & 0o777, 0o600, file);
  }
  const shown = await json<Made & { keyId: string }>(show, { data });
  t.is(shown.result.spki, result.spki);
  t.is(shown.result.keyId, keyIdOf(fromSpkiBase64(result.spki)));
  t.deepEqual(shown.result.recipients, result.recipients);
});

test('with recipients given no identity is made', async (t) => {
  const dir = await temporaryDirectory(t);
  const other = await json<Made>(init, { data: path.join(dir, 'a'), device: 'a' });
  const recipient = [...other.result.recipients];
  const made = await json<Made>(init, { data: path.join(dir, 'b'), device: 'b', recipient });
  t.deepEqual(made.result.recipients, recipient);
  t.is(made.result.identity, undefined);
});

test('enrol makes camera, receiver and trust file know each other, twice as well as once', async (t) => {
  const dir = await temporaryDirectory(t);
  const [data, store] = [path.join(dir, 'cam'), path.join(dir, 'store')];
  const trust = path.join(dir, 'sub', 'trust.json');
  const camera = await json<Made>(init, { data, device: 'cam-1' });
  const receiver = await json<{ rx: string; spki: string; key: string }>(
    ...([init, { receiver: 'rx1', store }] as const),
  );
  t.is(receiver.result.rx, 'rx1');
  t.is((await stat(receiver.result.key)).mode & 0o777, 0o600);
  for (let n = 0; n < 2; n += 1) {
    const { result } = await json(enrol, { data, store, trust });
    t.deepEqual(result, { ok: true, device: 'cam-1', rx: 'rx1', trust });
  }
  const parsed = parseTrust(await readFile(trust, 'utf8'));
  t.deepEqual(findDevice(parsed, 'cam-1'), fromSpkiBase64(camera.result.spki));
  const { result: shown } = await json<{ receivers: object[] }>(show, { data });
  t.deepEqual(shown.receivers, [{ rx: 'rx1', spki: receiver.result.spki }]);
  const { result: shownRx } = await json(show, { store });
  t.deepEqual(shownRx, { ok: true, rx: 'rx1', spki: receiver.result.spki });
});

test('enrol without a store only adds the camera to the trust file', async (t) => {
  const dir = await temporaryDirectory(t);
  const [data, trust] = [path.join(dir, 'cam'), path.join(dir, 'trust.json')];
  await text(init, { data, device: 'cam-1' });
  const { result } = await json(enrol, { data, trust });
  t.deepEqual(result, { ok: true, device: 'cam-1', rx: null, trust });
  t.is(parseTrust(await readFile(trust, 'utf8')).receivers.length, 0);
});

test('people are told whose key it is and what to keep where; never a private key', async (t) => {
  const dir = await temporaryDirectory(t);
  const [data, store] = [path.join(dir, 'cam'), path.join(dir, 'store')];
  const said = [
    await text(init, { data, device: 'cam-1' }),
    await text(init, { receiver: 'rx1', store }),
    await text(enrol, { data, store, trust: path.join(dir, 'trust.json') }),
    await text(show, { data }),
    await text(show, { store }),
  ];
  t.regex(said[0] ?? '', /^camera cam-1: MCow[\s\S]*move it off the camera\n$/);
  t.regex(said[1] ?? '', /^receiver rx1: MCow[\s\S]*receiver\.key; keep it on this machine\n$/);
  t.regex(said[2] ?? '', /^camera cam-1 is in .*\ncamera cam-1 believes receipts of rx1\n$/);
  t.regex(said[3] ?? '', /key id [0-9a-f]{16}\)\nfootage is readable for age1.*\nreceipts are/);
  t.regex(said[4] ?? '', /^receiver rx1: MCow/);
  const seed = (await readFile(path.join(data, 'internal', 'device.key'), 'utf8')).trim();
  t.false(said.some((each) => each.includes(seed) || each.includes('AGE-SECRET-KEY')));
});

interface Findings {
  readonly ok: boolean;
  readonly board: string;
  readonly findings: readonly { part: string; ok: boolean; detail: string }[];
}

test.serial(
  'doctor finds a simulated board and a fresh camera well, with pictures from the encoder',
  async (t) => {
    t.timeout(120_000);
    const data = path.join(await temporaryDirectory(t), 'cam');
    await text(init, { data, device: 'cam-1' });
    const { code, result } = await json<Findings>(doctor, { board: 'sim', data });
    const failed = result.findings.filter(({ ok }) => !ok);
    t.deepEqual(failed, []);
    t.is(code, 0);
    t.true(result.ok);
    const detail = (part: string): string =>
      result.findings.find((finding) => finding.part === part)?.detail ?? '';
    const parts = [
      ...['node', 'pipeline', 'camera', 'microphone', 'buttons.record', 'buttons.function'],
      ...['leds.record', 'leds.status', 'leds.fault', 'vibration', 'imu', 'gnss', 'dock'],
      ...['power', 'thermal', 'clock'],
      ...['keys', 'config', 'card', 'recording'],
    ];
    t.deepEqual(
      result.findings.map(({ part }) => part),
      parts,
    );
    t.true(Number.parseInt(detail('camera')) > 60, detail('camera'));
    t.regex(detail('camera'), /an IDR every 1\.00 s/);
    t.regex(detail('microphone'), /^\d+ frames of sound in 4 s/);
    t.regex(detail('recording'), /^\d+ pictures recorded, sealed, verified and decoded$/);
    t.is(detail('config'), 'cam-1, 1 recipients, 0 receivers');
  },
);

test.serial(
  'doctor tells every fault at once and ends with 1: an open key, a faulty configuration, no broker',
  async (t) => {
    t.timeout(120_000);
    const data = path.join(await temporaryDirectory(t), 'cam');
    await text(init, { data, device: 'cam-1' });
    await chmod(path.join(data, 'internal', 'device.key'), 0o644);
    await writeFile(path.join(data, 'internal', 'config.json'), '{}');
    const output = memoryOutput();
    const options = { board: 'sim', data, broker: 'mqtt://127.0.0.1:1' };
    t.is(await doctor([], options, output), 1);
    t.regex(output.text(), /^FAIL keys +keys\/permissions: .* mode 644: .* chmod 600\.$/m);
    t.regex(output.text(), /^FAIL config +config\/invalid: deviceId: /m);
    t.regex(output.text(), /^FAIL broker +sync\/no-broker: /m);
    t.regex(output.text(), /^ok {3}camera /m, 'what is well is told beside it');
  },
);

test.serial(
  'doctor on a directory without a camera says how to make one and makes nothing',
  async (t) => {
    t.timeout(120_000);
    const data = path.join(await temporaryDirectory(t), 'cam');
    const { code, result } = await json<Findings>(doctor, { board: 'sim', data });
    t.is(code, 1);
    const failed = result.findings.filter(({ ok }) => !ok).map(({ part }) => part);
    t.deepEqual(failed, ['keys', 'config', 'card']);
    for (const { ok, detail } of result.findings) t.true(ok || detail.includes('lapel keys init'));
    await t.throwsAsync(() => stat(data), { code: 'ENOENT' });
  },
);

test('status of a camera that never ran says so', async (t) => {
  const data = path.join(await temporaryDirectory(t), 'cam');
  await text(init, { data, device: 'cam-1' });
  t.regex(
    await text(status, { data }),
    /^camera cam-1 is not running\ncard: .*not run on this card/,
  );
});

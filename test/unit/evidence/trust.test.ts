import { randomBytes } from 'node:crypto';
import test from 'ava';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import {
  emptyTrust,
  findDevice,
  findReceiver,
  formatTrust,
  listDeviceKeys,
  parseTrust,
  withDevice,
  withReceiver,
} from '../../../src/evidence/trust.js';

const key = randomBytes(32);
const spki = toSpkiBase64(key);
const trust = withReceiver(withDevice(emptyTrust(), 'cam-1', spki), 'rx1', spki);

test('devices and receivers are found by their id, strangers are not', (t) => {
  t.deepEqual(findDevice(trust, 'cam-1'), key);
  t.deepEqual(findReceiver(trust, 'rx1'), key);
  t.is(findDevice(trust, 'rx1'), undefined);
  t.is(findReceiver(trust, 'cam-1'), undefined);
  t.deepEqual(listDeviceKeys(trust), [key]);
});

test('a trust file reads back as it was written', (t) => {
  t.deepEqual(parseTrust(formatTrust(trust)), trust);
  t.true(formatTrust(trust).endsWith('}\n'));
});

test('adding a party again replaces its key and leaves the given trust alone', (t) => {
  const other = randomBytes(32);
  const changed = withDevice(trust, 'cam-1', toSpkiBase64(other));
  t.deepEqual(findDevice(changed, 'cam-1'), other);
  t.is(changed.devices.length, 1);
  t.deepEqual(findDevice(trust, 'cam-1'), key);
  const receivers = withReceiver(withReceiver(trust, 'rx1', spki), 'rx2', spki);
  t.deepEqual(
    receivers.receivers.map(({ rx }) => rx),
    ['rx1', 'rx2'],
  );
});

test('a bad id or key, a party twice or another shape is malformed', (t) => {
  const device = { device: 'cam-1', spki };
  const bad: unknown[] = [
    [],
    { v: 2, devices: [], receivers: [] },
    { v: 1, devices: [] },
    { v: 1, devices: [], receivers: [], more: 1 },
    { v: 1, devices: [device, device], receivers: [] },
    { v: 1, devices: [{ ...device, spki: 'AAAA' }], receivers: [] },
    { v: 1, devices: [], receivers: [{ rx: '_rx', spki }] },
    {
      v: 1,
      devices: [],
      receivers: [
        { rx: 'a', spki },
        { rx: 'a', spki },
      ],
    },
  ];
  for (const value of bad) {
    t.throws(() => parseTrust(JSON.stringify(value)), { code: 'evidence/malformed' });
  }
  t.throws(() => parseTrust('{'), { code: 'evidence/malformed' });
  t.throws(() => withDevice(trust, 'a b', spki), { code: 'evidence/malformed' });
  t.throws(() => withReceiver(trust, 'rx', 'AAAA'), { code: 'evidence/malformed' });
});

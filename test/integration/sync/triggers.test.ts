import { randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { command } from '../../../src/cli/fleet.js';
import { toSpkiBase64 } from '../../../src/evidence/public-key.js';
import { NodeFileSystem } from '../../../src/hal/linux/node-file-system.js';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { KeyFile } from '../../../src/storage/keys.js';
import { TriggerLink } from '../../../src/sync/device/trigger-link.js';
import { startEmbeddedBroker } from '../../../src/sync/embedded-broker.js';
import { sendCommand } from '../../../src/sync/fleet-command.js';
import { connectMqtt } from '../../../src/sync/mqtt-client.js';
import type { MqttConnection } from '../../../src/sync/ports.js';
import { commandTopic, peerTopic } from '../../../src/sync/topics.js';
import { decodePeerNotice } from '../../../src/sync/trigger-messages.js';
import { memoryOutput } from '../../support/memory-output.js';
import { brokerKinds } from '../../support/sync/brokers.js';
import { FieldCamera, team } from '../../support/sync/field-camera.js';
import { makeDevice, makeSigner } from '../../support/sync/sealed-segment.js';
import {
  commandBytes,
  makeCast,
  noticeBytes,
  startFor,
  wall,
} from '../../support/sync/triggers.js';
import { quiet } from '../../support/sync/station.js';
import { waitUntil } from '../../support/sync/wait-until.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** A message has gone through a broker of this process and been judged long before. */
const SETTLE_MS = 600;

async function connect(t: ExecutionContext, url: string): Promise<MqttConnection> {
  const clientId = `x${randomBytes(6).toString('hex')}`;
  const clock = new SystemClock();
  const connection = await connectMqtt({ url, clientId, clock, logger: quiet });
  t.teardown(() => connection.close());
  return connection;
}

async function embeddedBroker(t: ExecutionContext): Promise<string> {
  const broker = await startEmbeddedBroker();
  t.teardown(() => broker.close());
  return broker.url;
}

const get = (cameras: Record<string, FieldCamera>, device: string): FieldCamera => {
  const camera = cameras[device];
  if (camera === undefined) throw new Error(`no camera ${device}`);
  return camera;
};

test.serial(
  'one press starts the cameras around that follow, and nobody tells it on',
  async (t) => {
    const url = await embeddedBroker(t);
    const cameras = await team(t, url, { a: 'both', b: 'both', c: 'follow', d: 'off' });
    const [a, b, c, d] = ['a', 'b', 'c', 'd'].map((name) => get(cameras, name));
    if (!a || !b || !c || !d) return;
    const before = performance.now();
    await a.hands('press record');
    await waitUntil('b and c record', () => b.mode === 'recording' && c.mode === 'recording');
    for (const follower of [b, c]) {
      const took = (follower.started[0]?.at ?? Infinity) - before;
      t.log(`started ${took.toFixed(0)} ms after the press on the other camera`);
      t.is(follower.started[0]?.trigger, 'peer');
    }
    await sleep(SETTLE_MS);
    t.is(d.mode, 'buffering', 'off is off');
    t.deepEqual(d.judged, ['peer trigger/forbidden']);
    t.deepEqual(
      [a.judged, b.judged],
      [[], ['peer taken']],
      'b was started by a and did not tell it',
    );
    t.deepEqual(a.outcomes, ['record started']);

    await b.hands('hold record 3100ms');
    t.is(b.mode, 'recording', 'a still records: the stop must be confirmed');
    // A finger that comes back at once would be a bounce.
    await sleep(SETTLE_MS);
    await b.hands('hold record 3100ms');
    t.is(b.mode, 'buffering');

    await a.hands('hold record 3100ms');
    await waitUntil('c has heard that a ended', () => c.judged.length === 2);
    await sleep(SETTLE_MS);
    t.is(c.mode, 'recording', 'the stop of another camera stops nothing here');
    await c.hands('hold record 3100ms');
    t.is(c.mode, 'buffering', 'and takes the confirmation away');
    await waitUntil('it is sealed', async () => (await c.recordedBy()).length === 1);
    t.deepEqual(await c.recordedBy(), ['peer']);

    for (const camera of [a, b, c, d]) await camera.close();
    t.deepEqual(a.triggers(), []);
    t.deepEqual(
      c.triggers().map(({ op, by, code }) => [op, by, code]),
      [
        ['start', 'a', null],
        ['stop', 'a', null],
      ],
    );
    t.like(d.triggers()[0], { op: 'start', by: 'a', code: 'trigger/forbidden' });
    t.true(b.presses().includes('record refused-guarded'));
    t.deepEqual(c.presses(), ['peer started', 'record stopped']);
  },
);

test.serial(
  'no unknown, unsigned, late, early, repeated or foreign word of another camera starts anything',
  async (t) => {
    const url = await embeddedBroker(t);
    const peer = makeDevice('cam-2');
    const impostor = makeDevice('cam-2');
    const unknown = makeDevice('cam-3');
    const camera = await FieldCamera.open(t, {
      device: 'cam-1',
      data: await temporaryDirectory(t),
      config: {
        localBrokerUrl: url,
        peerStart: 'follow',
        peers: [{ device: 'cam-2', spki: toSpkiBase64(peer.deviceKey.publicKey) }],
      },
    });
    await camera.connected();
    const stranger = await connect(t, url);
    const now = Date.now();
    const say = (payload: Buffer, device = 'cam-2'): Promise<void> =>
      stranger.publish(peerTopic(device), payload, { qos: 1 });
    await say(Buffer.from('{"v":1,"event":"start","device":"cam-2"}'));
    await say(noticeBytes(impostor, {}, { now }));
    await say(noticeBytes(peer, {}, { now, session: impostor.session }));
    await say(noticeBytes(peer, {}, { now: now - 120_000 }));
    await say(noticeBytes(peer, {}, { now: now + 120_000 }));
    await say(noticeBytes(peer, { device: 'cam-9' }, { now }));
    await say(Buffer.alloc(9_000, 0x7b));
    await say(noticeBytes(unknown, {}, { now }), 'cam-3');
    await waitUntil('all are judged', () => camera.judged.length === 7);
    await sleep(SETTLE_MS);
    t.is(camera.mode, 'buffering');
    const good = noticeBytes(peer, {}, { now });
    await say(good);
    await waitUntil('the good one starts', () => camera.mode === 'recording');
    await say(good);
    await waitUntil('the replay is judged', () => camera.judged.length === 9);
    await sleep(SETTLE_MS);
    t.deepEqual(camera.outcomes, ['peer started'], 'the replay did not even mark');
    await camera.close();
    t.deepEqual(
      camera.triggers().map(({ by, code }) => [by, code]),
      [
        [null, 'trigger/unsigned'],
        [null, 'trigger/unknown-key'],
        [null, 'trigger/unsigned'],
        ['cam-2', 'trigger/expired'],
        ['cam-2', 'trigger/early'],
        ['cam-2', 'trigger/malformed'],
        [null, 'trigger/too-large'],
        ['cam-2', null],
        ['cam-2', 'trigger/replayed'],
      ],
    );
  },
);

test.serial(
  'a signed command starts once, also over a restart, and everything else is refused with its code',
  async (t) => {
    const url = await embeddedBroker(t);
    const [fleet, clerk, stranger] = [makeSigner(), makeSigner(), makeSigner()];
    const deviceKey = makeSigner();
    const data = await temporaryDirectory(t);
    const config = {
      localBrokerUrl: url,
      remoteStart: 'on',
      fleet: [
        { id: 'fleet-1', spki: toSpkiBase64(fleet.publicKey), roles: ['command'] },
        { id: 'clerk', spki: toSpkiBase64(clerk.publicKey), roles: ['config'] },
      ],
    };
    const options = { device: 'cam-1', data, deviceKey, config };
    const first = await FieldCamera.open(t, options);
    await first.connected();
    const connection = await connect(t, url);
    const say = (payload: Buffer): Promise<void> =>
      connection.publish(commandTopic('cam-1'), payload, { qos: 1 });
    const now = Date.now();
    const good = commandBytes(fleet, { expires: now + 600_000 }, now);
    await say(Buffer.from('start'));
    await say(commandBytes(stranger, {}, now));
    await say(commandBytes(clerk, {}, now));
    await say(commandBytes(fleet, { target: { device: 'cam-2' } }, now));
    await say(commandBytes(fleet, {}, now - 120_000));
    await say(commandBytes(fleet, { op: 'stop' }, now));
    await say(Buffer.alloc(5_000, 0x20));
    await waitUntil('all are judged', () => first.judged.length === 7);
    t.is(first.mode, 'buffering');
    await say(good);
    await waitUntil('the good one starts', () => first.mode === 'recording');
    await say(commandBytes(fleet, { op: 'stop' }, now));
    await say(good);
    await waitUntil('the rest is judged', () => first.judged.length === 10);
    await sleep(SETTLE_MS);
    t.is(first.mode, 'recording', 'no command stops');
    t.deepEqual(first.outcomes, ['command started']);
    await first.close();
    const codes = first.triggers().map(({ code }) => code);
    t.deepEqual(codes, [
      'trigger/unsigned',
      'trigger/unknown-key',
      'trigger/wrong-role',
      'trigger/other-device',
      'trigger/expired',
      'trigger/forbidden',
      'trigger/too-large',
      null,
      'trigger/forbidden',
      'trigger/replayed',
    ]);
    t.like(first.triggers()[7], { kind: 'command', op: 'start', by: 'fleet-1', key: fleet.keyId });

    const second = await FieldCamera.open(t, options);
    await second.connected();
    t.deepEqual(await second.recordedBy(), ['command']);
    await say(good);
    await waitUntil('the old one is judged', () => second.judged.length === 1);
    await sleep(SETTLE_MS);
    t.deepEqual(second.judged, ['command trigger/replayed']);
    t.is(second.mode, 'buffering');
  },
);

test.serial(
  'a broker that dies disturbs no recording, and commands come through when it is back',
  async (t) => {
    let broker = await startEmbeddedBroker();
    t.teardown(() => broker.close());
    const { url } = broker;
    const dir = await temporaryDirectory(t);
    const key = path.join(dir, 'fleet.key');
    const fleet = await new KeyFile(new NodeFileSystem(), key).make();
    const camera = await FieldCamera.open(t, {
      device: 'cam-1',
      data: path.join(dir, 'cam'),
      config: {
        localBrokerUrl: url,
        remoteStart: 'on',
        peerStart: 'both',
        fleet: [{ id: 'fleet-1', spki: toSpkiBase64(fleet.publicKey), roles: ['command'] }],
      },
    });
    await camera.connected();
    await camera.hands('press record');
    await broker.close();
    const { frames } = camera.camera.recorder.status();
    await sleep(2_000);
    const after = camera.camera.recorder.status();
    t.is(after.mode, 'recording');
    t.true(after.isDurable);
    t.true(after.frames - frames >= 50, `${after.frames - frames} pictures in 2 s`);
    const sent = { device: 'cam-1', key, broker: url };
    await t.throwsAsync(command(['start'], sent, memoryOutput()), { code: 'sync/no-broker' });
    broker = await startEmbeddedBroker({ port: Number(new URL(url).port) });
    await camera.connected();
    const output = memoryOutput({ isJson: true });
    t.is(await command(['start'], sent, output), 0);
    t.deepEqual(JSON.parse(output.text()), {
      ...{ ok: true, device: 'cam-1', op: 'start', result: 'mark' },
    });
  },
);

test.serial(
  'lapel fleet command says each step and what it came to, and why not with the code of the camera',
  async (t) => {
    const url = await embeddedBroker(t);
    const dir = await temporaryDirectory(t);
    const key = path.join(dir, 'fleet.key');
    const other = path.join(dir, 'other.key');
    const files = new NodeFileSystem();
    const fleet = await new KeyFile(files, key).make();
    await new KeyFile(files, other).make();
    await mkdir(path.join(dir, 'cam'));
    const config = {
      localBrokerUrl: url,
      fleet: [{ id: 'fleet-1', spki: toSpkiBase64(fleet.publicKey), roles: ['command'] }],
    };
    const data = path.join(dir, 'cam');
    const options = { device: 'cam-1', data, config: { ...config, remoteStart: 'on' } };
    const camera = await FieldCamera.open(t, options);
    await camera.connected();
    const sent = { device: 'cam-1', key, broker: url };
    const output = memoryOutput();
    t.is(await command(['start'], sent, output), 0);
    t.is(output.text(), 'cam-1: started\n');
    t.is(output.errors(), `sent to cam-1, signed by key ${fleet.keyId}\ncam-1 has received it\n`);
    t.is(camera.mode, 'recording');
    const refused = { ...sent, key: other };
    await t.throwsAsync(command(['start'], refused, memoryOutput()), {
      code: 'trigger/unknown-key',
    });
    await t.throwsAsync(command(['stop'], sent, memoryOutput()), {
      code: 'cli/usage',
      message: 'stop is no command; there is: start',
    });
    await t.throwsAsync(command(['start'], { ...sent, device: 'a/b' }, memoryOutput()), {
      code: 'cli/usage',
    });
    await t.throwsAsync(command(['start'], { ...sent, device: 'cam-9', wait: 1 }, memoryOutput()), {
      code: 'trigger/no-answer',
      message: 'cam-9 did not answer within 3000 ms',
    });
    await camera.close();
    const off = await FieldCamera.open(t, {
      ...options,
      config: { ...config, remoteStart: 'off' },
    });
    await off.connected();
    await t.throwsAsync(command(['start'], sent, memoryOutput()), {
      code: 'trigger/forbidden',
      message: 'cam-1 refused it: remoteStart is off',
    });
    t.is(off.mode, 'buffering');
  },
);

test.serial(
  'a camera whose configuration wants neither commands nor peers makes no connection',
  async (t) => {
    const camera = await FieldCamera.open(t, {
      device: 'cam-1',
      data: await temporaryDirectory(t),
    });
    t.is((await camera.camera.status()).triggers, null);
  },
);

for (const kind of brokerKinds) {
  test.serial(`commands and notices go through the ${kind.name}`, async (t) => {
    const { url } = await kind.start(t);
    const clock = new SystemClock();
    const open = async (clientId: string): Promise<MqttConnection> => {
      const options = { url, clientId, clock, logger: quiet, protocolVersion: kind.version };
      const connection = await connectMqtt(options);
      t.teardown(() => connection.close());
      return connection;
    };
    const { policy, fleet, peer } = makeCast();
    const spent = new Set<string>();
    const started: string[] = [];
    const link = (device: string): TriggerLink => {
      const made = new TriggerLink(
        { ...policy, device, peers: device === 'cam-1' ? policy.peers : [] },
        {
          ...{ clock, logger: quiet, wallTime: () => wall(Date.now()) },
          connect: () => open(`t-${device}`),
          ledger: {
            take: ({ nonce }) => Promise.resolve(spent.size < spent.add(nonce).size),
            refuse: () => Promise.resolve(),
          },
        },
        {
          start: (trigger) => {
            started.push(`${device} by ${trigger.kind} ${trigger.by}`);
            return Promise.resolve({ isDone: true, word: 'started' });
          },
          peerStopped: (by) => started.push(`${device}: ${by} stopped`),
        },
      );
      t.teardown(() => made.close());
      made.start();
      return made;
    };
    const [one, two] = [link('cam-1'), link('cam-2')];
    await waitUntil(
      'both are connected',
      () => one.status().isConnected && two.status().isConnected,
    );
    // Subscribed as well.
    await sleep(SETTLE_MS);
    const sender = await open('fleet');
    const command = startFor(fleet, {}, Date.now());
    const states: string[] = [];
    const note = ({ state }: { state: string }): unknown => states.push(state);
    const answer = await sendCommand(sender, command, clock, 5_000, note);
    t.like(answer, { state: 'done', result: 'started' });
    t.deepEqual(states, ['received']);
    for (const event of ['start', 'stop'] as const) {
      const payload = noticeBytes(peer, { event }, { now: Date.now() });
      t.true(await two.announce(decodePeerNotice(payload)));
    }
    await waitUntil('the notices are through', () => started.length === 3);
    t.deepEqual(started, [
      'cam-1 by command fleet-1',
      'cam-1 by peer cam-2',
      'cam-1: cam-2 stopped',
    ]);
    t.deepEqual(one.status().refused, {});
  });
}

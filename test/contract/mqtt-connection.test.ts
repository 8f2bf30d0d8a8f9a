import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import net from 'node:net';
import path from 'node:path';
import test from 'ava';
import type { ExecutionContext } from 'ava';
import { CameraError } from '../../src/errors.js';
import { startEmbeddedBroker } from '../../src/sync/embedded-broker.js';
import { connectMqtt } from '../../src/sync/mqtt-client.js';
import type { ConnectOptions } from '../../src/sync/mqtt-client.js';
import type { MqttConnection, Will } from '../../src/sync/ports.js';
import { brokerKinds } from '../support/sync/brokers.js';
import type { BrokerKind } from '../support/sync/brokers.js';
import { FastClock } from '../support/sync/fast-clock.js';
import { Mosquitto } from '../support/sync/mosquitto.js';
import { quiet } from '../support/sync/station.js';
import { tempDir } from '../support/sync/temp-dir.js';
import { waitUntil } from '../support/sync/wait-until.js';

/** A time-out of ten seconds passes in one. */
const clock = new FastClock(10);

async function connect(
  t: ExecutionContext,
  options: Partial<ConnectOptions> & Pick<ConnectOptions, 'url'>,
): Promise<MqttConnection> {
  const clientId = `c${Math.random().toString(16).slice(2, 10)}`;
  const connection = await connectMqtt({ clientId, clock, logger: quiet, ...options });
  t.teardown(() => connection.close());
  return connection;
}

/** Everything a connection hears, as `topic=text`. */
function listen(connection: MqttConnection): string[] {
  const heard: string[] = [];
  connection.onMessage((topic, payload) => heard.push(`${topic}=${payload.toString()}`));
  return heard;
}

function contract(
  title: string,
  run: (t: ExecutionContext, kind: BrokerKind) => Promise<void>,
): void {
  for (const kind of brokerKinds) {
    test(`${title} (${kind.name})`, (t) => run(t, kind));
  }
}

contract('messages of both qualities arrive in order and unchanged', async (t, kind) => {
  const { url } = await kind.start(t);
  const a = await connect(t, { url, protocolVersion: kind.version });
  const b = await connect(t, { url, protocolVersion: kind.version });
  const heard = listen(b);
  await b.subscribe({ 'x/+/z': 1, 'x/0/q': 0 });
  await a.publish('x/1/z', Buffer.from('one'), { qos: 1 });
  await a.publish('x/0/q', Buffer.from('two'), { qos: 0 });
  await a.publish('y', Buffer.from('no'), { qos: 1 });
  await a.publish('x/2/z', Buffer.from('three'), { qos: 1 });
  await waitUntil('all are heard', () => heard.length >= 3);
  t.deepEqual(heard, ['x/1/z=one', 'x/0/q=two', 'x/2/z=three']);
});

contract('a retained message waits for whoever subscribes later', async (t, kind) => {
  const { url } = await kind.start(t);
  const a = await connect(t, { url, protocolVersion: kind.version });
  await a.publish('s', Buffer.from('kept'), { qos: 1, retain: true });
  const b = await connect(t, { url, protocolVersion: kind.version });
  const heard = listen(b);
  await b.subscribe({ s: 1 });
  await waitUntil('it is heard', () => heard.length > 0);
  t.deepEqual(heard, ['s=kept']);
});

contract('the will is said when a connection breaks, not when it is closed', async (t, kind) => {
  const { url } = await kind.start(t);
  const watcher = await connect(t, { url, protocolVersion: kind.version });
  const heard = listen(watcher);
  await watcher.subscribe({ 'will/+': 1 });
  const will = (name: string): Will => ({
    topic: `will/${name}`,
    payload: Buffer.from('lost'),
    retain: false,
  });
  const closed = await connect(t, { url, protocolVersion: kind.version, will: will('closed') });
  await closed.close();
  const same = { url, clientId: 'twice', protocolVersion: kind.version };
  await connect(t, { ...same, will: will('broken') });
  // A second connection under the same id ends the first without a goodbye.
  await connect(t, same);
  await waitUntil('the will is heard', () => heard.length > 0);
  t.deepEqual(heard, ['will/broken=lost']);
});

contract('after the broker died the connection comes back, subscribed again', async (t, kind) => {
  const broker = await kind.start(t);
  const { url } = broker;
  const a = await connect(t, { url, protocolVersion: kind.version });
  const states: boolean[] = [];
  a.onConnected((isConnected) => states.push(isConnected));
  const heard = listen(a);
  await a.subscribe({ one: 1 });
  await a.subscribe({ two: 0 });
  await broker.kill();
  await waitUntil('the loss is noticed', () => states.length === 2);
  for (const qos of [0, 1] as const) {
    await t.throwsAsync(a.publish('one', Buffer.from('x'), { qos }), {
      instanceOf: CameraError,
      code: 'sync/lost-connection',
    });
  }
  await broker.restart();
  await waitUntil('it is back', () => states.length === 3);
  t.deepEqual(states, [true, false, true]);
  await a.publish('one', Buffer.from('1'), { qos: 1 });
  await a.publish('two', Buffer.from('2'), { qos: 1 });
  await waitUntil('both are heard', () => heard.length >= 2);
  t.deepEqual(heard, ['one=1', 'two=2']);
});

contract('a publish under way when the broker dies is rejected', async (t, kind) => {
  const broker = await kind.start(t);
  const a = await connect(t, { url: broker.url, protocolVersion: kind.version });
  const results = Promise.allSettled(
    Array.from({ length: 200 }, () => a.publish('bulk', Buffer.alloc(65_000), { qos: 1 })),
  );
  await broker.kill();
  const codes = (await results).flatMap((result) =>
    result.status === 'rejected' ? [(result.reason as CameraError).code] : [],
  );
  t.true(codes.length > 0);
  t.true(codes.every((code) => code === 'sync/lost-connection'));
});

contract('a closed connection calls nobody back and refuses to publish', async (t, kind) => {
  const broker = await kind.start(t);
  const a = await connect(t, { url: broker.url, protocolVersion: kind.version });
  const states: boolean[] = [];
  a.onConnected((isConnected) => states.push(isConnected));
  await a.close();
  await a.close();
  await broker.kill();
  await t.throwsAsync(a.publish('x', Buffer.from('x'), { qos: 0 }), {
    code: 'sync/lost-connection',
  });
  t.deepEqual(states, [true]);
});

test('without a broker the error names the URL and the reason, but no password', async (t) => {
  const broker = await startEmbeddedBroker();
  await broker.close();
  const url = broker.url.replace('mqtt://', 'mqtt://agent:s3cret@');
  const started = performance.now();
  const error = await t.throwsAsync(connect(t, { url }), {
    instanceOf: CameraError,
    code: 'sync/no-broker',
  });
  t.regex(error.message, /agent@127\.0\.0\.1:\d+.*ECONNREFUSED/);
  t.false(error.message.includes('s3cret'));
  t.true(performance.now() - started < 10_000);
});

test('a URL of another scheme is refused and, as it may hold a password, not repeated', async (t) => {
  for (const url of ['http://u:s3cret@host', 'host:1883', 'mqtt://', 'mqtt:/s3cret', '']) {
    const error = await t.throwsAsync(connect(t, { url }), { code: 'sync/no-broker' });
    t.false(error.message.includes('s3cret'));
  }
});

test('the embedded broker refuses MQTT 5 and the error says why', async (t) => {
  const broker = await startEmbeddedBroker();
  t.teardown(() => broker.close());
  await t.throwsAsync(connect(t, { url: broker.url, protocolVersion: 5 }), {
    code: 'sync/no-broker',
    message: /protocol version/i,
  });
});

test('a second embedded broker on the same port is refused', async (t) => {
  const broker = await startEmbeddedBroker();
  t.teardown(() => broker.close());
  const port = Number(new URL(broker.url).port);
  await t.throwsAsync(startEmbeddedBroker({ port }), {
    code: 'sync/refused',
    message: /EADDRINUSE/,
  });
});

/** A TCP server that is no broker: it answers the first packet with `answer` and says nothing more. */
async function mute(
  t: ExecutionContext,
  answer: Buffer,
  onAnswered: (socket: net.Socket) => void = () => undefined,
): Promise<string> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => {
      socket.write(answer);
      onAnswered(socket);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.teardown(() => server.close());
  return `mqtt://127.0.0.1:${(server.address() as net.AddressInfo).port}`;
}

test('a broker that does not answer is given up within its time-out', async (t) => {
  const url = await mute(t, Buffer.alloc(0));
  const started = performance.now();
  const expected = { code: 'sync/no-broker', message: /no answer within 10000 ms/ };
  await t.throwsAsync(connect(t, { url }), expected);
  t.true(performance.now() - started < 10_000);
});

test('what a broker never answers times out', async (t) => {
  const accepted = Buffer.from([0x20, 2, 0, 0]);
  const a = await connect(t, { url: await mute(t, accepted) });
  const timeout = { instanceOf: CameraError, code: 'sync/timeout' };
  await t.throwsAsync(a.publish('x', Buffer.from('x'), { qos: 1 }), timeout);
  await t.throwsAsync(a.subscribe({ x: 1 }), timeout);
});

test('a publish at QoS 0 waits while the broker does not read', async (t) => {
  const sockets: net.Socket[] = [];
  const url = await mute(t, Buffer.from([0x20, 2, 0, 0]), (socket) => {
    sockets.push(socket);
    socket.pause();
  });
  const a = await connect(t, { url });
  let sent = 0;
  // Four times what the kernel's buffers of a loopback connection hold.
  const all = (async () => {
    for (; sent < 64; sent += 1) {
      await a.publish('bulk', Buffer.allocUnsafeSlow(1024 * 1024), { qos: 0 });
    }
  })();
  await clock.sleep(3_000);
  t.true(sent < 32, `${sent} of 64`);
  for (const socket of sockets) socket.resume();
  await all;
  t.is(sent, 64);
});

test('on MQTT 5 what the broker forbids or cannot take is refused at once', async (t) => {
  const directory = await tempDir(t);
  const acl = path.join(directory, 'acl');
  await writeFile(acl, 'topic read #\ntopic write allowed\n');
  const broker = await Mosquitto.start([`acl_file ${acl}`, 'max_packet_size 2000']);
  t.teardown(() => broker.stop());
  const a = await connect(t, { url: broker.url, protocolVersion: 5 });
  await t.notThrowsAsync(a.publish('allowed', Buffer.alloc(1900), { qos: 1 }));
  await t.throwsAsync(a.publish('forbidden', Buffer.alloc(1), { qos: 1 }), {
    code: 'sync/refused',
    message: /Not authorized/,
  });
  await t.throwsAsync(a.publish('allowed', Buffer.alloc(2000), { qos: 0 }), {
    code: 'sync/refused',
    message: /2000 bytes/,
  });
});

/** A test authority and the certificates it signed for a broker on the loopback address and for one client. */
async function makeCertificates(
  t: ExecutionContext,
): Promise<{ at: (name: string) => string; read: (name: string) => Promise<string> }> {
  const directory = await tempDir(t);
  const make = (name: string, subject: string, ...more: string[]): void => {
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    const out = ['-keyout', `${name}.key`, '-out', `${name}.pem`];
    const args = ['req', '-x509', ...key, '-days', '2', '-subj', subject, ...out, ...more];
    execFileSync('openssl', args, { cwd: directory, stdio: 'ignore' });
  };
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-addext'];
  make('ca', '/CN=authority');
  make('broker', '/CN=broker', ...signed, 'subjectAltName=IP:127.0.0.1');
  make('client', '/CN=cam-1', ...signed, 'extendedKeyUsage=clientAuth');
  const at = (name: string): string => path.join(directory, name);
  return { at, read: (name) => readFile(at(name), 'utf8') };
}

test('mutual TLS: both sides show certificates, a client without one is refused', async (t) => {
  const { at, read } = await makeCertificates(t);
  const broker = await Mosquitto.start([
    `cafile ${at('ca.pem')}`,
    `certfile ${at('broker.pem')}`,
    `keyfile ${at('broker.key')}`,
    'require_certificate true',
  ]);
  t.teardown(() => broker.stop());
  const url = broker.url.replace('mqtt:', 'mqtts:');
  const ca = await read('ca.pem');
  const tls = { ca, cert: await read('client.pem'), key: await read('client.key') };
  const a = await connect(t, { url, tls });
  const heard = listen(a);
  await a.subscribe({ x: 1 });
  await a.publish('x', Buffer.from('secret'), { qos: 1 });
  await waitUntil('it is heard', () => heard.length > 0);
  t.deepEqual(heard, ['x=secret']);
  const refused = { code: 'sync/no-broker' };
  await t.throwsAsync(connect(t, { url, tls: { ca } }), refused);
  await t.throwsAsync(connect(t, { url }), { ...refused, message: /certificate/ });
  await t.throwsAsync(connect(t, { url, tls: { ...tls, cert: 'not PEM' } }), refused);
});

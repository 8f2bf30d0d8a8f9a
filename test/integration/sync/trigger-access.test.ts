import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import test from 'ava';
import { SystemClock } from '../../../src/hal/linux/system-clock.js';
import { connectMqtt } from '../../../src/sync/mqtt-client.js';
import type { MqttConnection } from '../../../src/sync/ports.js';
import { commandTopic, peerTopic, triggerFilters } from '../../../src/sync/topics.js';
import { Mosquitto } from '../../support/sync/mosquitto.js';
import { quiet } from '../../support/sync/station.js';
import { waitUntil } from '../../support/sync/wait-until.js';
import { temporaryDirectory } from '../../support/temporary-directory.js';

/** What src/sync/README.md says that triggers need, beside a camera's right to its own topics. */
const ACL = `user fleet
topic write lapel/v1/+/dn/cmd
topic read lapel/v1/+/up/cmd

pattern write lapel/v1/%u/up/#
pattern read lapel/v1/%u/dn/#
pattern read lapel/v1/+/up/peer
`;

test('with access rules cameras hear each other and the fleet, and nobody speaks for another', async (t) => {
  const acl = path.join(await temporaryDirectory(t), 'acl');
  await writeFile(acl, ACL, { mode: 0o644 });
  const broker = await Mosquitto.start([`acl_file ${acl}`]);
  t.teardown(() => broker.stop());
  const clock = new SystemClock();
  // Without a password file Mosquitto believes every name; in earnest it is that of the certificate.
  let connections = 0;
  const connect = async (user: string): Promise<MqttConnection> => {
    connections += 1;
    const clientId = `t${connections}`;
    const url = broker.url.replace('mqtt://', `mqtt://${user}@`);
    const connection = await connectMqtt({ url, clientId, clock, logger: quiet });
    t.teardown(() => connection.close());
    return connection;
  };
  const listener = await connect('cam-1');
  const heard: string[] = [];
  listener.onMessage((topic, payload) => heard.push(`${topic} ${payload.toString()}`));
  await listener.subscribe(triggerFilters('cam-1', ['cam-2']));
  const say = async (user: string, topic: string): Promise<void> => {
    const connection = await connect(user);
    await connection.publish(topic, Buffer.from(`by ${user}`), { qos: 1 });
    await connection.close();
  };
  await say('cam-3', peerTopic('cam-2'));
  await say('cam-3', commandTopic('cam-1'));
  await say('cam-1', commandTopic('cam-1'));
  await say('fleet', peerTopic('cam-2'));
  await say('cam-2', peerTopic('cam-2'));
  await say('fleet', commandTopic('cam-1'));
  await waitUntil('both are heard', () => heard.length >= 2);
  t.deepEqual(heard, [`${peerTopic('cam-2')} by cam-2`, `${commandTopic('cam-1')} by fleet`]);
});

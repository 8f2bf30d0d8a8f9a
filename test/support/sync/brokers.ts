import type { ExecutionContext } from 'ava';
import { startEmbeddedBroker } from '../../../src/sync/embedded-broker.js';
import type { MqttVersion } from '../../../src/sync/mqtt-client.js';
import { Mosquitto } from './mosquitto.js';

/** A running broker that a test may kill and bring back under the same URL. */
export interface TestBroker {
  readonly url: string;
  /** Breaks every connection and forgets everything. */
  kill(): Promise<void>;
  restart(): Promise<void>;
}

/** What the protocol must run on, with the same bytes. */
export interface BrokerKind {
  readonly name: string;
  readonly version: MqttVersion;
  start(t: ExecutionContext): Promise<TestBroker>;
}

async function startAedes(t: ExecutionContext): Promise<TestBroker> {
  let broker = await startEmbeddedBroker();
  const { url } = broker;
  const port = Number(new URL(url).port);
  t.teardown(() => broker.close());
  return {
    url,
    kill: () => broker.close(),
    restart: async () => {
      broker = await startEmbeddedBroker({ port });
    },
  };
}

async function startMosquitto(t: ExecutionContext): Promise<TestBroker> {
  const broker = await Mosquitto.start();
  t.teardown(() => broker.stop());
  return broker;
}

export const brokerKinds: readonly BrokerKind[] = [
  { name: 'embedded broker, MQTT 3.1.1', version: 4, start: startAedes },
  { name: 'Mosquitto, MQTT 3.1.1', version: 4, start: startMosquitto },
  { name: 'Mosquitto, MQTT 5', version: 5, start: startMosquitto },
];

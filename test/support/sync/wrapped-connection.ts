import type { MqttConnection, Qos } from '../../../src/sync/ports.js';

/** What a wrapper does to a message: each payload in the answer is passed on, none means that it is lost. */
export type Meddle = (topic: string, payload: Buffer) => readonly Buffer[];

const passOn: Meddle = (_, payload) => [payload];

/** A connection whose messages are lost, doubled or changed on the way in or out. */
export function meddleWith(
  connection: MqttConnection,
  { incoming = passOn, outgoing = passOn }: { incoming?: Meddle; outgoing?: Meddle },
): MqttConnection {
  return {
    publish: async (topic: string, payload: Buffer, options: { qos: Qos; retain?: boolean }) => {
      for (const each of outgoing(topic, payload)) await connection.publish(topic, each, options);
    },
    subscribe: (filters) => connection.subscribe(filters),
    onMessage: (listener) =>
      connection.onMessage((topic, payload) => {
        for (const each of incoming(topic, payload)) listener(topic, each);
      }),
    onConnected: (listener) => connection.onConnected(listener),
    close: () => connection.close(),
  };
}

/** Numbers in [0, 1) that are the same in every run: a linear congruential generator (Numerical Recipes). */
export function seededRandom(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}

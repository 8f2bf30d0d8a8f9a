import test from 'ava';
import { CameraError } from '../../../../src/errors.js';
import { SimClock } from '../../../../src/hal/sim/sim-clock.js';
import {
  REFUSALS_ENTERED,
  SENDER_RATE,
  TriggerLink,
} from '../../../../src/sync/device/trigger-link.js';
import type { StartOutcome, TakenTrigger } from '../../../../src/sync/device/trigger-link.js';
import type { MqttConnection, TriggerFact, TriggerLedger } from '../../../../src/sync/ports.js';
import { commandStateTopic, commandTopic, peerTopic } from '../../../../src/sync/topics.js';
import { decodeCommandState } from '../../../../src/sync/trigger-messages.js';
import { wallTimeMs } from '../../../../src/units.js';
import { MemoryLogger } from '../../../support/memory-logger.js';
import { NOW, commandBytes, makeCast, noticeBytes, wall } from '../../../support/sync/triggers.js';

const cast = makeCast();
const { fleet, stranger, peer, policy } = cast;

/** A link with everything around it in memory, on stepped time. */
class Bench {
  readonly clock = new SimClock();
  readonly started: TakenTrigger[] = [];
  readonly stopped: string[] = [];
  readonly entered: (TriggerFact & { code: string | null; unlogged: number })[] = [];
  readonly answers: string[] = [];
  readonly filters: string[] = [];
  readonly spent = new Set<string>();
  connects = 0;
  closes = 0;
  outcome: () => Promise<StartOutcome> = () => Promise.resolve({ isDone: true, word: 'started' });
  onPublish: () => Promise<void> = () => Promise.resolve();
  beforeTake: () => Promise<void> = () => Promise.resolve();
  beforeConnect: () => Promise<void> = () => Promise.resolve();
  beforeSubscribe: () => Promise<void> = () => Promise.resolve();
  #hear: (topic: string, payload: Buffer) => void = () => undefined;
  readonly link: TriggerLink;

  constructor() {
    const connection: MqttConnection = {
      publish: (topic, payload) => {
        if (topic === commandStateTopic('cam-1')) {
          const { state, result } = decodeCommandState(payload);
          this.answers.push(result === undefined ? state : `${state} ${result}`);
        } else this.answers.push(topic);
        return this.onPublish();
      },
      subscribe: async (filters) => {
        await this.beforeSubscribe();
        this.filters.push(...Object.keys(filters));
      },
      onMessage: (listener) => {
        this.#hear = listener;
        return () => undefined;
      },
      onConnected: (listener) => {
        listener(true);
        return () => undefined;
      },
      close: () => {
        this.closes += 1;
        return Promise.resolve();
      },
    };
    const ledger: TriggerLedger = {
      take: async (fact, unlogged) => {
        await this.beforeTake();
        if (this.spent.has(fact.nonce)) return false;
        this.spent.add(fact.nonce);
        this.entered.push({ ...fact, code: null, unlogged });
        return true;
      },
      refuse: (fact, code, unlogged) => {
        this.entered.push({ ...fact, code, unlogged });
        return Promise.resolve();
      },
    };
    this.link = new TriggerLink(
      policy,
      {
        clock: this.clock,
        ledger,
        logger: new MemoryLogger(),
        wallTime: () => ({ ...wall(), ms: wallTimeMs(NOW) }),
        connect: async () => {
          this.connects += 1;
          await this.beforeConnect();
          return connection;
        },
      },
      {
        start: (trigger) => {
          this.started.push(trigger);
          return this.outcome();
        },
        peerStopped: (device) => this.stopped.push(device),
      },
    );
  }

  async open(): Promise<this> {
    this.link.start();
    await this.clock.advance(1);
    return this;
  }

  /** In one turn, as a broker delivers. */
  hear(payload: Buffer, topic = commandTopic('cam-1')): void {
    this.#hear(topic, payload);
  }

  async say(payload: Buffer, topic?: string): Promise<void> {
    this.hear(payload, topic);
    await this.clock.advance(1000);
  }
}

test('it listens by exact name, takes what is good, and answers', async (t) => {
  const bench = await new Bench().open();
  t.deepEqual(bench.filters, ['lapel/v1/cam-1/dn/cmd', 'lapel/v1/cam-2/up/peer']);
  t.true(bench.link.status().isConnected);
  await bench.say(commandBytes(fleet));
  await bench.say(noticeBytes(peer), peerTopic('cam-2'));
  await bench.say(noticeBytes(peer, { event: 'stop' }), peerTopic('cam-2'));
  t.deepEqual(
    bench.started.map(({ kind, by }) => `${kind} ${by}`),
    ['command fleet-1', 'peer cam-2'],
  );
  t.deepEqual(bench.stopped, ['cam-2']);
  t.deepEqual(bench.answers, ['received', 'done started']);
  t.deepEqual(bench.link.status(), { isConnected: true, taken: 3, refused: {} });
});

test('topics that are none of its business are not even judged', async (t) => {
  const bench = await new Bench().open();
  for (const topic of [
    'lapel/v1/cam-2/dn/cmd',
    'lapel/v1/cam-3/up/peer',
    'lapel/v1/cam-1/up/peer',
    'x',
  ]) {
    await bench.say(commandBytes(fleet), topic);
  }
  t.deepEqual([bench.started, bench.entered], [[], []]);
});

test('a command that the recorder refuses has failed, and one without an answer is given up', async (t) => {
  const bench = await new Bench().open();
  bench.outcome = () => Promise.resolve({ isDone: false, word: 'refused-battery' });
  await bench.say(commandBytes(fleet));
  bench.outcome = () => new Promise(() => undefined);
  await bench.say(commandBytes(fleet));
  await bench.clock.advance(8_000);
  t.deepEqual(bench.answers, [
    'received',
    'failed refused-battery',
    'received',
    'failed sync/timeout',
  ]);
  bench.outcome = () => Promise.resolve({ isDone: true, word: 'mark' });
  await bench.say(commandBytes(fleet));
  t.is(bench.answers.at(-1), 'done mark', 'and the next is dealt with');
});

test('nothing starts without its entry: a log that fails or hangs refuses', async (t) => {
  const bench = await new Bench().open();
  bench.beforeTake = () => Promise.reject(new CameraError('storage/io', 'no'));
  await bench.say(commandBytes(fleet));
  bench.beforeTake = () => new Promise(() => undefined);
  await bench.say(commandBytes(fleet));
  await bench.clock.advance(3_000);
  t.deepEqual(bench.started, []);
  t.deepEqual(bench.answers, ['failed storage/io', 'failed sync/timeout']);
});

test('a replay is refused and answered', async (t) => {
  const bench = await new Bench().open();
  const payload = commandBytes(fleet);
  await bench.say(payload);
  await bench.say(payload);
  t.is(bench.started.length, 1);
  t.deepEqual(bench.answers, ['received', 'done started', 'failed trigger/replayed']);
});

test('a sender that floods is cut off at its rate, counted, and takes nothing from the others', async (t) => {
  const bench = await new Bench().open();
  for (let n = 0; n < 1000; n += 1) {
    bench.hear(commandBytes(stranger));
    if (n % 100 === 99) await bench.clock.advance(10);
  }
  t.is(bench.entered.length, SENDER_RATE.count);
  t.is(bench.link.status().refused['trigger/too-many'], 1000 - SENDER_RATE.count);
  await bench.say(noticeBytes(peer), peerTopic('cam-2'));
  t.is(bench.started.length, 1);
  const unlogged = bench.entered.reduce((sum, entry) => sum + entry.unlogged, 0);
  t.is(unlogged, 1000 - SENDER_RATE.count, 'the log says how many it does not hold');
  await bench.clock.advance(SENDER_RATE.periodMs);
  await bench.say(commandBytes(fleet));
  t.is(bench.started.length, 2);
  t.is(bench.entered.at(-1)?.unlogged, 0);
});

test('refusals fill the log up to their limit an hour, and are counted beyond', async (t) => {
  const bench = await new Bench().open();
  for (let minute = 0; minute < 50; minute += 1) {
    await bench.say(commandBytes(stranger));
    await bench.clock.advance(20_000);
  }
  t.is(bench.entered.length, REFUSALS_ENTERED.count);
  await bench.clock.advance(REFUSALS_ENTERED.periodMs);
  await bench.say(commandBytes(stranger));
  t.is(bench.entered.at(-1)?.unlogged, 50 - REFUSALS_ENTERED.count);
});

test('what comes all at once waits in a queue with an end', async (t) => {
  const bench = await new Bench().open();
  bench.beforeTake = () => new Promise(() => undefined);
  for (let n = 0; n < 12; n += 1) bench.hear(commandBytes(fleet));
  for (let n = 0; n < 12; n += 1) bench.hear(noticeBytes(peer), peerTopic('cam-2'));
  // The first is being dealt with, 16 wait.
  t.is(bench.link.status().refused['trigger/too-many'], 24 - 17);
  await bench.link.close();
});

test('without a broker it tries again after 1 to 8 s, also when it cannot listen, until it is closed', async (t) => {
  const bench = new Bench();
  bench.beforeConnect = () => Promise.reject(new CameraError('sync/no-broker', 'no'));
  await bench.open();
  t.is(bench.connects, 1);
  await bench.clock.advance(1_000);
  t.is(bench.connects, 2);
  await bench.clock.advance(60_000);
  t.true(bench.connects >= 8 && bench.connects <= 18, `${bench.connects}`);
  bench.beforeConnect = () => Promise.resolve();
  bench.beforeSubscribe = () => Promise.reject(new CameraError('sync/timeout', 'no'));
  await bench.clock.advance(8_000);
  t.true(bench.closes >= 1);
  t.false(bench.link.status().isConnected);
  bench.beforeSubscribe = () => Promise.resolve();
  await bench.clock.advance(8_000);
  t.true(bench.link.status().isConnected);
  await bench.link.close();
  const { connects } = bench;
  await bench.clock.advance(60_000);
  t.is(bench.connects, connects);
  t.false(await bench.link.announce({ cert: peer.certificate, doc: peer.certificate }));
});

test('a notice that the broker does not take is given up after two seconds', async (t) => {
  const bench = await new Bench().open();
  const notice = { cert: peer.certificate, doc: peer.certificate };
  t.true(await bench.link.announce(notice));
  t.deepEqual(bench.answers, ['lapel/v1/cam-1/up/peer']);
  bench.onPublish = () => new Promise(() => undefined);
  const told = bench.link.announce(notice);
  await bench.clock.advance(2_000);
  t.false(await told);
});

test('a connection that comes up after the end is closed at once', async (t) => {
  const bench = new Bench();
  let connect = (): void => undefined;
  bench.beforeConnect = () => new Promise((resolve) => (connect = resolve));
  await bench.open();
  await bench.link.close();
  connect();
  await bench.clock.advance(1);
  t.is(bench.closes, 1);
  t.deepEqual(bench.filters, []);
});

import type { Cancel, Clock, WallTime } from '../../clock.js';
import { isCameraError, messageOf } from '../../errors.js';
import type { ErrorCode } from '../../errors.js';
import type { Logger } from '../../log.js';
import type { MonotonicMs } from '../../units.js';
import { backoffMs } from '../backoff.js';
import type { MqttConnection, TriggerFact, TriggerLedger } from '../ports.js';
import { Tally } from '../tally.js';
import { commandStateTopic, parseTopic, peerTopic, triggerFilters } from '../topics.js';
import { encodeCommandState, encodePeerNotice } from '../trigger-messages.js';
import type { CommandState, SignedPeerNotice } from '../trigger-messages.js';
import { within } from '../within.js';
import { newSessionId } from './dock-link.js';
import { admit } from './rate.js';
import type { RateLimit } from './rate.js';
import { judgeCommand, judgePeer } from './trigger-check.js';
import type { TriggerPolicy, TriggerVerdict } from './trigger-check.js';

/** Messages that wait to be judged: each costs a signature check and an entry, some milliseconds. */
const WAITING_MAX = 16;
/** Of each sender, the fleet being one: a start and a stop every ten seconds is more than any shift sees. */
export const SENDER_RATE: RateLimit = { count: 12, periodMs: 60_000 };
/** Refusals with an entry in the device log: whoever floods the broker must not fill the card. */
export const REFUSALS_ENTERED: RateLimit = { count: 30, periodMs: 3_600_000 };
/** A log that has not taken a trigger by then has failed; nothing starts without its entry. */
const LEDGER_MS_MAX = 3_000;
/** A start is decided within milliseconds of its entry; a camera that wakes or whose card pauses takes seconds. */
const OUTCOME_MS_MAX = 8_000;

/** A broker that has not taken a notice by then is not waited for: the end of the camera would wait as well. */
const ANNOUNCE_MS_MAX = 2_000;
/** Between two that are taken, so that the recorder does not hold the second for a bounce of the first. */
const APART_MS = 300;

/** A trigger that was taken and is entered. */
export interface TakenTrigger {
  readonly kind: 'command' | 'peer';
  readonly by: string;
  /** When it was entered, some milliseconds after it came. */
  readonly at: MonotonicMs;
}

/** What a start came to, in a word of the log. */
export interface StartOutcome {
  readonly isDone: boolean;
  readonly word: string;
}

export interface TriggerLinkPorts {
  /** Rejects when there is no broker; the link tries again by itself. */
  readonly connect: () => Promise<MqttConnection>;
  readonly ledger: TriggerLedger;
  readonly clock: Clock;
  readonly logger: Logger;
  /** The time that the camera believes. */
  readonly wallTime: () => WallTime;
}

export interface TriggerLinkListener {
  /** Start, or mark what runs. */
  start(trigger: TakenTrigger): Promise<StartOutcome>;
  /** A peer has ended the recording that it had told of. */
  peerStopped(device: string): void;
  /** A message was judged; `code` is undefined for one that was taken. */
  judged?(fact: TriggerFact, code: ErrorCode | undefined): void;
}

export interface TriggerLinkStatus {
  readonly isConnected: boolean;
  /** Since the start of the process. */
  readonly taken: number;
  /** By code word. */
  readonly refused: Readonly<Record<string, number>>;
}

interface Incoming {
  /** The peer under whose name it came; undefined for a command. */
  readonly sender: string | undefined;
  readonly payload: Buffer;
}

/**
 * The camera's ear for signed commands and other cameras, and its voice to them. Holds one connection for as long as it
 * is open, docked or not; its loss costs nothing but what would have come meanwhile.
 *
 * INVARIANTS
 * 1. The callback of the connection only looks at topic and rate and puts into a queue of `WAITING_MAX`; what does not fit
 *    is dropped and counted.
 * 2. Nothing starts before its entry is durable and its nonce spent, and nothing starts twice: a trigger whose entry fails
 *    or is late is lost.
 * 3. Every wait has a time-out; nothing here rejects or throws for what came from outside.
 */
export class TriggerLink {
  readonly #policy: TriggerPolicy;
  readonly #ports: TriggerLinkPorts;
  readonly #listener: TriggerLinkListener;
  readonly #logger: Logger;
  readonly #tally: Tally<string>;
  readonly #sid = newSessionId();
  readonly #rates = new Map<string, readonly MonotonicMs[]>();
  readonly #queue: Incoming[] = [];
  #entered: readonly MonotonicMs[] = [];
  #unlogged = 0;
  #taken = 0;
  #isWorking = false;
  #connection: MqttConnection | undefined;
  #isConnected = false;
  #isClosed = false;
  #failures = 0;
  #cancelRetry: Cancel = () => undefined;
  #cancels: readonly Cancel[] = [];

  constructor(policy: TriggerPolicy, ports: TriggerLinkPorts, listener: TriggerLinkListener) {
    this.#policy = policy;
    this.#ports = ports;
    this.#listener = listener;
    this.#logger = ports.logger.child({ device: policy.device });
    this.#tally = new Tally(this.#logger);
  }

  /** Connects, now and whenever there was no broker. Once. */
  start(): void {
    void this.#open();
  }

  status(): TriggerLinkStatus {
    return {
      isConnected: this.#isConnected,
      taken: this.#taken,
      refused: this.#tally.all() as Readonly<Record<string, number>>,
    };
  }

  /**
   * Tells the cameras around. Resolves false when the broker did not take it: it is not said again, for later it would
   * be no help. Never rejects.
   */
  async announce(notice: SignedPeerNotice): Promise<boolean> {
    try {
      const topic = peerTopic(this.#policy.device);
      if (this.#connection === undefined) return false;
      const telling = this.#connection.publish(topic, encodePeerNotice(notice), { qos: 1 });
      await within(this.#ports.clock, telling, ANNOUNCE_MS_MAX, 'the broker');
      return true;
    } catch (error) {
      this.#logger.warn({ why: messageOf(error) }, 'the other cameras were not told');
      return false;
    }
  }

  /** Resolves when the connection is closed; an attempt under way ends by itself. Never rejects. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#cancelRetry();
    this.#queue.length = 0;
    await this.#drop();
  }

  async #open(): Promise<void> {
    try {
      const connection = await this.#ports.connect();
      if (this.#isClosed) {
        await connection.close();
        return;
      }
      this.#connection = connection;
      this.#cancels = [
        connection.onMessage((topic, payload) => {
          this.#hear(topic, payload);
        }),
        connection.onConnected((isConnected) => {
          this.#isConnected = isConnected;
        }),
      ];
      const peers = this.#policy.peers.map(({ device }) => device);
      await connection.subscribe(triggerFilters(this.#policy.device, peers));
      this.#failures = 0;
    } catch (error) {
      await this.#drop();
      if (this.#isClosed) return;
      this.#failures += 1;
      const why = messageOf(error);
      const level = this.#failures === 1 ? 'warn' : 'debug';
      this.#logger[level]({ why }, 'no broker for commands and other cameras');
      const delayMs = backoffMs(this.#failures, Math.random());
      this.#cancelRetry = this.#ports.clock.after(delayMs, () => void this.#open());
    }
  }

  async #drop(): Promise<void> {
    const connection = this.#connection;
    this.#connection = undefined;
    this.#isConnected = false;
    for (const cancel of this.#cancels) cancel();
    this.#cancels = [];
    await connection?.close();
  }

  /** In the turn of the package's callback. */
  #hear(text: string, payload: Buffer): void {
    const topic = parseTopic(text);
    const { device, peers } = this.#policy;
    const isCommand = topic?.kind === 'command' && topic.device === device;
    const sender = topic?.kind === 'peer' ? topic.device : undefined;
    if (!isCommand && !peers.some((peer) => peer.device === sender)) return;
    const at = this.#ports.clock.monotonicMs();
    const { times, isAdmitted } = admit(this.#rates.get(text) ?? [], SENDER_RATE, at);
    this.#rates.set(text, times);
    if (!isAdmitted || this.#queue.length >= WAITING_MAX) {
      this.#unlogged += 1;
      this.#tally.add('trigger/too-many', { topic: text });
      return;
    }
    this.#queue.push({ sender, payload });
    if (!this.#isWorking) void this.#work();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) {
      try {
        await this.#take(next);
      } catch (error) {
        this.#logger.error({ why: messageOf(error) }, 'a trigger could not be dealt with');
      }
    }
    this.#isWorking = false;
  }

  async #take({ sender, payload }: Incoming): Promise<void> {
    const now = this.#ports.wallTime();
    const verdict =
      sender === undefined
        ? judgeCommand(payload, this.#policy, now)
        : judgePeer(sender, payload, this.#policy, now);
    const { fact } = verdict;
    const code = verdict.code ?? (await this.#enter(fact));
    this.#listener.judged?.(fact, code);
    if (code !== undefined) this.#refuse(verdict, code);
    else {
      if (fact.kind === 'command') await this.#obey(fact);
      else this.#follow(fact);
      await this.#ports.clock.sleep(APART_MS);
    }
  }

  /** Undefined when the trigger is durable in the log, which is what it takes to follow it; else the code of why not. */
  async #enter(fact: TriggerFact): Promise<ErrorCode | undefined> {
    const { nonce } = fact;
    if (nonce === null) return 'trigger/malformed';
    const unlogged = this.#unlogged;
    try {
      const { ledger, clock } = this.#ports;
      const taking = ledger.take({ ...fact, nonce }, unlogged);
      if (!(await within(clock, taking, LEDGER_MS_MAX, 'the log'))) return 'trigger/replayed';
    } catch (error) {
      this.#logger.error({ why: messageOf(error) }, 'a trigger could not be entered');
      return isCameraError(error) ? error.code : 'internal/bug';
    }
    this.#unlogged -= unlogged;
    this.#taken += 1;
    return undefined;
  }

  #refuse({ fact, detail }: TriggerVerdict, code: ErrorCode): void {
    this.#tally.add(code, { from: fact.kind, by: fact.by, detail });
    if (fact.kind === 'command' && fact.nonce !== null) {
      this.#reply({ nonce: fact.nonce, state: 'failed', result: code, detail });
    }
    const { times, isAdmitted } = admit(
      this.#entered,
      REFUSALS_ENTERED,
      this.#ports.clock.monotonicMs(),
    );
    this.#entered = times;
    if (!isAdmitted) {
      this.#unlogged += 1;
      return;
    }
    const unlogged = this.#unlogged;
    this.#unlogged = 0;
    this.#ports.ledger.refuse(fact, code, unlogged).catch((error: unknown) => {
      this.#unlogged += unlogged + 1;
      this.#logger.error({ why: messageOf(error) }, 'a refused trigger could not be entered');
    });
  }

  async #obey({ by, nonce }: TriggerFact): Promise<void> {
    if (by === null || nonce === null) return;
    this.#reply({ nonce, state: 'received' });
    const at = this.#ports.clock.monotonicMs();
    try {
      const outcome = this.#listener.start({ kind: 'command', by, at });
      const { isDone, word } = await within(
        this.#ports.clock,
        outcome,
        OUTCOME_MS_MAX,
        'the recorder',
      );
      this.#reply({ nonce, state: isDone ? 'done' : 'failed', result: word });
    } catch (error) {
      const result = isCameraError(error) ? error.code : 'internal/bug';
      this.#reply({ nonce, state: 'failed', result, detail: messageOf(error) });
    }
  }

  #follow({ by, op }: TriggerFact): void {
    if (by === null) return;
    if (op === 'stop') {
      this.#listener.peerStopped(by);
      return;
    }
    const at = this.#ports.clock.monotonicMs();
    this.#listener.start({ kind: 'peer', by, at }).catch((error: unknown) => {
      this.#logger.warn({ by, why: messageOf(error) }, 'another camera started this one in vain');
    });
  }

  /** An answer that is lost is the sender's time-out. */
  #reply(state: Omit<CommandState, 'sid'>): void {
    const { detail } = state;
    const payload = encodeCommandState({
      ...state,
      sid: this.#sid,
      detail: detail?.slice(0, DETAIL_MAX),
    });
    this.#connection
      ?.publish(commandStateTopic(this.#policy.device), payload, { qos: 1 })
      .catch((error: unknown) => {
        this.#logger.debug({ why: messageOf(error) }, 'a command was not answered');
      });
  }
}

/** Words of an answer: a line for a person. */
const DETAIL_MAX = 300;

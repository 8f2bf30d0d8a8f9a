import { randomBytes } from 'node:crypto';
import type { Cancel, Clock, WallTime } from './clock.js';
import type { PressOrigin, PressOutcome, Trigger } from './capture/ports.js';
import type { Recorder } from './capture/recorder.js';
import { GUARD_MS } from './capture/recorder-state.js';
import type { CameraMetadata } from './camera-metadata.js';
import type { Config } from './config/config.js';
import { messageOf } from './errors.js';
import type { ErrorCode } from './errors.js';
import type { Envelope } from './evidence/dsse.js';
import { sealPeerNotice } from './evidence/peer-notice.js';
import { fromSpkiBase64 } from './evidence/public-key.js';
import { sha256Hex } from './evidence/merkle-tree.js';
import type { Logger } from './log.js';
import type { Card } from './storage/card.js';
import { PEER_LIFE_MS_MAX } from './sync/device/trigger-check.js';
import type { TriggerPolicy } from './sync/device/trigger-check.js';
import { TriggerLink } from './sync/device/trigger-link.js';
import type { StartOutcome, TakenTrigger, TriggerLinkStatus } from './sync/device/trigger-link.js';
import { connectMqtt } from './sync/mqtt-client.js';
import type { TriggerFact } from './sync/ports.js';
import type { MonotonicMs } from './units.js';

/** A signature takes 3 ms of the processor: the first fragment of the recording that is told of goes first. */
const ANNOUNCE_DELAY_MS = 50;
const NONCE_BYTES = 16;

export interface TriggerParts {
  readonly config: Config;
  readonly clock: Clock;
  readonly card: Pick<Card, 'boot' | 'session' | 'triggers'>;
  /** Certificate of this boot's session key. */
  readonly certificate: Envelope;
  readonly recorder: Pick<Recorder, 'on' | 'trigger' | 'peersOver'>;
  readonly metadata: Pick<CameraMetadata, 'trigger'>;
  /** The time that the camera believes. */
  readonly wallTime: () => WallTime;
  readonly log: Logger;
  /** A message was judged; `code` is undefined for one that was taken. */
  readonly onJudged?: ((fact: TriggerFact, code: ErrorCode | undefined) => void) | undefined;
}

/** True when a configuration wants commands or other cameras at all; without it no connection is made. */
export const hasTriggers = ({ remoteStart, peerStart, localBrokerUrl }: Config): boolean =>
  remoteStart === 'on' || peerStart !== 'off' || localBrokerUrl !== null;

/**
 * Starts by signed command and by other cameras, and tells them when the wearer of this one starts. What comes from
 * another camera is never told on, so no start goes round.
 */
export class CameraTriggers {
  readonly #parts: TriggerParts;
  readonly #link: TriggerLink;
  readonly #cancels: Cancel[] = [];
  /** The recording that others were told of. */
  #told: { readonly rec: number; readonly trigger: 'press' | 'fall' } | undefined;
  /** When other cameras started or marked here that have not said that they ended. */
  readonly #active = new Map<string, MonotonicMs>();
  #awaited: ((outcome: StartOutcome) => void) | undefined;
  #announcing: Promise<unknown> = Promise.resolve();

  constructor(parts: TriggerParts) {
    this.#parts = parts;
    const { config, clock, card, log, wallTime } = parts;
    const logger = log.child({ part: 'triggers' });
    const url = config.localBrokerUrl ?? config.brokerUrl;
    const ports = {
      connect: () => connectMqtt({ url, clientId: clientIdOf(config.deviceId), clock, logger }),
      ...{ clock, logger, wallTime, ledger: card.triggers },
    };
    this.#link = new TriggerLink(policyOf(config), ports, {
      start: (trigger) => this.#start(trigger),
      peerStopped: (device) => {
        this.#peerStopped(device);
      },
      judged: (fact, code) => parts.onJudged?.(fact, code),
    });
  }

  /** Connects and listens to the recorder. Once. */
  start(): void {
    this.#cancels.push(
      this.#parts.recorder.on({
        pressDecided: (outcome, origin) => {
          this.#decided(outcome, origin);
        },
        recordingStarted: ({ rec, trigger }) => {
          this.#started(rec, trigger);
        },
        recordingStopped: ({ rec }) => {
          this.#stopped(rec);
        },
      }),
    );
    this.#link.start();
  }

  status(): TriggerLinkStatus {
    return this.#link.status();
  }

  /** Ends the connection when what is being told is told. Call it when the recorder is closed. Never rejects. */
  async close(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    await this.#announcing;
    await this.#link.close();
  }

  #start({ kind, by, at }: TakenTrigger): Promise<StartOutcome> {
    const { recorder, metadata } = this.#parts;
    if (kind === 'peer') this.#active.set(by, at);
    metadata.trigger(kind, at, by);
    if (kind === 'peer') {
      recorder.trigger(kind, at);
      return Promise.resolve({ isDone: true, word: kind });
    }
    // The link takes one command after the other.
    const outcome = new Promise<StartOutcome>((resolve) => {
      this.#awaited = resolve;
    });
    recorder.trigger(kind, at);
    return outcome;
  }

  /** One that was lost without a word counts for as long as its start would guard the recording. */
  #peerStopped(device: string): void {
    if (!this.#active.delete(device)) return;
    const now = this.#parts.clock.monotonicMs();
    const isOver = [...this.#active.values()].every((at) => now - at >= GUARD_MS);
    if (isOver) this.#parts.recorder.peersOver();
  }

  #decided(outcome: PressOutcome, origin: PressOrigin): void {
    if (origin !== 'command') return;
    this.#awaited?.({ isDone: outcome === 'started' || outcome === 'mark', word: outcome });
    this.#awaited = undefined;
  }

  #started(rec: number, trigger: Trigger): void {
    if (trigger === 'roll') {
      if (this.#told !== undefined) this.#told = { ...this.#told, rec };
      return;
    }
    this.#told = undefined;
    if (trigger !== 'press' && trigger !== 'fall') return;
    if (!isAnnouncing(this.#parts.config)) return;
    this.#told = { rec, trigger };
    this.#announce('start', rec, trigger);
  }

  #stopped(rec: number): void {
    if (this.#told?.rec !== rec) return;
    const { trigger } = this.#told;
    this.#told = undefined;
    this.#announce('stop', rec, trigger);
  }

  #announce(event: 'start' | 'stop', rec: number, trigger: 'press' | 'fall'): void {
    const { clock, log } = this.#parts;
    this.#announcing = Promise.all([this.#announcing, clock.sleep(ANNOUNCE_DELAY_MS)])
      .then(() => this.#say(event, rec, trigger))
      .catch((error: unknown) => {
        log.error({ why: messageOf(error) }, 'a start could not be told to other cameras');
      });
  }

  async #say(event: 'start' | 'stop', rec: number, trigger: 'press' | 'fall'): Promise<void> {
    const { config, card, certificate, log } = this.#parts;
    const now = this.#parts.wallTime();
    if (now.source === 'unset') {
      log.warn(
        {},
        'the other cameras are not told: without the time nobody could tell old from new',
      );
      return;
    }
    const issued = Math.round(now.ms);
    const notice = {
      ...{ device: config.deviceId, boot: card.boot, rec, event, trigger },
      nonce: randomBytes(NONCE_BYTES).toString('hex'),
      issued,
      expires: issued + PEER_LIFE_MS_MAX,
      uncertainty_ms: Math.round(now.uncertaintyMs),
    };
    await this.#link.announce({ cert: certificate, doc: sealPeerNotice(notice, card.session) });
  }
}

const isAnnouncing = ({ peerStart }: Config): boolean =>
  peerStart === 'announce' || peerStart === 'both';

function policyOf(config: Config): TriggerPolicy {
  return {
    device: config.deviceId,
    obeysCommands: config.remoteStart === 'on',
    followsPeers: config.peerStart === 'follow' || config.peerStart === 'both',
    fleet: config.fleet.map(({ id, spki, roles }) => ({
      id,
      roles,
      publicKey: fromSpkiBase64(spki),
    })),
    // Its own word comes back to nobody.
    peers: config.peers
      .filter(({ device }) => device !== config.deviceId)
      .map(({ device, spki }) => ({ device, publicKey: fromSpkiBase64(spki) })),
    otherKeys: config.receivers.map(({ spki }) => fromSpkiBase64(spki)),
  };
}

/**
 * Not the name of the camera, which the dock session connects by, perhaps to the same broker. 17 characters: every broker
 * takes 23 (MQTT 3.1.1 §3.1.3.1).
 */
const clientIdOf = (device: string): string => `t${sha256Hex(Buffer.from(device)).slice(0, 16)}`;

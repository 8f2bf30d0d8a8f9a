import type { Cancel, Clock } from '../../clock.js';
import { hasErrorCode, messageOf } from '../../errors.js';
import type { Envelope } from '../../evidence/dsse.js';
import { readManifest } from '../../evidence/manifest.js';
import type { Logger } from '../../log.js';
import { formatSegmentRef } from '../../units.js';
import { OFFER_ITEMS_MAX, encodeBirth, encodeDeviceState, encodeOffer } from '../messages.js';
import type { MqttConnection, OfferableSegment, OutgoingSegments, Will } from '../ports.js';
import { Tally } from '../tally.js';
import { deviceFilters, upTopic } from '../topics.js';
import { DockLink, lostWill, newSessionId } from './dock-link.js';
import type { DeviceFault, DeviceIdentity } from './dock-link.js';
import { stepDock, undocked } from './dock-session.js';
import type { DockEffect, DockEvent, DockPhase, DockState } from './dock-session.js';
import { bootsOf } from './offer-book.js';
import type { OfferedSegment, ReadableSegment } from './offer-book.js';
import { ProgressMeter } from './progress.js';
import type { DockProgress } from './progress.js';

/** How finely the session keeps time; its shortest wait is a second. */
const TICK_MS = 500;

export interface UploaderPorts {
  readonly segments: OutgoingSegments;
  /** Connects with the will given. Rejects when there is no broker; the uploader tries again by itself. */
  readonly connect: (will: Will) => Promise<MqttConnection>;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Bytes left on the card, for the birth. */
  readonly freeBytes?: () => Promise<number>;
}

export interface UploaderListener {
  readonly onProgress?: (progress: DockProgress) => void;
  readonly onPhase?: (phase: DockPhase) => void;
}

/**
 * Hands every sealed segment over to a receiver while the camera stands in its dock, and keeps the receipts.
 *
 * INVARIANTS
 * 1. Only a receipt that `checkReceipt` accepts reaches `OutgoingSegments.receipted`. No PUBACK means anything.
 * 2. `stepDock` decides, this class carries out: one effect after the other, each of which may be repeated.
 * 3. Nothing it holds in memory is needed after a crash: the catalog says what is pending.
 */
export class Uploader {
  readonly #identity: DeviceIdentity;
  readonly #ports: UploaderPorts;
  readonly #logger: Logger;
  readonly #tally: Tally<DeviceFault>;
  readonly #listener: UploaderListener;
  readonly #work: (() => Promise<void>)[] = [];
  #state: DockState = undocked;
  #link: DockLink | undefined;
  #meter: ProgressMeter;
  #cancelTick: Cancel = () => undefined;
  #idle: Promise<void> = Promise.resolve();
  #isWorking = false;

  constructor(identity: DeviceIdentity, ports: UploaderPorts, listener: UploaderListener = {}) {
    this.#identity = identity;
    this.#ports = ports;
    this.#logger = ports.logger.child({ device: identity.device });
    this.#tally = new Tally(this.#logger);
    this.#listener = listener;
    this.#meter = this.#newMeter();
  }

  get phase(): DockPhase {
    return this.#state.phase;
  }

  /** What was dropped or refused since the start, by kind. */
  get faults(): Readonly<Partial<Record<DeviceFault, number>>> {
    return this.#tally.all();
  }

  /** The camera stands in its dock: connects and drains until `undock`. No effect when it already does. */
  dock(): void {
    if (this.#state.phase !== 'undocked') return;
    this.#meter = this.#newMeter();
    this.#cancelTick = this.#ports.clock.every(TICK_MS, () => {
      this.#dispatch({ type: 'ticked' });
    });
    this.#dispatch({ type: 'docked' });
  }

  /** Resolves when the connection is closed; an attempt to connect may take its 10 s to give up. */
  async undock(): Promise<void> {
    this.#cancelTick();
    this.#dispatch({ type: 'undocked' });
    await this.#idle;
  }

  #newMeter(): ProgressMeter {
    return new ProgressMeter((progress) => this.#listener.onProgress?.(progress));
  }

  #dispatch(event: DockEvent): void {
    const before = this.#state.phase;
    const { state, effects } = stepDock(this.#state, event, this.#ports.clock.monotonicMs());
    this.#state = state;
    if (state.phase !== before) {
      this.#logger.info({ phase: state.phase }, 'dock session');
      this.#listener.onPhase?.(state.phase);
    }
    for (const effect of effects) this.#enqueue(() => this.#carryOut(effect));
  }

  /** At most one effect of each event and one receipt of each offer wait here. */
  #enqueue(task: () => Promise<void>): void {
    this.#work.push(task);
    if (!this.#isWorking) this.#idle = this.#drainWork();
  }

  async #drainWork(): Promise<void> {
    this.#isWorking = true;
    for (let task = this.#work.shift(); task !== undefined; task = this.#work.shift()) await task();
    this.#isWorking = false;
  }

  async #carryOut(effect: DockEffect): Promise<void> {
    try {
      if (effect === 'connect') await this.#connect();
      else if (effect === 'disconnect') await this.#disconnect();
      else if (this.#link !== undefined) await this.#say(effect, this.#link);
    } catch (error) {
      this.#logger.warn({ effect, why: messageOf(error) }, 'step of the dock session failed');
      if (effect === 'connect') {
        this.#dispatch({ type: 'connectFailed', random: Math.random() });
      } else if (effect === 'announce') this.#dispatch({ type: 'announceFailed' });
      // An offer or a state that did not get through is repeated by the session's own timer.
    }
  }

  async #say(effect: 'announce' | 'offer' | 'tell', link: DockLink): Promise<void> {
    if (effect === 'announce') await this.#announce(link);
    else if (effect === 'offer') await this.#offer(link);
    else await this.#tell(link);
  }

  async #connect(): Promise<void> {
    if (this.#link !== undefined) return;
    const sid = newSessionId();
    const { device } = this.#identity;
    const connection = await this.#ports.connect(lostWill(device, sid));
    const { segments } = this.#ports;
    const listener = {
      connected: (isConnected: boolean): void => {
        this.#dispatch({ type: isConnected ? 'connected' : 'disconnected' });
      },
      receiverStarted: (): void => {
        this.#dispatch({ type: 'receiverStarted' });
      },
      heard: (): void => {
        this.#dispatch({ type: 'heard' });
      },
      receipt: (segment: OfferedSegment, receipt: Envelope): void => {
        this.#enqueue(() => this.#keepReceipt(link, segment, receipt));
      },
      sent: (bytesDone: number): void => {
        this.#meter.sent(bytesDone);
      },
    };
    const link = new DockLink(
      sid,
      connection,
      this.#identity,
      segments,
      listener,
      this.#logger,
      this.#tally,
    );
    this.#link = link;
  }

  async #disconnect(): Promise<void> {
    const link = this.#link;
    if (link === undefined) return;
    this.#link = undefined;
    const { topic, payload } = lostWill(this.#identity.device, link.sid);
    try {
      await link.connection.publish(topic, payload, { qos: 1, retain: true });
    } catch (error) {
      this.#logger.debug({ why: messageOf(error) }, 'the broker did not hear the goodbye');
    }
    await link.close();
  }

  async #announce({ sid, connection }: DockLink): Promise<void> {
    const { device, boot, certificate } = this.#identity;
    const free = await this.#ports.freeBytes?.();
    const birth = encodeBirth({
      sid,
      device,
      boot,
      session: certificate,
      ...(free === undefined ? {} : { free }),
    });
    await connection.subscribe(deviceFilters(device));
    await connection.publish(upTopic(device, 'birth'), birth, { qos: 1, retain: true });
    this.#dispatch({ type: 'announced' });
  }

  async #tell({ sid, connection }: DockLink): Promise<void> {
    const s = this.#state.phase === 'draining' ? 'sync' : 'ready';
    const topic = upTopic(this.#identity.device, 'state');
    await connection.publish(topic, encodeDeviceState({ sid, s }), { qos: 1, retain: true });
  }

  async #offer(link: DockLink): Promise<void> {
    const { segments } = this.#ports;
    const pending = await segments.pending(OFFER_ITEMS_MAX);
    this.#meter.backlog(await segments.backlog());
    const readable = pending.flatMap((segment) => this.#read(segment) ?? []);
    const certificates = await this.#certificates(readable);
    const offer = link.offer(readable, certificates);
    if (offer.items.length > 0) {
      const topic = upTopic(this.#identity.device, 'offer');
      await link.connection.publish(topic, encodeOffer(offer), { qos: 1 });
      await segments.offered(offer.items.map(({ ref }) => ref));
    }
    this.#dispatch({ type: 'offered', segments: pending.length });
  }

  /** A manifest that cannot be read must not keep the other segments from being offered. */
  #read(segment: OfferableSegment): ReadableSegment | undefined {
    try {
      return { ...segment, content: readManifest(segment.manifest) };
    } catch (error) {
      if (!hasErrorCode(error, 'evidence/malformed')) throw error;
      this.#tally.add('unreadable-segment', { segment: formatSegmentRef(segment.ref) });
      return undefined;
    }
  }

  /** Nor must a certificate. The receiver judges what it can do without. */
  async #certificates(segments: readonly ReadableSegment[]): Promise<Map<number, Envelope>> {
    const certificates = new Map<number, Envelope>();
    for (const boot of new Set(segments.flatMap(bootsOf))) {
      try {
        certificates.set(boot, await this.#ports.segments.certificate(boot));
      } catch (error) {
        this.#tally.add('unreadable-certificate', { boot, why: messageOf(error) });
      }
    }
    return certificates;
  }

  async #keepReceipt(link: DockLink, segment: OfferedSegment, receipt: Envelope): Promise<void> {
    let isKept = false;
    try {
      await this.#ports.segments.receipted(segment.ref, receipt);
      isKept = true;
      this.#meter.receipted(segment.bytes);
    } catch (error) {
      // The segment stays pending: it is offered again and the receiver says its receipt again.
      this.#logger.error({ why: messageOf(error) }, 'cannot keep a receipt');
    }
    link.settle(segment, isKept);
    if (isKept) this.#dispatch({ type: 'receipted', open: link.offers.size });
  }
}

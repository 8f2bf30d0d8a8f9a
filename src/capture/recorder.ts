import type { Cancel, Clock } from '../clock.js';
import { isCameraError, messageOf, type ErrorCode } from '../errors.js';
import type { MonotonicMs } from '../units.js';
import { isDoneWithin, withDeadline } from './deadline.js';
import { FactLog } from './fact-log.js';
import { eventOf } from './gesture-events.js';
import { withoutSound } from './fragments.js';
import { DURABLE_MS_MAX } from './indicator.js';
import type { PressEdge, PressOutcome, Trigger } from './ports.js';
import { PreEventBuffer } from './pre-event-buffer.js';
import { PressMoments, type PressMoment } from './press-moments.js';
import { PressDesk, type PressDeskEvents, type PressGesture } from './press-desk.js';
import type {
  RecorderListener,
  RecorderPorts,
  RecorderSettings,
  RecorderStatus,
} from './recorder-api.js';
import { audioSettingsOf, bufferLimitsOf } from './recorder-api.js';
import { startingRecorder } from './recorder-events.js';
import type { PowerLimit, RecorderEffect, RecorderEvent } from './recorder-events.js';
import { RecorderLights } from './recorder-lights.js';
import { RecorderListeners } from './recorder-listeners.js';
import { stepRecorder } from './recorder-state.js';
import { recorderStatus } from './recorder-status.js';
import { Recordings, type RecordingsEvents } from './recordings.js';
import { RollOver, type RollOverEvents } from './roll-over.js';
import { VideoFeed, type VideoFeedEvents } from './video-feed.js';
import { WearerEffects } from './wearer-effects.js';

/** The storage gives a number within a write to its database; the wearer must not wait longer for an answer. */
const BEGIN_MS_MAX = 5000;
/** The encoder is asked to end for this long when the camera closes; a looped source may not hear it in time. */
const FEED_STOP_MS = 1500;
/** The release that belongs to a trigger comes after this; longer than any debounce interval (100 ms). */
const TRIGGER_PRESS_MS = 150;
/** How often the lights are compared with the age of the last durable write. */
const SHOW_PERIOD_MS = 250;

/**
 * The camera's heart: keeps the last seconds of video, records on a press, marks, stops, and tells the wearer and the
 * log what it does.
 *
 * INVARIANTS
 * 1. A press is durable in the log before anything is decided about it; what it will record is fixed at its edge.
 * 2. Every fragment goes to the buffer and to each recording that wants it, in order; a recording ends with the GOP of
 *    its stop, so that the next one has its pre-event at once.
 * 3. `stepRecorder` decides; this class only carries out.
 * 4. Nothing that a port does or fails to do stops the buffer.
 */
export class Recorder {
  readonly #ports: RecorderPorts;
  readonly #clock: Clock;
  #settings: RecorderSettings;
  readonly #facts: FactLog;
  readonly #desk: PressDesk<PressMoment>;
  readonly #feed: VideoFeed;
  readonly #buffer: PreEventBuffer;
  readonly #recordings: Recordings;
  readonly #rollOver: RollOver;
  readonly #listeners: RecorderListeners;
  readonly #moments: PressMoments;
  readonly #lights: RecorderLights;
  readonly #wearer: WearerEffects;
  #state = startingRecorder;
  #beginning: Promise<void> = Promise.resolve();
  #hasToldSlowCard = false;
  #holeCause: ErrorCode = 'capture/gop-too-long';
  #cancelPostEvent: Cancel = () => undefined;
  #cancelShow: Cancel = () => undefined;

  constructor(ports: RecorderPorts, settings: RecorderSettings) {
    this.#ports = ports;
    this.#clock = ports.clock;
    this.#settings = settings;
    this.#listeners = new RecorderListeners(ports.log);
    this.#lights = new RecorderLights(ports.indicator);
    this.#moments = new PressMoments((at) => this.#lookAt(at));
    this.#facts = new FactLog(ports.journal, ports.log);
    this.#buffer = new PreEventBuffer(bufferLimitsOf(settings));
    const { queueBytesMax } = settings;
    const audio = audioSettingsOf(settings);
    this.#recordings = new Recordings(ports, queueBytesMax, audio, this.#onRecordings());
    const onRollOver = this.#onRollOver();
    this.#rollOver = new RollOver(ports, this.#recordings, BEGIN_MS_MAX, onRollOver);
    this.#desk = new PressDesk(ports, this.#facts, settings, this.#onPresses());
    this.#wearer = new WearerEffects({
      ...ports,
      facts: this.#facts,
      recordings: this.#recordings,
      listeners: this.#listeners,
      momentOf: (press) => this.#desk.momentOf(press),
      pickingOver: () => {
        this.#dispatch({ type: 'pickingOver' });
      },
    });
    this.#feed = new VideoFeed(ports, settings, this.#onVideo());
  }

  /** Starts the encoder and shows the first mode. Once. */
  start(): void {
    this.#feed.start();
    this.#cancelShow = this.#clock.every(SHOW_PERIOD_MS, () => {
      this.#watchCard();
      this.#lookForRoll();
      this.#show();
    });
    this.#show();
  }

  /** An edge of a button, in the turn in which it came. */
  edge(edge: PressEdge): void {
    this.#desk.edge(edge);
  }

  /** Starts or marks, for another reason than a button. It goes into the log as a press of a button of its own. */
  trigger(button: 'fall' | 'command' | 'peer', at: MonotonicMs): void {
    this.edge({ button, isPressed: true, at });
    this.#clock.after(TRIGGER_PRESS_MS, () => {
      this.edge({ button, isPressed: false, at: this.#clock.monotonicMs() });
    });
  }

  /** The other cameras that started this one have ended: the recording goes on, and its stop needs no confirmation. */
  peersOver(): void {
    this.#dispatch({ type: 'peersOver' });
  }

  /** A limit that ends the running recording well and lets none begin; undefined when none is reached any more. */
  setLimit(limit: PowerLimit | undefined): void {
    if (limit !== this.#state.limit) this.#dispatch({ type: 'limit', limit });
  }

  /** The card takes no new recording; one that runs goes on for as long as it can. Told once until `storageRecovered`. */
  storageFailed(code: ErrorCode, detail: string): void {
    const { activity, storage } = this.#state;
    if (activity !== 'none' || storage === 'failed') return;
    this.#dispatch({ type: 'storageFailed', code, detail });
  }

  /** There is room again, or the card is back: ends the fault that the storage made. */
  storageRecovered(): void {
    this.#dispatch({ type: 'storageOk' });
  }

  /** The pre-event is kept by the new length at once; the others count from the next recording and the next stop on. */
  applySettings(
    settings: Pick<RecorderSettings, 'preEventMs' | 'postEventMs' | 'segmentMs'>,
  ): void {
    this.#settings = { ...this.#settings, ...settings };
    this.#buffer.setLimits(bufferLimitsOf(this.#settings));
  }

  on(listener: RecorderListener): Cancel {
    return this.#listeners.add(listener);
  }

  status(): RecorderStatus {
    const now = this.#clock.monotonicMs();
    return recorderStatus(this.#state, this.#feed, this.#buffer, this.#recordings, now);
  }

  /**
   * Ends everything in order: presses so far are answered, the encoder is ended, the open GOP still belongs to the
   * running recording, its last segment is sealed. Resolves true when all of that is durable, false after `deadlineMs`;
   * recovery does the rest then.
   */
  async stopAndClose(deadlineMs: number): Promise<boolean> {
    return await isDoneWithin(this.#clock, this.#close(), deadlineMs);
  }

  async #close(): Promise<void> {
    await this.#desk.settled();
    this.#dispatch({ type: 'close' });
    await this.#feed.stop(FEED_STOP_MS);
    await this.#recordings.finishAll();
    await this.#facts.settled();
    this.#cancelShow();
    this.#wearer.close();
  }

  #onVideo(): VideoFeedEvents {
    return {
      fragment: (fragment, gop) => {
        const keepsSound = this.#settings.isPreEventAudio === true;
        this.#buffer.push(keepsSound ? fragment : withoutSound(fragment));
        this.#moments.push(fragment);
        this.#recordings.add(fragment, gop);
      },
      mayRestart: () => this.#recordings.isIdle && this.#moments.isEmpty,
      up: () => {
        this.#dispatch({ type: 'videoUp' });
      },
      lost: (cause) => {
        this.#dispatch({ type: 'videoLost', cause });
        // Without a recording the change of the mode tells it.
        if (this.#recordings.active) this.#fault('capture/no-video', cause);
      },
      failed: (cause) => {
        this.#dispatch({ type: 'videoFailed', cause });
      },
      gap: (gapMs, cause) => {
        const rec = this.#recordings.active?.rec ?? null;
        this.#facts.record({ type: 'gap', rec, gapMs, cause });
      },
      fault: (error) => {
        this.#fault(error.code, error.message);
      },
    };
  }

  #onPresses(): PressDeskEvents<PressMoment> {
    return {
      moment: ({ at }) => this.#moments.open(at),
      done: (moment) => {
        this.#moments.close(moment);
      },
      gesture: (button, gesture) => this.#onGesture(button, gesture),
      released: (button) => {
        if (button === 'function') this.#dispatch({ type: 'functionRelease' });
      },
      unlogged: ({ isPressed }, { code, message }) => {
        // A recording that runs is worth more than the note that is missing.
        if (this.#recordings.active) this.#fault(code, message);
        else this.#dispatch({ type: 'storageFailed', code, detail: message });
        if (isPressed) this.#ports.indicator.signal('refused');
      },
    };
  }

  #onRecordings(): RecordingsEvents {
    return {
      reached: (step, rec, latencyMs) => {
        this.#listeners.tell((listener) => listener.reached?.(step, rec, latencyMs));
        this.#show();
      },
      sealed: (rec, seq) => {
        this.#listeners.tell((listener) => listener.segmentSealed?.({ rec, seq }));
      },
      stopped: (rec, durationMs) => {
        this.#listeners.tell((listener) => listener.recordingStopped?.({ rec, durationMs }));
      },
      failed: (_rec, error, isActive) => {
        const fault = faultIn(error);
        if (isActive) this.#dispatch({ type: 'storageFailed', ...fault });
        else this.#fault(fault.code, fault.detail);
      },
      queueFull: () => {
        this.#holeCause = 'capture/queue-full';
        this.#fault('capture/queue-full', 'pictures are dropped until the card takes more');
      },
      hole: (rec, gapMs) => {
        this.#facts.record({ type: 'gap', rec, gapMs, cause: this.#holeCause });
        this.#holeCause = 'capture/gop-too-long';
      },
    };
  }

  #lookAt(at: MonotonicMs): Omit<PressMoment, 'later'> {
    const preEvent = this.#buffer.select(this.#settings.preEventMs, this.#feed.position());
    return { at, preEvent };
  }

  async #onGesture(button: PressEdge['button'], gesture: PressGesture): Promise<void> {
    const now = this.#clock.monotonicMs();
    const event = eventOf(button, gesture, {
      pressedAt: this.#desk.momentOf(gesture.press)?.at ?? now,
      now,
      hasFootage: !this.#buffer.isEmpty || this.#feed.openGop !== undefined,
    });
    if (event !== undefined) this.#dispatch(event);
    else if (gesture.type === 'holding' && gesture.press === this.#state.undecided) {
      this.#ports.indicator.signal('holding', gesture.seconds);
    }
    await this.#beginning;
  }

  #dispatch(event: RecorderEvent): void {
    const { policy, postEventMs } = this.#settings;
    const step = stepRecorder(this.#state, event, { ...policy, hasPostEvent: postEventMs > 0 });
    this.#state = step.state;
    for (const effect of step.effects) this.#do(effect);
    this.#show();
  }

  #do(effect: RecorderEffect): void {
    switch (effect.type) {
      case 'begin':
        this.#beginning = this.#begin(effect.press, effect.trigger);
        return;
      case 'mark':
        this.#recordings.mark(this.#desk.momentOf(effect.press)?.at);
        return;
      case 'stop':
        this.#recordings.stop(this.#feed.openGop?.gop);
        return;
      case 'abandon':
        this.#recordings.abandon();
        return;
      case 'armPostEvent':
        this.#cancelPostEvent = this.#clock.after(this.#settings.postEventMs, () => {
          this.#dispatch({ type: 'postEventOver' });
        });
        return;
      case 'cancelPostEvent':
        this.#cancelPostEvent();
        return;
      case 'sleep':
        void this.#feed.sleep(FEED_STOP_MS).then(() => {
          this.#buffer.clear('sleep');
        });
        return;
      case 'wake':
        this.#feed.wake();
        return;
      case 'mute':
      case 'stealth':
      case 'pick':
      case 'category':
      case 'signal':
        this.#wearer.do(effect);
        if (effect.type === 'stealth') this.#show();
        return;
      case 'decide':
        this.#decide(effect.edge, effect.outcome);
        return;
      case 'mode':
        this.#facts.record(effect);
        this.#listeners.tell((listener) => listener.modeChanged?.(effect.mode));
        return;
      case 'fault':
        this.#fault(effect.code, effect.detail);
    }
  }

  #decide(edge: number, outcome: PressOutcome): void {
    const origin = this.#desk.originOf(edge) ?? 'record';
    this.#desk.decide(edge, outcome);
    this.#listeners.tell((listener) => listener.pressDecided?.(outcome, origin));
  }

  async #begin(press: number, trigger: Trigger): Promise<void> {
    const moment = this.#desk.momentOf(press);
    try {
      const rec = await withDeadline(
        this.#clock,
        this.#ports.sink.beginRecording(),
        BEGIN_MS_MAX,
        'beginning a recording',
      );
      const { at, preEvent, later } = moment ?? this.#moments.at(this.#clock.monotonicMs());
      const { segmentMs } = this.#settings;
      const rotation = this.#ports.rotation?.() ?? 0;
      const start = { rec, segmentMs, trigger, preEvent, later, pressedAt: at, rotation };
      this.#recordings.begin(start);
      this.#dispatch({ type: 'begun', press, rec, trigger, at });
      const { askedMs, gotMs, reason } = preEvent;
      const facts = { rec, trigger, preEvent: { askedMs, gotMs, reason } };
      this.#listeners.tell((listener) => listener.recordingStarted?.(facts));
    } catch (error) {
      this.#dispatch({ type: 'beginFailed', press, ...faultIn(error) });
    }
  }

  #lookForRoll(): void {
    if (this.#state.activity !== 'recording') return;
    this.#rollOver.look(this.#settings, () => this.#feed.openGop?.gop);
  }

  #onRollOver(): RollOverEvents {
    return {
      rolled: (rec, from) => {
        this.#facts.record({ type: 'rolled', rec, from });
        this.#dispatch({ type: 'rolled', rec });
        const preEvent = { askedMs: 0, gotMs: 0, reason: 'none' } as const;
        const facts = { rec, trigger: 'roll', preEvent } as const;
        this.#listeners.tell((listener) => listener.recordingStarted?.(facts));
      },
      failed: (error) => {
        const { code, detail } = faultIn(error);
        this.#fault(code, detail);
      },
    };
  }

  /** A card that does not answer is told once; the lights tell it anyway. */
  #watchCard(): void {
    const { isCardSlow } = this.#recordings;
    if (isCardSlow && !this.#hasToldSlowCard) {
      this.#fault('storage/io', `nothing has become durable for ${DURABLE_MS_MAX} ms`);
    }
    this.#hasToldSlowCard = isCardSlow;
  }

  #show(): void {
    this.#lights.show(this.#state, this.#recordings.isDurable);
  }

  #fault(code: ErrorCode, detail: string): void {
    this.#ports.log.warn({ code, detail }, 'fault');
    this.#facts.record({ type: 'fault', code, detail });
    this.#listeners.tell((listener) => listener.faulted?.({ code, detail }));
  }
}

const faultIn = (error: unknown): { readonly code: ErrorCode; readonly detail: string } => ({
  code: isCameraError(error) ? error.code : 'storage/io',
  detail: messageOf(error),
});

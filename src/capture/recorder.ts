import type { Cancel, Clock } from '../clock.js';
import { isCameraError, messageOf, type ErrorCode } from '../errors.js';
import { ticksToMs, type MonotonicMs } from '../units.js';
import { withDeadline } from './deadline.js';
import { FactLog } from './fact-log.js';
import { withoutSound } from './fragments.js';
import { DURABLE_MS_MAX } from './indicator.js';
import type { Fragment, PressEdge } from './ports.js';
import { PreEventBuffer, type BufferLimits, type PreEvent } from './pre-event-buffer.js';
import { PressDesk, type PressDeskEvents, type PressGesture } from './press-desk.js';
import type {
  RecorderListener,
  RecorderPorts,
  RecorderSettings,
  RecorderStatus,
} from './recorder-api.js';
import {
  modeOf,
  startingRecorder,
  stepRecorder,
  type RecorderEffect,
  type RecorderEvent,
} from './recorder-state.js';
import { Recordings, type RecordingsEvents } from './recordings.js';
import { VideoFeed, type VideoFeedEvents } from './video-feed.js';

/** The storage gives a number within a write to its database; the wearer must not wait longer for an answer. */
const BEGIN_MS_MAX = 5000;
/** The encoder is asked to end for this long when the camera closes; a looped source may not hear it in time. */
const FEED_STOP_MS = 1500;
/** The release that belongs to a fall comes after this; longer than any debounce interval (100 ms). */
const FALL_PRESS_MS = 150;
/** How often the lights are compared with the age of the last durable write. */
const SHOW_PERIOD_MS = 250;

/** What is kept of the moment of a press until the log has it and it is decided. */
interface Moment {
  readonly at: MonotonicMs;
  readonly preEvent: PreEvent;
  /** Fragments finished since. */
  readonly later: Fragment[];
  readonly mediaMs: number;
}

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
  readonly #desk: PressDesk<Moment>;
  readonly #feed: VideoFeed;
  readonly #buffer: PreEventBuffer;
  readonly #recordings: Recordings;
  readonly #listeners = new Set<RecorderListener>();
  readonly #moments = new Set<Moment>();
  #state = startingRecorder;
  #beginning: Promise<void> = Promise.resolve();
  #shown = '';
  #hasToldSlowCard = false;
  #holeCause: ErrorCode = 'capture/gop-too-long';
  #cancelPostEvent: Cancel = () => undefined;
  #cancelShow: Cancel = () => undefined;

  constructor(ports: RecorderPorts, settings: RecorderSettings) {
    this.#ports = ports;
    this.#clock = ports.clock;
    this.#settings = settings;
    this.#facts = new FactLog(ports.journal, ports.log);
    this.#buffer = new PreEventBuffer(limitsOf(settings));
    this.#recordings = new Recordings(
      ports.clock,
      ports.sink,
      settings.queueBytesMax,
      {
        isOn: settings.launchWithAudio !== undefined,
        isInPreEvent: settings.isPreEventAudio === true,
      },
      this.#onRecordings(),
    );
    this.#desk = new PressDesk(ports, this.#facts, settings, this.#onPresses());
    const launches = { video: settings.launch, withAudio: settings.launchWithAudio };
    this.#feed = new VideoFeed(ports.clock, ports.video, launches, this.#onVideo());
  }

  /** Starts the encoder and shows the first mode. Once. */
  start(): void {
    this.#feed.start();
    this.#cancelShow = this.#clock.every(SHOW_PERIOD_MS, () => {
      this.#watchCard();
      this.#show();
    });
    this.#show();
  }

  /** An edge of a button, in the turn in which it came. */
  edge(edge: PressEdge): void {
    this.#desk.edge(edge);
  }

  /** The motion sensor felt a fall. It goes into the log as a press of a button of its own. */
  fall(at: MonotonicMs): void {
    this.edge({ button: 'fall', isPressed: true, at });
    this.#clock.after(FALL_PRESS_MS, () => {
      this.edge({ button: 'fall', isPressed: false, at: this.#clock.monotonicMs() });
    });
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
    this.#buffer.setLimits(limitsOf(this.#settings));
  }

  on(listener: RecorderListener): Cancel {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  status(): RecorderStatus {
    const now = this.#clock.monotonicMs();
    const open = this.#feed.openGop;
    const openMs = open ? ticksToMs(open.newest90k - open.start90k) : 0;
    const { active, lastDurableAt, isDurable, waitingBytes } = this.#recordings;
    return {
      mode: modeOf(this.#state),
      rec: active?.rec ?? null,
      recordingMs: active ? now - active.startedAt : 0,
      bufferedMs: this.#buffer.ms + openMs,
      bufferedBytes: this.#buffer.bytes,
      waitingBytes,
      frames: this.#feed.frames,
      runs: this.#feed.runs,
      isDurable,
      lastDurableMsAgo: lastDurableAt === undefined ? null : now - lastDurableAt,
    };
  }

  /**
   * Ends everything in order: presses so far are answered, the encoder is ended, the open GOP still belongs to the
   * running recording, its last segment is sealed. Resolves true when all of that is durable, false after `deadlineMs`;
   * recovery does the rest then.
   */
  async stopAndClose(deadlineMs: number): Promise<boolean> {
    const closed = this.#close().then(() => true);
    return await new Promise((resolve, reject) => {
      const cancel = this.#clock.after(deadlineMs, () => {
        resolve(false);
      });
      closed.finally(cancel).then(resolve, reject);
    });
  }

  async #close(): Promise<void> {
    await this.#desk.settled();
    this.#dispatch({ type: 'close' });
    await this.#feed.stop(FEED_STOP_MS);
    await this.#recordings.finishAll();
    await this.#facts.settled();
    this.#cancelShow();
  }

  #onVideo(): VideoFeedEvents {
    return {
      fragment: (fragment, gop) => {
        const keepsSound = this.#settings.isPreEventAudio === true;
        this.#buffer.push(keepsSound ? fragment : withoutSound(fragment));
        for (const moment of this.#moments) moment.later.push(fragment);
        this.#recordings.add(fragment, gop);
      },
      mayRestart: () => this.#recordings.isIdle && this.#moments.size === 0,
      up: () => {
        this.#dispatch({ type: 'videoUp' });
      },
      lost: (cause) => {
        this.#dispatch({ type: 'videoLost', cause });
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

  #onPresses(): PressDeskEvents<Moment> {
    return {
      moment: ({ at }) => {
        const moment = this.#momentAt(at);
        this.#moments.add(moment);
        return moment;
      },
      done: (moment) => this.#moments.delete(moment),
      gesture: (button, gesture) => this.#onGesture(button, gesture),
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
        this.#tell((listener) => listener.reached?.(step, rec, latencyMs));
        this.#show();
      },
      sealed: (rec, seq) => {
        this.#tell((listener) => listener.segmentSealed?.({ rec, seq }));
      },
      stopped: (rec, durationMs) => {
        this.#tell((listener) => listener.recordingStopped?.({ rec, durationMs }));
      },
      failed: (_rec, error, isActive) => {
        const code = codeOf(error);
        const detail = messageOf(error);
        if (isActive) this.#dispatch({ type: 'storageFailed', code, detail });
        else this.#fault(code, detail);
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

  #momentAt(at: MonotonicMs): Moment {
    const preEvent = this.#buffer.select(this.#settings.preEventMs, this.#feed.position());
    return { at, preEvent, later: [], mediaMs: this.#recordings.mediaMsAt(at) };
  }

  async #onGesture(button: PressEdge['button'], { type, press }: PressGesture): Promise<void> {
    if (button === 'function') {
      if (type === 'press') this.#dispatch({ type: 'functionPress', press });
    } else if (type === 'press') {
      const hasFootage = !this.#buffer.isEmpty || this.#feed.openGop !== undefined;
      this.#dispatch({ type: button === 'fall' ? 'fall' : type, press, hasFootage });
      await this.#beginning;
    } else if (button === 'record') this.#dispatch({ type, press });
  }

  #dispatch(event: RecorderEvent): void {
    const step = stepRecorder(this.#state, event, this.#settings.postEventMs > 0);
    this.#state = step.state;
    for (const effect of step.effects) this.#do(effect);
    this.#show();
  }

  #do(effect: RecorderEffect): void {
    switch (effect.type) {
      case 'begin':
        this.#beginning = this.#begin(effect.press);
        return;
      case 'mark':
        this.#mark(effect.press);
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
      case 'decide':
        this.#desk.decide(effect.edge, effect.outcome);
        this.#tell((listener) => listener.pressDecided?.(effect.outcome));
        return;
      case 'signal':
        this.#ports.indicator.signal(effect.kind);
        return;
      case 'mode':
        this.#facts.record(effect);
        this.#tell((listener) => listener.modeChanged?.(effect.mode));
        return;
      case 'fault':
        this.#fault(effect.code, effect.detail);
    }
  }

  async #begin(press: number): Promise<void> {
    const moment = this.#desk.momentOf(press);
    try {
      const rec = await withDeadline(
        this.#clock,
        this.#ports.sink.beginRecording(),
        BEGIN_MS_MAX,
        'beginning a recording',
      );
      const { at, preEvent, later } = moment ?? this.#momentAt(this.#clock.monotonicMs());
      const { segmentMs } = this.#settings;
      this.#recordings.begin({ rec, segmentMs, preEvent, later, pressedAt: at });
      this.#dispatch({ type: 'begun', press });
      const { askedMs, gotMs, reason } = preEvent;
      const facts = { rec, preEvent: { askedMs, gotMs, reason } };
      this.#tell((listener) => listener.recordingStarted?.(facts));
    } catch (error) {
      const event = { code: codeOf(error), detail: messageOf(error) };
      this.#dispatch({ type: 'beginFailed', press, ...event });
    }
  }

  #mark(press: number): void {
    const moment = this.#desk.momentOf(press);
    if (moment) this.#recordings.mark({ at: moment.at, mediaMs: moment.mediaMs });
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
    const mode = modeOf(this.#state);
    const { isDurable } = this.#recordings;
    const shown = `${mode} ${isDurable}`;
    if (shown === this.#shown) return;
    this.#shown = shown;
    this.#ports.indicator.show(mode, isDurable);
  }

  #fault(code: ErrorCode, detail: string): void {
    this.#ports.log.warn({ code, detail }, 'fault');
    this.#facts.record({ type: 'fault', code, detail });
    this.#tell((listener) => listener.faulted?.({ code, detail }));
  }

  #tell(call: (listener: RecorderListener) => void): void {
    for (const listener of this.#listeners) {
      try {
        call(listener);
      } catch (error) {
        this.#ports.log.error({ error: messageOf(error) }, 'a listener of the recorder failed');
      }
    }
  }
}

const limitsOf = ({ preEventMs, bufferBytesMax }: RecorderSettings): BufferLimits => ({
  ms: preEventMs,
  bytes: bufferBytesMax,
});

const codeOf = (error: unknown): ErrorCode => (isCameraError(error) ? error.code : 'storage/io');

import type { Cancel, Clock } from '../clock.js';
import { CameraError, isCameraError, messageOf } from '../errors.js';
import type { RunEnd, VideoRun, VideoSource } from '../hal/ports/video.js';
import { ticksToMs, type MonotonicMs } from '../units.js';
import {
  beginBitrate,
  BITRATE_WINDOW_MS,
  stepBitrate,
  type BitrateState,
} from './bitrate-watch.js';
import { GdpReader, type AccessUnit } from './gdp-reader.js';
import { gapBetween90k } from './fragments.js';
import { FrameStamper } from './frame-stamper.js';
import { GopFragmenter, type OpenGop } from './gop-fragmenter.js';
import { MicrophoneFeed } from './microphone-feed.js';
import { muxGop, muxInit } from './mp4.js';
import type { Fragment } from './ports.js';
import type { RecorderPorts, RecorderSettings } from './recorder-api.js';
import type { MediaPosition } from './pre-event-buffer.js';
import {
  beginWatch,
  nextTick,
  stepWatch,
  type WatchEffect,
  type WatchEvent,
  type WatchState,
} from './video-watch.js';

export interface VideoFeedEvents {
  /** Every GOP, in order; `gop` counts them over all runs. */
  fragment(fragment: Fragment, gop: number): void;
  /** Pictures are there; there are none; quick restarts have not helped. */
  up(): void;
  lost(cause: string): void;
  failed(cause: string): void;
  /** The first picture after a run ended: how long there was none, and why. */
  gap(gapMs: number, cause: string): void;
  /** `capture/gop-too-long`, `capture/bitrate`, `capture/malformed-stream`, `capture/audio-lost` or `internal/bug`. */
  fault(error: CameraError): void;
  /** Whether a new start of the encoder costs nobody anything now: a lost microphone is tried again then. */
  mayRestart?(): boolean;
}

export type VideoFeedPorts = Pick<RecorderPorts, 'clock' | 'video' | 'frameClock'>;

export type VideoFeedSettings = Pick<
  RecorderSettings,
  'launch' | 'launchWithAudio' | 'bitrateKbps'
>;

/** One run as long as its bytes count. */
interface LiveRun {
  readonly number: number;
  readonly reader: GdpReader;
  handle: VideoRun | undefined;
  /** False after bytes that are no stream of ours: what follows them is ignored. */
  isReadable: boolean;
  /** Why the feed killed it. */
  killCause: string | undefined;
  frames: number;
  bitrate: BitrateState;
}

/**
 * Keeps the encoder alive and turns what it sends into fragments.
 *
 * INVARIANTS
 * 1. One run at a time; the next starts only after the end of the one before.
 * 2. A stream that cannot be read, a stall and a crash all end in a new run; no error of a run leaves this class but as
 *    an event.
 * 3. Bytes are read where they arrive; nothing waits here.
 */
export class VideoFeed {
  readonly #clock: Clock;
  readonly #source: VideoSource;
  readonly #settings: VideoFeedSettings;
  readonly #events: VideoFeedEvents;
  readonly #fragmenter: GopFragmenter;
  readonly #microphone: MicrophoneFeed;
  readonly #stamper: FrameStamper | undefined;
  #watch: WatchState;
  #timer: { readonly due: number; readonly cancel: Cancel } | undefined;
  #run: LiveRun | undefined;
  #runs = 0;
  #frames = 0;
  #lastUnitAt: MonotonicMs | undefined;
  #newest: Fragment | undefined;
  #gapCause: string | undefined;
  #stopping: Promise<void> = Promise.resolve();
  /** Whether the last word was to wake: a stop or a sleep that comes meanwhile takes it back. */
  #isWaking = false;

  constructor(
    { clock, video, frameClock }: VideoFeedPorts,
    settings: VideoFeedSettings,
    events: VideoFeedEvents,
  ) {
    this.#clock = clock;
    this.#source = video;
    this.#stamper = frameClock && new FrameStamper(clock, frameClock);
    this.#settings = settings;
    this.#events = events;
    this.#watch = beginWatch(clock.monotonicMs());
    const fault = (error: CameraError): void => {
      events.fault(error);
    };
    this.#microphone = new MicrophoneFeed(settings.launchWithAudio !== undefined, {
      config: (config) => {
        this.#fragmenter.setAudio(config);
      },
      fault,
    });
    this.#fragmenter = new GopFragmenter(
      muxGop,
      {
        fragment: (fragment, gop) => {
          this.#tellGap(fragment);
          events.fragment(this.#microphone.withSound(fragment), gop);
        },
        fault,
        endlessGop: (cause) => {
          this.#step({ type: 'endlessGop', cause });
        },
      },
      muxInit,
    );
  }

  /** Starts the first run in the next turn. */
  start(): void {
    this.#arm();
  }

  /** Ends the run, killing it after `deadlineMs`; its last GOP has left as a fragment when this resolves. */
  async stop(deadlineMs: number): Promise<void> {
    this.#isWaking = false;
    this.#step({ type: 'off' });
    this.#timer?.cancel();
    await this.#run?.handle?.stop(deadlineMs);
    await this.#fragmenter.settled();
  }

  /** Ends the run as `stop` does, until `wake`. */
  async sleep(deadlineMs: number): Promise<void> {
    this.#stopping = this.stop(deadlineMs).then(() => {
      // What was before the sleep is no past that a press could go back to, and the sleep no gap.
      this.#newest = undefined;
      this.#gapCause = undefined;
      this.#lastUnitAt = undefined;
    });
    await this.#stopping;
  }

  /** Starts again after `sleep`, as soon as the last run has ended: a camera gives its pictures to one at a time. */
  wake(): void {
    this.#isWaking = true;
    void this.#stopping.then(() => {
      if (!this.#isWaking) return;
      this.#isWaking = false;
      this.#watch = beginWatch(this.#clock.monotonicMs());
      this.#timer = undefined;
      this.#arm();
    });
  }

  /** Runs started so far, which is also the number of the newest. */
  get runs(): number {
    return this.#runs;
  }

  /** Access units received so far. */
  get frames(): number {
    return this.#frames;
  }

  get openGop(): OpenGop | undefined {
    return this.#fragmenter.open;
  }

  /** Where a press at this moment goes back from. */
  position(): MediaPosition {
    const at = this.#clock.monotonicMs();
    const open = this.#fragmenter.open;
    const isSilent = open === undefined || this.#watch.isLost;
    const silentMs =
      isSilent && this.#lastUnitAt !== undefined ? Math.max(0, at - this.#lastUnitAt) : 0;
    return { at, open, silentMs };
  }

  #step(event: WatchEvent): void {
    const step = stepWatch(this.#watch, event, this.#clock.monotonicMs());
    this.#watch = step.state;
    for (const effect of step.effects) this.#do(effect);
    this.#arm();
  }

  #do(effect: WatchEffect): void {
    switch (effect.type) {
      case 'start':
        this.#startRun();
        return;
      case 'kill':
        this.#kill(effect.cause);
        return;
      case 'up':
        this.#events.up();
        return;
      case 'lost':
        this.#events.lost(effect.cause);
        return;
      case 'failed':
        this.#events.failed(effect.cause);
    }
  }

  /** A timer that fires too early only looks again, so it is not moved with every picture. */
  #arm(): void {
    const due = nextTick(this.#watch);
    if (due === undefined || (this.#timer && this.#timer.due <= due)) return;
    this.#timer?.cancel();
    const delayMs = Math.max(0, due - this.#clock.monotonicMs());
    const cancel = this.#clock.after(delayMs, () => void this.#tick());
    this.#timer = { due, cancel };
  }

  /** After a pause of the process, bytes that wait in the pipe have their turn before silence is judged. */
  async #tick(): Promise<void> {
    await this.#clock.nextTurn();
    this.#timer = undefined;
    this.#step({ type: 'tick' });
  }

  #startRun(): void {
    this.#runs += 1;
    const run: LiveRun = {
      number: this.#runs,
      reader: new GdpReader(this.#stamper?.forRun()),
      handle: undefined,
      isReadable: true,
      killCause: undefined,
      frames: 0,
      bitrate: beginBitrate,
    };
    this.#run = run;
    this.#fragmenter.startRun(run.number);
    const hasAudio = this.#microphone.startRun(run.number, this.#clock.monotonicMs());
    const { launch, launchWithAudio } = this.#settings;
    try {
      run.handle = this.#source.startRun((hasAudio ? launchWithAudio : undefined) ?? launch, {
        bytes: (chunk) => {
          this.#onBytes(run, chunk);
        },
        audioBytes: (chunk) => {
          this.#microphone.bytes(run.number, chunk, this.#clock.monotonicMs());
        },
        audioEnded: (detail) => {
          this.#microphone.branchEnded(run.number, detail);
        },
        ended: (end) => {
          this.#onEnded(run, end);
        },
      });
    } catch (error) {
      this.#clock.after(0, () => {
        this.#onEnded(run, { reason: 'failed', detail: messageOf(error) });
      });
    }
  }

  #onBytes(run: LiveRun, chunk: Buffer): void {
    if (run !== this.#run || !run.isReadable) return;
    try {
      for (const item of run.reader.push(chunk)) {
        if (item.type === 'format') this.#fragmenter.setFormat(item.format);
        else this.#onUnit(run, item.unit);
      }
    } catch (cause) {
      const error = isCameraError(cause)
        ? cause
        : new CameraError('internal/bug', messageOf(cause), { cause });
      this.#events.fault(error);
      run.isReadable = false;
      this.#kill(`${error.code}: ${error.message}`);
    }
  }

  #onUnit(run: LiveRun, unit: AccessUnit): void {
    const at = this.#clock.monotonicMs();
    this.#fragmenter.push(unit, at);
    run.frames += 1;
    this.#frames += 1;
    this.#lastUnitAt = at;
    this.#watchBitrate(run, unit, at);
    this.#step({ type: 'unit' });
    if (this.#microphone.picture(unit.pts90k, at) && this.#events.mayRestart?.() === true) {
      this.#kill('the microphone is tried again');
    }
  }

  /** Told and no more: an encoder that is started anew would do the same again. */
  #watchBitrate(run: LiveRun, { data }: AccessUnit, at: MonotonicMs): void {
    const { bitrateKbps } = this.#settings;
    if (bitrateKbps === undefined) return;
    const { state, told } = stepBitrate(run.bitrate, { bytes: data.length, at }, bitrateKbps);
    run.bitrate = state;
    if (told === undefined) return;
    const message = `${told} kbit/s for ${BITRATE_WINDOW_MS / 1000} s, ${bitrateKbps} were asked for`;
    this.#events.fault(new CameraError('capture/bitrate', message));
  }

  /**
   * The first GOP of a new run says how long there were no pictures, by the same measure as in the footage. Its first
   * picture would say too much: an encoder hands out what it took in while it started in one go.
   */
  #tellGap(fragment: Fragment): void {
    const before = this.#newest;
    this.#newest = fragment;
    if (this.#gapCause === undefined || before === undefined || before.run === fragment.run) return;
    this.#events.gap(Math.round(ticksToMs(gapBetween90k(before, fragment))), this.#gapCause);
    this.#gapCause = undefined;
  }

  #kill(cause: string): void {
    const run = this.#run;
    if (run === undefined) return;
    run.killCause ??= cause;
    run.handle?.kill();
  }

  #onEnded(run: LiveRun, end: RunEnd): void {
    if (run !== this.#run) return;
    this.#run = undefined;
    this.#fragmenter.endRun();
    const cause = run.killCause ?? end.detail;
    if (run.frames === 0 && this.#watch.phase !== 'off') {
      this.#microphone.endedWithoutPicture(cause, this.#clock.monotonicMs());
    }
    if (run.frames > 0) this.#gapCause = cause;
    this.#step({ type: 'ended', cause });
  }
}

import { CameraError, messageOf } from '../errors.js';
import type { MonotonicMs, Pts90k } from '../units.js';
import { AudioReader } from './audio-reader.js';
import { AUDIO_FRAME_90K } from './audio-track.js';
import {
  audioAtPicture,
  audioBranchEnded,
  audioFailed,
  audioHeard,
  audioRunStarts,
  isAudioRetryDue,
  watchAudio,
  type AudioWatchState,
} from './audio-watch.js';
import type { AudioFrame, Fragment } from './ports.js';
import { RunClock } from './run-clock.js';

export interface MicrophoneEvents {
  /** The AudioSpecificConfig of the run. */
  config(config: Buffer): void;
  /** `capture/audio-lost`, once until there is sound again. */
  fault(error: CameraError): void;
}

/** What a frame is made of was heard during its own time and that of the next. */
const HEARD_90K = 2 * AUDIO_FRAME_90K;
/** A GOP lasts a second, or ten when the encoder misbehaves: frames beyond that are of no picture. */
const FRAMES_WAITING_MAX = 600;

interface AudioRun {
  readonly number: number;
  readonly clock: RunClock;
  /** Undefined without a microphone, and after bytes that are no sound of ours. */
  reader: AudioReader | undefined;
  /** What has come since the newest fragment. */
  frames: AudioFrame[];
}

/**
 * Turns what the microphone sends into frames that wait for the fragment of their time. Whatever is wrong with it costs
 * the sound and no picture.
 */
export class MicrophoneFeed {
  readonly #events: MicrophoneEvents;
  #watch: AudioWatchState;
  #run: AudioRun | undefined;
  /** The run before, whose last fragment may not have come. */
  #before: AudioRun | undefined;

  constructor(isWanted: boolean, events: MicrophoneEvents) {
    this.#watch = watchAudio(isWanted);
    this.#events = events;
  }

  /** Whether the run that starts now has the microphone. */
  startRun(number: number, at: MonotonicMs): boolean {
    this.#watch = audioRunStarts(this.#watch, at);
    const reader = this.#watch.isInRun ? new AudioReader() : undefined;
    this.#before = this.#run;
    this.#run = { number, clock: new RunClock(), reader, frames: [] };
    return this.#watch.isInRun;
  }

  /** Bytes of the run `number`, which arrived at `at`. */
  bytes(number: number, chunk: Buffer, at: MonotonicMs): void {
    const run = this.#run;
    if (run?.number !== number || run.reader === undefined) return;
    try {
      for (const item of run.reader.push(chunk)) {
        if (item.type === 'format') {
          this.#events.config(item.config);
          continue;
        }
        const { data, start90k } = item.packet;
        run.clock.observe(start90k + HEARD_90K, at);
        run.frames.push({ data, start90k, capturedAt: run.clock.at(start90k) });
        if (run.frames.length > FRAMES_WAITING_MAX) run.frames.shift();
        this.#watch = audioHeard(this.#watch);
      }
    } catch (cause) {
      run.reader = undefined;
      this.#fail(messageOf(cause), at);
    }
  }

  branchEnded(number: number, detail: string): void {
    if (this.#run?.number === number) this.#watch = audioBranchEnded(this.#watch, detail);
  }

  /** A picture of the run has arrived. Returns whether a lost microphone is due to be tried again. */
  picture(pts90k: Pts90k, at: MonotonicMs): boolean {
    this.#run?.clock.observe(pts90k, at);
    const { state, lost } = audioAtPicture(this.#watch, at);
    this.#watch = state;
    if (lost !== undefined) this.#events.fault(new CameraError('capture/audio-lost', lost));
    return isAudioRetryDue(state, at);
  }

  /** A run that gave no picture may be the microphone's fault even when nothing says so: the next one goes without. */
  endedWithoutPicture(cause: string, at: MonotonicMs): void {
    if (this.#watch.isInRun) this.#fail(cause, at);
  }

  /** What the microphone gave up to now goes with the fragment whose pictures are complete now. */
  withSound(fragment: Fragment): Fragment {
    const run = [this.#run, this.#before].find((one) => one?.number === fragment.run);
    if (fragment.audio === undefined || run === undefined) return fragment;
    const { frames } = run;
    run.frames = [];
    return { ...fragment, audio: { ...fragment.audio, frames } };
  }

  #fail(cause: string, at: MonotonicMs): void {
    this.#watch = audioFailed(this.#watch, at);
    this.#events.fault(new CameraError('capture/audio-lost', cause));
  }
}

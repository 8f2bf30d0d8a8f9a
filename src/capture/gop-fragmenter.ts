import { CameraError, messageOf } from '../errors.js';
import {
  monotonicMs,
  TICKS_PER_SECOND,
  ticksToMs,
  type MonotonicMs,
  type Pts90k,
} from '../units.js';
import { sameFormat, type AccessUnit } from './gdp-reader.js';
import type { MuxedGop } from './mp4.js';
import { SAMPLES_MAX } from './mp4-boxes.js';
import type { Fragment, VideoFormat } from './ports.js';

/** Longest GOP: a fragment is what a power cut may take, and a pre-event is rounded up to one. */
export const GOP_MS_MAX = 1000;
/** A GOP that is still open after this is one without end: twice what is allowed, and as long as a silence that is a stall. */
export const ENDLESS_GOP_MS = 2000;
/** The open GOP is cut short here, so that an encoder without IDRs cannot fill the memory. 1 s of 1080p has 6 MB at most. */
const GOP_BYTES_MAX = 16 * 1024 * 1024;
/** A run whose pictures stay away for 2 s is killed; a longer step is a broken time stamp. */
const STEP_90K_MAX = 10 * TICKS_PER_SECOND;

/** Where the newest access unit of the open GOP stands. */
export interface OpenGop {
  readonly run: number;
  /** Counts the GOPs of all runs from 1; the fragment made of it carries the same number in `onFragment`. */
  readonly gop: number;
  readonly start90k: Pts90k;
  readonly newest90k: Pts90k;
}

export interface FragmenterEvents {
  /** In the order of the GOPs. */
  fragment(fragment: Fragment, gop: number): void;
  /** A fault that the stream survives: `capture/gop-too-long`, once a run; `internal/bug` when a GOP is lost. */
  fault(error: CameraError): void;
  /** The open GOP has lasted for `ENDLESS_GOP_MS`; once a run. */
  endlessGop(cause: string): void;
}

type MuxGop = (
  units: readonly AccessUnit[],
  format: VideoFormat,
  next90k?: number,
) => Promise<MuxedGop>;

/** Makes the init of a fragment with an audio track beside its pictures. */
type MuxInit = (unit: AccessUnit, format: VideoFormat, audioConfig: Buffer) => Promise<Buffer>;

/** An init with an audio track, and what it was made of. */
interface AudioInit {
  readonly of: Buffer;
  readonly config: Buffer;
  readonly init: Buffer;
}

interface Run {
  readonly run: number;
  format: VideoFormat | undefined;
  audioConfig: Buffer | undefined;
  newest90k: number | undefined;
  hasLongGop: boolean;
  hasEndlessGop: boolean;
}

/**
 * Makes a fragment of each GOP, all the time, recording or not: when a press comes, everything but the open GOP is
 * already an MP4 fragment.
 *
 * INVARIANTS
 * 1. A fragment starts at an IDR, holds one run and one format, and lasts until the next IDR when there is one.
 * 2. Units before the first IDR of a run are dropped; after it none is, unless the open GOP reaches its limit: then the
 *    rest up to the next IDR is dropped, and a fault says so.
 * 3. Memory is the open GOP and what is being muxed.
 */
export class GopFragmenter {
  readonly #mux: MuxGop;
  readonly #muxInit: MuxInit;
  readonly #events: FragmenterEvents;
  #run: Run | undefined;
  #units: AccessUnit[] = [];
  #bytes = 0;
  #gops = 0;
  #arrivedAt = monotonicMs(0);
  #muxing: Promise<void> = Promise.resolve();
  /** The init of the newest fragment: fragments of a run share one, as long as it is the same. */
  #init: Buffer | undefined;
  #audioInit: AudioInit | undefined;

  constructor(mux: MuxGop, events: FragmenterEvents, muxInit: MuxInit) {
    this.#mux = mux;
    this.#muxInit = muxInit;
    this.#events = events;
  }

  /** Ends the run before it, if any, and starts another. Runs are counted from 1. */
  startRun(run: number): void {
    this.endRun();
    this.#run = {
      run,
      format: undefined,
      audioConfig: undefined,
      newest90k: undefined,
      hasLongGop: false,
      hasEndlessGop: false,
    };
  }

  /** From the next fragment of the run on its init has a track for this AudioSpecificConfig. */
  setAudio(config: Buffer): void {
    if (this.#run) this.#run.audioConfig = config;
  }

  /** Throws `capture/malformed-stream` when the format changes within the run. */
  setFormat(format: VideoFormat): void {
    const run = this.#requireRun();
    if (run.format && run.newest90k !== undefined && !sameFormat(run.format, format)) {
      throw new CameraError('capture/malformed-stream', 'the format changed within a run');
    }
    run.format = format;
  }

  /**
   * Takes the next access unit, which arrived at `at`. Throws `capture/malformed-stream` when its time is not after
   * that of the unit before, for the encoder does not reorder pictures, or far after it.
   */
  push(unit: AccessUnit, at: MonotonicMs): void {
    const run = this.#requireRun();
    const step90k = unit.pts90k - (run.newest90k ?? unit.pts90k - 1);
    if (step90k <= 0 || step90k > STEP_90K_MAX) {
      throw new CameraError(
        'capture/malformed-stream',
        `media time went from ${run.newest90k ?? 0} to ${unit.pts90k}`,
      );
    }
    run.newest90k = unit.pts90k;
    if (unit.isIdr) {
      this.#close(unit.pts90k);
      this.#gops += 1;
    } else if (this.#units.length === 0) {
      return;
    }
    this.#units.push(unit);
    this.#bytes += unit.data.length;
    this.#arrivedAt = at;
    this.#watchOpenGop(run);
    if (this.#units.length >= SAMPLES_MAX || this.#bytes >= GOP_BYTES_MAX) {
      this.#faultOnce(`no IDR in ${this.#units.length} pictures; those up to the next are dropped`);
      this.#close();
    }
  }

  /** The open GOP becomes the last fragment of the run; its last unit keeps its own duration. */
  endRun(): void {
    this.#close();
    this.#run = undefined;
  }

  /** The GOP that is being collected; undefined when there is none. */
  get open(): OpenGop | undefined {
    const first = this.#units[0];
    const newest = this.#units.at(-1);
    if (this.#run === undefined || first === undefined || newest === undefined) return undefined;
    const { run } = this.#run;
    return { run, gop: this.#gops, start90k: first.pts90k, newest90k: newest.pts90k };
  }

  /** Resolves when every GOP closed so far has left as a fragment. */
  async settled(): Promise<void> {
    await this.#muxing;
  }

  #requireRun(): Run {
    if (this.#run === undefined) throw new CameraError('internal/bug', 'no run has been started');
    return this.#run;
  }

  /** `next90k` is the time of the IDR that ends the GOP. */
  #close(next90k?: Pts90k): void {
    const units = this.#units;
    const [first] = units;
    if (first === undefined) return;
    const { run, format, audioConfig } = this.#requireRun();
    if (format === undefined) throw new CameraError('internal/bug', 'a unit before its format');
    this.#units = [];
    this.#bytes = 0;
    const end90k = next90k ?? endOf(units);
    this.#checkLength(units, end90k - first.pts90k);
    const facts = {
      run,
      format,
      start90k: first.pts90k,
      duration90k: end90k - first.pts90k,
      frames: units.length,
      arrivedAt: this.#arrivedAt,
    };
    const gop = this.#gops;
    this.#muxing = this.#muxing
      .then(async () => {
        const boxes = await this.#mux(units, format, end90k);
        if (this.#init === undefined || !this.#init.equals(boxes.init)) this.#init = boxes.init;
        if (audioConfig === undefined) {
          this.#events.fragment({ ...facts, ...boxes, init: this.#init }, gop);
        } else {
          const init = await this.#initWithAudio(this.#init, first, format, audioConfig);
          const audio = { config: audioConfig, frames: [] };
          this.#events.fragment({ ...facts, ...boxes, init, audio }, gop);
        }
      })
      .catch((cause: unknown) => {
        const message = `a GOP of run ${run} was lost: ${messageOf(cause)}`;
        this.#events.fault(new CameraError('internal/bug', message, { cause }));
      });
  }

  async #initWithAudio(
    of: Buffer,
    unit: AccessUnit,
    format: VideoFormat,
    config: Buffer,
  ): Promise<Buffer> {
    const before = this.#audioInit;
    if (before?.of === of && before.config.equals(config)) return before.init;
    const init = await this.#muxInit(unit, format, config);
    this.#audioInit = { of, config, init };
    return init;
  }

  /** One frame more than the limit is allowed: the clock of a sensor is not that of the encoder. */
  #checkLength(units: readonly AccessUnit[], length90k: number): void {
    const lengthMs = Math.round(ticksToMs(length90k));
    if (lengthMs <= GOP_MS_MAX + lengthMs / units.length) return;
    this.#faultOnce(`${units.length} pictures in ${lengthMs} ms, ${GOP_MS_MAX} ms are allowed`);
  }

  /** Told while it is open: when it ends, seconds of footage may have hung on it. */
  #watchOpenGop(run: Run): void {
    const first = this.#units[0];
    if (first === undefined || run.newest90k === undefined || run.hasEndlessGop) return;
    if (ticksToMs(run.newest90k - first.pts90k) < ENDLESS_GOP_MS) return;
    run.hasEndlessGop = true;
    const cause = `no IDR for ${ENDLESS_GOP_MS} ms, ${GOP_MS_MAX} ms are allowed`;
    this.#faultOnce(cause);
    this.#events.endlessGop(cause);
  }

  #faultOnce(message: string): void {
    const run = this.#requireRun();
    if (run.hasLongGop) return;
    run.hasLongGop = true;
    this.#events.fault(new CameraError('capture/gop-too-long', message));
  }
}

/** End of the last unit: by its own duration, else by that of the unit before it. */
function endOf(units: readonly AccessUnit[]): number {
  const last = units.at(-1);
  if (last === undefined) return 0;
  const before = units.at(-2);
  const step90k = before ? last.pts90k - before.pts90k : FALLBACK_FRAME_90K;
  return last.pts90k + (last.duration90k > 0 ? last.duration90k : step90k);
}

/** A thirtieth of a second, for the only picture of a run that does not say how long it lasts. */
const FALLBACK_FRAME_90K = TICKS_PER_SECOND / 30;

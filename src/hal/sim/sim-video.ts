import { CameraError } from '../../errors.js';
import type { Cancel, Clock } from '../../clock.js';
import type { RunEnd, RunEvents, VideoRun, VideoSource } from '../ports/video.js';
import {
  audioCapsPacket,
  capsPacket,
  segmentPacket,
  SEGMENT_START_NS,
  unitPacket,
} from './gdp-writer.js';

export interface SimVideoOptions {
  readonly framesPerSecond: number;
  readonly gopFrames: number;
  readonly width: number;
  readonly height: number;
  /** Bytes of every access unit but the IDR, which has `IDR_SCALE` times as many. */
  readonly unitBytes: number;
}

const DEFAULTS: SimVideoOptions = {
  framesPerSecond: 30,
  gopFrames: 30,
  width: 320,
  height: 240,
  unitBytes: 200,
};

const NANOSECONDS_PER_SECOND = 1_000_000_000n;
/** Length, NAL header, run, frame number: what every synthetic access unit begins with. */
const UNIT_BYTES_MIN = 16;
/** An IDR picture is larger than the others. */
const IDR_SCALE = 4;
const IDR_NAL = 0x65;
const SLICE_NAL = 0x41;
/** A record of x264enc, constrained baseline, with its SPS and PPS. */
const AVCC_HEX =
  '0142c015ffe1001b6742c015da0507ec05a830303528000003000800000301e478b17501000468ce3c80';
const AUDIO_CONFIG = Buffer.from('118856e500', 'hex');
const AUDIO_SINK = /\bappsink\b[^!]*\bname=audio\b/;
/** An AAC frame of 1024 samples at 48 kHz. */
const AUDIO_FRAME_NS = 21_333_333n;
/** The first frame comes out when the encoder has looked at two. */
const AUDIO_DELAY_NS = 2n * AUDIO_FRAME_NS;
/** Begins each synthetic AAC frame, so that it can be told from a silent one. */
const AUDIO_MARK = 0xaac0_0000;
const SINK = /\bappsink\b[^!]*\bname=video\b[^!]*$/;

/**
 * An encoder without pictures: a GDP stream of access units at the frame rate, on the clock given. Each unit holds the
 * number of its run and its own number, which never repeats, so that whoever reads it can tell what was lost or
 * doubled. Nothing decodes it.
 */
export class SimVideo implements VideoSource {
  readonly #clock: Clock;
  readonly #options: SimVideoOptions;
  #gopFrames: number;
  #runs = 0;
  #frames = 0;
  #run: SimRun | undefined;
  #isStarting = true;
  #isHearing = true;
  #audioFrames = 0;

  constructor(clock: Clock, options: Partial<SimVideoOptions> = {}) {
    this.#clock = clock;
    this.#options = { ...DEFAULTS, ...options };
    this.#gopFrames = this.#options.gopFrames;
    if (this.#options.unitBytes < UNIT_BYTES_MIN) {
      throw new TypeError(`Expected \`unitBytes\` >= ${UNIT_BYTES_MIN}`);
    }
  }

  /** Access units emitted so far, over all runs. */
  get frames(): number {
    return this.#frames;
  }

  /** Runs started so far. */
  get runs(): number {
    return this.#runs;
  }

  check(launch: string): Promise<void> {
    if (SINK.test(launch)) return Promise.resolve();
    return Promise.reject(new CameraError('hal/pipeline', 'there is no appsink named video'));
  }

  startRun(launch: string, events: RunEvents): VideoRun {
    if (this.#run && !this.#run.isOver) throw new TypeError('One run at a time');
    this.#runs += 1;
    const run = new SimRun(this.#clock, this.#options.framesPerSecond, events, this);
    this.#run = run;
    if (!this.#isStarting) run.end({ reason: 'failed', detail: 'hal/pipeline: no camera' });
    else if (!SINK.test(launch)) run.end({ reason: 'failed', detail: 'hal/pipeline: no sink' });
    else run.begin(this.#head(), AUDIO_SINK.test(launch));
    return run;
  }

  /** The running encoder stays alive and gives nothing more. */
  stall(): void {
    this.#run?.stall();
  }

  /** The running encoder crashes. */
  die(detail = 'killed by SIGKILL'): void {
    this.#run?.end({ reason: 'failed', detail });
  }

  /** The source comes to its end. */
  end(): void {
    this.#run?.end({ reason: 'ended', detail: 'end of stream' });
  }

  /** From the next IDR on a GOP has this many access units. */
  setGopFrames(gopFrames: number): void {
    this.#gopFrames = gopFrames;
  }

  /** While false, every run fails before its first access unit. */
  setStarting(isStarting: boolean): void {
    this.#isStarting = isStarting;
  }

  /** When false, the microphone of the running encoder goes silent for good, and that of each next one while it is. */
  setHearing(isHearing: boolean): void {
    this.#isHearing = isHearing;
  }

  get isHearing(): boolean {
    return this.#isHearing;
  }

  /** What the microphone says before its first frame. */
  audioHead(): Buffer {
    return Buffer.concat([audioCapsPacket(AUDIO_CONFIG), segmentPacket(SEGMENT_START_NS)]);
  }

  /** The next AAC frame: a mark and its own number, which never repeats. Nothing decodes it. */
  nextAudioFrame(): Buffer {
    this.#audioFrames += 1;
    const frame = Buffer.alloc(8);
    frame.writeUInt32BE(AUDIO_MARK, 0);
    frame.writeUInt32BE(this.#audioFrames, 4);
    return frame;
  }

  #head(): Buffer {
    const { width, height } = this.#options;
    return Buffer.concat([
      capsPacket(Buffer.from(AVCC_HEX, 'hex'), width, height),
      segmentPacket(SEGMENT_START_NS),
    ]);
  }

  /** Access units from IDR to IDR in the running encoder. */
  get gopFrames(): number {
    return this.#gopFrames;
  }

  /** The next access unit of the running encoder. */
  nextUnit(isIdr: boolean): Buffer {
    this.#frames += 1;
    const { unitBytes } = this.#options;
    const bytes = isIdr ? IDR_SCALE * unitBytes : unitBytes;
    return syntheticUnit(bytes, isIdr, this.#runs, this.#frames);
  }
}

/** One NAL unit: its length, an IDR or plain slice header, the numbers of run and frame, then filler. */
function syntheticUnit(bytes: number, isIdr: boolean, run: number, frame: number): Buffer {
  const unit = Buffer.alloc(bytes, frame & 0xff);
  unit.writeUInt32BE(bytes - 4, 0);
  unit.writeUInt8(isIdr ? IDR_NAL : SLICE_NAL, 4);
  unit.writeUInt32BE(run, 8);
  unit.writeUInt32BE(frame, 12);
  return unit;
}

class SimRun implements VideoRun {
  readonly #clock: Clock;
  readonly #framesPerSecond: number;
  readonly #events: RunEvents;
  readonly #camera: SimVideo;
  #cancel: Cancel = () => undefined;
  #startedMs = 0;
  #sent = 0;
  #audioSent = 0n;
  #hasAudio = false;
  #inGop = 0;
  isOver = false;

  constructor(clock: Clock, framesPerSecond: number, events: RunEvents, camera: SimVideo) {
    this.#clock = clock;
    this.#framesPerSecond = framesPerSecond;
    this.#events = events;
    this.#camera = camera;
  }

  begin(head: Buffer, hasAudio: boolean): void {
    this.#startedMs = this.#clock.monotonicMs();
    this.#cancel = this.#clock.after(0, () => {
      this.#events.bytes(head);
      this.#hasAudio = hasAudio && this.#camera.isHearing;
      if (this.#hasAudio) this.#events.audioBytes?.(this.#camera.audioHead());
      this.#cancel = this.#clock.every(1000 / this.#framesPerSecond, () => {
        this.#sendDue();
        this.#hasAudio &&= this.#camera.isHearing;
        if (this.#hasAudio) this.#sendAudioDue();
      });
    });
  }

  /** A frame is due when the two that it is made of are over. */
  #sendAudioDue(): void {
    const elapsedNs = BigInt(Math.round((this.#clock.monotonicMs() - this.#startedMs) * 1e6));
    while (this.#audioSent * AUDIO_FRAME_NS + AUDIO_DELAY_NS <= elapsedNs) {
      // The encoder says a frame later than the sound is; see `AudioReader`.
      const ptsNs = SEGMENT_START_NS + (this.#audioSent + 1n) * AUDIO_FRAME_NS;
      this.#audioSent += 1n;
      const frame = this.#camera.nextAudioFrame();
      this.#events.audioBytes?.(unitPacket(frame, ptsNs, AUDIO_FRAME_NS, false));
    }
  }

  /** A late timer sends every frame that is due, as a pipe does after a pause. */
  #sendDue(): void {
    const elapsedMs = this.#clock.monotonicMs() - this.#startedMs;
    const due = Math.floor((elapsedMs * this.#framesPerSecond) / 1000 + 1e-6);
    while (this.#sent < due) {
      const isIdr = this.#sent === 0 || this.#inGop >= this.#camera.gopFrames;
      const unit = this.#camera.nextUnit(isIdr);
      this.#inGop = isIdr ? 1 : this.#inGop + 1;
      const rate = BigInt(this.#framesPerSecond);
      const ptsNs = SEGMENT_START_NS + (BigInt(this.#sent) * NANOSECONDS_PER_SECOND) / rate;
      this.#sent += 1;
      this.#events.bytes(unitPacket(unit, ptsNs, NANOSECONDS_PER_SECOND / rate, !isIdr));
    }
  }

  stall(): void {
    this.#cancel();
  }

  /** Says the end in the next turn; no bytes after this call. */
  end(end: RunEnd): void {
    if (this.isOver) return;
    this.isOver = true;
    this.#cancel();
    this.#clock.after(0, () => {
      this.#events.ended(end);
    });
  }

  async stop(): Promise<void> {
    this.end({ reason: 'stopped', detail: 'stopped on request' });
    await this.#clock.sleep(0);
  }

  kill(): void {
    this.end({ reason: 'failed', detail: 'killed by SIGKILL' });
  }
}

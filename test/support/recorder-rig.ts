import { Recorder } from '../../src/capture/recorder.js';
import { queueBytesFor, type RecorderSettings } from '../../src/capture/recorder-api.js';
import type { RecorderPolicy } from '../../src/capture/recorder-events.js';
import type { PressEdge, Shown } from '../../src/capture/ports.js';
import type { Rotation } from '../../src/capture/rotation.js';
import { SimClock } from '../../src/hal/sim/sim-clock.js';
import { SimVideo, type SimVideoOptions } from '../../src/hal/sim/sim-video.js';
import { createLogger } from '../../src/log.js';
import { MemoryJournal } from './memory-journal.js';
import { MemorySink, type MemorySegment } from './memory-sink.js';

export const SIM_LAUNCH = 'videotestsrc ! appsink name=video';

const MIB = 2 ** 20;

/** Nothing that an agency has to allow. */
export const PLAIN_POLICY: Omit<RecorderPolicy, 'hasPostEvent'> = {
  startsOn: 'press',
  mute: 'off',
  allowsStealth: false,
  allowsSleep: false,
  categories: [],
};

export const RIG_SETTINGS: RecorderSettings = {
  launch: SIM_LAUNCH,
  preEventMs: 10_000,
  postEventMs: 0,
  segmentMs: 5000,
  debounceIntervalMs: 30,
  holdMs: 3000,
  longHoldMs: 8000,
  recordingMsMax: 4 * 3_600_000,
  policy: PLAIN_POLICY,
  bufferBytesMax: 64 * MIB,
  queueBytesMax: queueBytesFor(64 * MIB, 4000),
};

/** A recorder on a stepped clock and a simulated camera, with everything it says kept. */
export class RecorderRig {
  readonly clock = new SimClock();
  readonly video: SimVideo;
  readonly sink = new MemorySink();
  readonly journal = new MemoryJournal();
  readonly shown: string[] = [];
  readonly felt: string[] = [];
  readonly logged: string[] = [];
  readonly recorder: Recorder;
  /** How the camera is worn. */
  rotation: Rotation = 0;

  constructor(
    settings: Partial<RecorderSettings> = {},
    video: Partial<SimVideoOptions> = {},
    onShown: (shown: Shown) => void = () => undefined,
  ) {
    this.video = new SimVideo(this.clock, video);
    this.recorder = new Recorder(
      {
        clock: this.clock,
        video: this.video,
        sink: this.sink,
        journal: this.journal,
        indicator: {
          show: (shown) => {
            onShown(shown);
            const { mode, isDurable, isMuted, isStealthy } = shown;
            const words = [mode, isDurable && 'durable', isMuted && 'muted', isStealthy && 'dark'];
            this.shown.push(words.filter((word) => word !== false).join(' '));
          },
          signal: (kind, n) => this.felt.push(n === undefined ? kind : `${kind} ${n}`),
        },
        log: createLogger('info', { write: (line) => this.logged.push(line) }),
        rotation: () => this.rotation,
      },
      { ...RIG_SETTINGS, ...settings },
    );
  }

  async start(ms = 0): Promise<this> {
    this.recorder.start();
    await this.clock.advance(ms);
    return this;
  }

  /** Lets time pass. */
  async wait(ms: number): Promise<void> {
    await this.clock.advance(ms);
  }

  edge(isPressed: boolean, button: PressEdge['button'] = 'record'): void {
    this.recorder.edge({ button, isPressed, at: this.clock.monotonicMs() });
  }

  /** Presses and releases; returns when the contact has settled. */
  async press(heldMs = 200, button: PressEdge['button'] = 'record'): Promise<void> {
    this.edge(true, button);
    await this.wait(heldMs);
    this.edge(false, button);
    await this.wait(40);
  }

  /** The numbers of the access units in segments, as the simulated camera counted them. */
  frameNumbers(segments: readonly MemorySegment[]): number[] {
    return segments.flatMap((segment) => numbersIn(this.sink.bytesOf(segment)));
  }

  /** The same for a whole recording. */
  framesOf(rec: number): number[] {
    return this.frameNumbers(this.sink.of(rec));
  }
}

/** Reads the frame number of each access unit: see `SimVideo`. */
function numbersIn(bytes: Buffer): number[] {
  const numbers: number[] = [];
  for (let at = 0; at + 8 <= bytes.length;) {
    const size = bytes.readUInt32BE(at);
    if (bytes.toString('latin1', at + 4, at + 8) === 'mdat') {
      for (let unit = at + 8; unit < at + size; unit += 4 + bytes.readUInt32BE(unit)) {
        numbers.push(bytes.readUInt32BE(unit + 12));
      }
    }
    at += size;
  }
  return numbers;
}

/** From `first` to `last`, both in. */
export const range = (first: number, last: number): number[] =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index);

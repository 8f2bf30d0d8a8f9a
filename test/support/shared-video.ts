import { createHash } from 'node:crypto';
import { GdpReader } from '../../src/capture/gdp-reader.js';
import type { Clock } from '../../src/clock.js';
import type { RunEvents, VideoRun, VideoSource } from '../../src/hal/ports/video.js';

/** One picture as it came out of the encoder. */
export interface TappedPicture {
  readonly pts90k: number;
  readonly isIdr: boolean;
  readonly arrivedAt: number;
  /** Of its coded slices: finds it again in a file, whatever else stands beside them there. */
  readonly key: string;
}

interface Listener {
  readonly events: RunEvents;
  /** Undefined until it has had its first IDR. */
  firstPicture: number | undefined;
}

/** GStreamer Data Protocol 1.0: bytes of a header, and where it has the length of the payload and its type. */
const HEADER_BYTES = 62;
const TYPE_AT = 4;
const LENGTH_AT = 6;
const TYPE_BUFFER = 1;

/**
 * One run of an encoder heard by any number of recorders. Whoever starts a run gets caps and segment, and then every packet
 * from the next IDR on: to a recorder that is an encoder that has just started.
 */
export class SharedVideo implements VideoSource {
  readonly pictures: TappedPicture[] = [];
  readonly #clock: Clock;
  readonly #listeners = new Set<Listener>();
  readonly #reader = new GdpReader();
  readonly #prelude: Buffer[] = [];
  readonly #idrWaiters = new Set<() => void>();
  #rest = Buffer.alloc(0);
  #run: VideoRun | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Starts the one run. Once. */
  start(source: VideoSource, launch: string): void {
    this.#run = source.startRun(launch, {
      bytes: (chunk) => {
        this.#take(chunk);
      },
      ended: (end) => {
        for (const { events } of this.#listeners) events.ended(end);
        this.#listeners.clear();
      },
    });
  }

  async stop(deadlineMs: number): Promise<void> {
    await this.#run?.stop(deadlineMs);
  }

  /** Resolves in the turn in which the next IDR has been handed to everybody. */
  nextIdr(): Promise<void> {
    return new Promise((resolve) => this.#idrWaiters.add(resolve));
  }

  check(): Promise<void> {
    return Promise.resolve();
  }

  startRun(_launch: string, events: RunEvents): VideoRun {
    const listener: Listener = { events, firstPicture: undefined };
    this.#listeners.add(listener);
    const leave = (): void => {
      if (this.#listeners.delete(listener)) events.ended({ reason: 'stopped', detail: 'left' });
    };
    return {
      kill: leave,
      stop: () => {
        leave();
        return Promise.resolve();
      },
    };
  }

  #take(chunk: Buffer): void {
    this.#rest = Buffer.concat([this.#rest, chunk]);
    while (this.#rest.length >= HEADER_BYTES) {
      const end = HEADER_BYTES + this.#rest.readUInt32BE(LENGTH_AT);
      if (this.#rest.length < end) return;
      this.#packet(this.#rest.subarray(0, end));
      this.#rest = this.#rest.subarray(end);
    }
  }

  #packet(packet: Buffer): void {
    const isPicture = packet.readUInt16BE(TYPE_AT) === TYPE_BUFFER;
    if (!isPicture) this.#prelude.push(packet);
    let isIdr = false;
    for (const item of this.#reader.push(packet)) {
      if (item.type === 'format') continue;
      const { data, pts90k } = item.unit;
      isIdr = item.unit.isIdr;
      const arrivedAt = this.#clock.monotonicMs();
      this.pictures.push({ pts90k, isIdr, arrivedAt, key: keyOfPicture(data) });
    }
    for (const listener of this.#listeners) {
      if (listener.firstPicture === undefined) {
        if (!isIdr) continue;
        listener.firstPicture = this.pictures.length - 1;
        for (const before of this.#prelude) listener.events.bytes(before);
      }
      listener.events.bytes(packet);
    }
    if (!isIdr) return;
    for (const waiter of this.#idrWaiters) waiter();
    this.#idrWaiters.clear();
  }
}

/** NAL units of coded slices: ITU-T H.264 table 7-1. */
const isSlice = (type: number): boolean => type >= 1 && type <= 5;

/** Recognises an access unit by its slices; each NAL unit has its length of four bytes before it. */
export function keyOfPicture(unit: Buffer): string {
  const hash = createHash('sha256');
  for (let at = 0; at + 4 < unit.length;) {
    const end = at + 4 + unit.readUInt32BE(at);
    if (isSlice(unit.readUInt8(at + 4) & 0x1f)) hash.update(unit.subarray(at + 4, end));
    at = end;
  }
  return hash.digest('base64');
}

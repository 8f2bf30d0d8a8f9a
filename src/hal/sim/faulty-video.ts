import type { RunEvents, VideoRun, VideoSource } from '../ports/video.js';

interface Life {
  isStalled: boolean;
  run: VideoRun | undefined;
}

/** A video source that can be made to fail: everything else is the source it stands in front of. */
export class FaultyVideo implements VideoSource {
  readonly #source: VideoSource;
  #present: Life | undefined;

  constructor(source: VideoSource) {
    this.#source = source;
  }

  check(launch: string): Promise<void> {
    return this.#source.check(launch);
  }

  startRun(launch: string, events: RunEvents): VideoRun {
    const life: Life = { isStalled: false, run: undefined };
    this.#present = life;
    life.run = this.#source.startRun(launch, {
      bytes: (chunk) => {
        if (!life.isStalled) events.bytes(chunk);
      },
      audioBytes: (chunk) => {
        if (!life.isStalled) events.audioBytes?.(chunk);
      },
      audioEnded: (detail) => events.audioEnded?.(detail),
      ended: (end) => {
        if (this.#present === life) this.#present = undefined;
        events.ended(end);
      },
    });
    return life.run;
  }

  /** Ends the present run as a crash of the encoder would. False when there is none. */
  kill(): boolean {
    const life = this.#present;
    life?.run?.kill();
    return life !== undefined;
  }

  /**
   * Lets the present run go silent, as encoders do: no byte and no error comes any more, until somebody ends the run.
   * The next run is sound. False when there is none.
   */
  stall(): boolean {
    const life = this.#present;
    if (life !== undefined) life.isStalled = true;
    return life !== undefined;
  }
}

/** Why a run of the encoder is over. */
export interface RunEnd {
  /** `stopped` on request, `ended` at the end of the source, `failed` for a crash or an error on the bus. */
  readonly reason: 'stopped' | 'ended' | 'failed';
  /** One line for the log: exit code, signal, and the last error of the pipeline. */
  readonly detail: string;
}

/** Callbacks of one run. They only validate and enqueue; they never throw. */
export interface RunEvents {
  /**
   * Bytes of a GStreamer Data Protocol 1.0 stream (what `gdppay` writes), in order and without loss, cut anywhere.
   * The buffer belongs to the callee.
   */
  bytes(chunk: Buffer): void;
  /** The same for AAC frames, when the launch line has a branch that ends in `appsink name=audio`. */
  audioBytes?(chunk: Buffer): void;
  /** That branch has ended, at the latest with the run; `detail` says why as far as it is known. Pictures go on. */
  audioEnded?(detail: string): void;
  /** Exactly once; no bytes follow. */
  ended(end: RunEnd): void;
}

/** One life of the encoder. Media times of two runs are unrelated. */
export interface VideoRun {
  /** Process that does the work, where there is one: for measurements and tests. */
  readonly pid?: number | undefined;
  /** Asks for the end of the stream and kills the run when it has not ended in `deadlineMs`. Resolves after `ended`. */
  stop(deadlineMs: number): Promise<void>;
  /** Ends the run at once, without asking. For a run that stalls. Idempotent. */
  kill(): void;
}

/**
 * A live H.264 encoder: avc stream format, access-unit alignment, one GDP buffer per access unit, a caps packet with
 * the avcC record and a segment event before the first one.
 * Silence is not reported: whoever starts a run watches the time between access units.
 */
export interface VideoSource {
  /**
   * Resolves when the launch line can be built on this machine. Rejects with `hal/no-element` naming the element that is
   * missing, `hal/no-binding`, or `hal/pipeline`.
   */
  check(launch: string): Promise<void>;
  /**
   * Starts a run from a GStreamer launch line whose last element is `appsink name=video`; before it may stand a second
   * branch that ends in `appsink name=audio`. An error in that branch ends only the branch, once there are pictures.
   * The time zone of its elements is UTC. One run at a time.
   */
  startRun(launch: string, events: RunEvents): VideoRun;
}

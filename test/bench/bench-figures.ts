/** What bench-camera prints. CPU in percent of one core, times in milliseconds, sizes in bytes. */
export interface CameraFigures {
  readonly cpuBuffering: { readonly runtime: number; readonly child: number };
  readonly cpuRecording: { readonly runtime: number; readonly child: number };
  /** One for each press, the first of the process first. */
  readonly firstDurableMs: readonly number[];
  readonly preEventDurableMs: readonly number[];
  readonly preEventGotMs: readonly number[];
  readonly loopMs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly rss: { readonly runtime: number; readonly child: number };
  readonly bufferBytes: number;
}

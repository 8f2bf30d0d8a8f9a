/** Knows how long the event loop of this process was held up. */
export interface LoopMonitor {
  /** The longest hold-up since the last call, in milliseconds; below 50 ms it may be an older one. */
  takeLongestMs(): number;
  close(): void;
}

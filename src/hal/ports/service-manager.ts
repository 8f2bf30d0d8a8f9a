/**
 * Who has started this program and starts it again when it dies or hangs. Every call returns at once and none throws:
 * a camera records whether or not somebody hears of it. Nothing happens when nobody listens.
 */
export interface ServiceManager {
  /** Says that the camera works, with one line for people. From now on the manager hears regularly that we live. */
  ready(status: string): void;
  /** Replaces the line for people. */
  status(text: string): void;
  /** Says that the program is about to end by itself. */
  stopping(): void;
  /** Ends the signs of life. Resolves when the last words are delivered or given up. */
  close(): Promise<void>;
}

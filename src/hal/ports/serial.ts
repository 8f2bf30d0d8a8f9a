import type { CameraError } from '../../errors.js';

export interface SerialEvents {
  /** Bytes as they come, cut anywhere. */
  bytes(chunk: Buffer): void;
  /**
   * At most once, with `hal/disconnected`. Not every adapter notices an unplugged line, so whoever reads also
   * watches for silence.
   */
  closed(error: CameraError): void;
}

export interface SerialLine {
  /** Resolves when the bytes are handed to the line. Rejects with `hal/disconnected` when it is closed or gone. */
  write(bytes: Buffer): Promise<void>;
  /** No event is delivered afterwards; the line can be opened again. Idempotent. */
  close(): Promise<void>;
}

export interface SerialPort {
  /** Rejects with `hal/disconnected` when there is no such line, with `hal/busy` while it is open. */
  open(path: string, baudRate: number, events: SerialEvents): Promise<SerialLine>;
}

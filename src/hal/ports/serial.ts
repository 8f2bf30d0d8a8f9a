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
  write(bytes: Buffer): Promise<void>;
  close(): Promise<void>;
}

export interface SerialPort {
  open(path: string, baudRate: number, events: SerialEvents): Promise<SerialLine>;
}

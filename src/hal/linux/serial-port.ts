import type * as SerialPackage from 'serialport';
import { realpath, stat } from 'node:fs/promises';
import type { SerialPort as Port } from 'serialport';
import type { Cancel, Clock } from '../../clock.js';
import { CameraError, messageOf } from '../../errors.js';
import type { SerialEvents, SerialLine, SerialPort } from '../ports/serial.js';

/** A tty opens in milliseconds; a USB one that is being pulled at that moment may take seconds, or for ever. */
const OPEN_MS_MAX = 5_000;
/** The kernel takes 4 KiB at once; at 9600 baud they leave in about 4 s, so a line that takes longer is stuck. */
const WRITE_MS_MAX = 5_000;
/** Closing waits for bytes on their way out (30 s for a stuck USB line): nobody waits that long for them. */
const CLOSE_MS_MAX = 2_000;
/**
 * serialport 13 does not always tell that a line was pulled (2 of 16 runs under load), so every second it is looked
 * whether the device file is still the one that was opened.
 */
const PRESENCE_MS = 1_000;
/** Bytes that may wait to be written: more than any command of a receiver, and no flood. */
const WRITE_BYTES_MAX = 1 << 16;

/** Serial lines of the machine with the package serialport. */
export class LinuxSerial implements SerialPort {
  readonly #clock: Clock;
  /** Device files that are open, whichever name they were opened by. */
  readonly #open = new Set<string>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  async open(path: string, baudRate: number, events: SerialEvents): Promise<SerialLine> {
    if (!(Number.isInteger(baudRate) && baudRate > 0)) {
      throw new RangeError(`Expected baudRate to be a whole number above 0, got ${baudRate}`);
    }
    const device = await realpath(path).catch((error: unknown) => {
      throw new CameraError('hal/disconnected', `there is no ${path}`, { cause: error });
    });
    if (this.#open.has(device)) throw new CameraError('hal/busy', `${path} is open already`);
    this.#open.add(device);
    const release = (): void => {
      this.#open.delete(device);
    };
    try {
      const identity = await identityOf(path);
      const port = await openPort(path, baudRate, this.#clock);
      return new LinuxSerialLine({ path, identity, port, events, clock: this.#clock, release });
    } catch (error) {
      release();
      throw error;
    }
  }
}

/** Which device a path leads to now; undefined when to none. A receiver that is plugged again is another device. */
const identityOf = (path: string): Promise<string | undefined> =>
  stat(path).then(
    ({ rdev, ino, dev }) => `${dev} ${ino} ${rdev}`,
    () => undefined,
  );

async function openPort(path: string, baudRate: number, clock: Clock): Promise<Port> {
  const { SerialPort: Serial } = await loadPackage();
  const port = new Serial({ path, baudRate, autoOpen: false });
  return new Promise((resolve, reject) => {
    let isLate = false;
    const cancel = clock.after(OPEN_MS_MAX, () => {
      isLate = true;
      reject(new CameraError('hal/bus', `${path} does not open in ${OPEN_MS_MAX} ms`));
    });
    port.open((error) => {
      cancel();
      if (error) reject(openFault(path, error));
      else if (isLate) port.close();
      else resolve(port);
    });
  });
}

/** serialport puts the error of the system into its text only. */
function openFault(path: string, cause: Error): CameraError {
  const text = `${path}: ${cause.message}`;
  if (/lock|busy/i.test(cause.message)) return new CameraError('hal/busy', text, { cause });
  const hint = /permission/i.test(cause.message) ? ' (is this user in group dialout?)' : '';
  return new CameraError('hal/disconnected', `${text}${hint}`, { cause });
}

async function loadPackage(): Promise<typeof SerialPackage> {
  try {
    return await import('serialport');
  } catch (error) {
    throw new CameraError('hal/no-binding', 'serialport cannot be loaded', { cause: error });
  }
}

interface Bench {
  readonly path: string;
  readonly identity: string | undefined;
  readonly port: Port;
  readonly events: SerialEvents;
  readonly clock: Clock;
  readonly release: () => void;
}

/**
 * INVARIANTS
 * 1. `closed` is called at most once, and nothing after it or after `close`.
 * 2. Every write settles: when the bytes are handed over, when the line ends, or after `WRITE_MS_MAX`.
 * 3. The device file is given back once, when the port is closed or does not close in time.
 */
class LinuxSerialLine implements SerialLine {
  readonly #bench: Bench;
  readonly #cancelPresence: Cancel;
  readonly #pending = new Set<(error: CameraError) => void>();
  #closing: Promise<void> | undefined;

  constructor(bench: Bench) {
    this.#bench = bench;
    const { port, events, clock } = bench;
    const lose = (error?: unknown): void => {
      this.#lose(error);
    };
    port.on('data', (chunk: Buffer) => {
      if (this.#closing === undefined) events.bytes(chunk);
    });
    // Never removed: an error event without a listener would end the process.
    port.on('error', lose).on('close', lose).on('end', lose);
    this.#cancelPresence = clock.every(PRESENCE_MS, () => void this.#checkPresence());
  }

  write(bytes: Buffer): Promise<void> {
    const { port, path, clock } = this.#bench;
    if (this.#closing !== undefined || !port.isOpen) return Promise.reject(this.#gone());
    if (port.writableLength + bytes.length > WRITE_BYTES_MAX) {
      return Promise.reject(new CameraError('hal/busy', `${path} takes no more bytes for now`));
    }
    return new Promise((resolve, reject) => {
      const settle = (error?: CameraError): void => {
        cancel();
        this.#pending.delete(settle);
        if (error === undefined) resolve();
        else reject(error);
      };
      const cancel = clock.after(WRITE_MS_MAX, () => {
        settle(new CameraError('hal/disconnected', `${path} takes no bytes`));
      });
      this.#pending.add(settle);
      port.write(bytes, (error) => {
        settle(error ? this.#gone(error) : undefined);
      });
    });
  }

  close(): Promise<void> {
    return this.#end(this.#gone());
  }

  #lose(error: unknown): void {
    if (this.#closing !== undefined) return;
    const fault = this.#gone(error);
    void this.#end(fault);
    this.#bench.events.closed(fault);
  }

  #end(fault: CameraError): Promise<void> {
    this.#closing ??= this.#closePort();
    for (const settle of [...this.#pending]) settle(fault);
    return this.#closing;
  }

  async #closePort(): Promise<void> {
    const { port, clock, release } = this.#bench;
    this.#cancelPresence();
    if (port.isOpen) {
      await new Promise<void>((resolve) => {
        const cancel = clock.after(CLOSE_MS_MAX, resolve);
        // An error means that there was nothing left to close.
        port.close(() => {
          cancel();
          resolve();
        });
      });
    }
    release();
  }

  async #checkPresence(): Promise<void> {
    const { path, identity, port } = this.#bench;
    if (port.isOpen && (await identityOf(path)) === identity) return;
    this.#lose(new Error('its device file is gone'));
  }

  #gone(cause?: unknown): CameraError {
    const why = cause instanceof Error ? `: ${messageOf(cause)}` : '';
    return new CameraError('hal/disconnected', `${this.#bench.path} is closed or gone${why}`, {
      cause,
    });
  }
}

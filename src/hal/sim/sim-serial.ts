import { CameraError } from '../../errors.js';
import type { SerialEvents, SerialLine, SerialPort } from '../ports/serial.js';

/** One serial line of the simulated machine, and who has it open. */
interface Cable {
  reader: SerialEvents | undefined;
  baudRate: number | undefined;
  readonly written: Buffer[];
  /** False once it was pulled without anybody noticing. */
  isIntact: boolean;
}

/** Serial lines in memory. Bytes fed are delivered within the call, in one piece, or cut as asked. */
export class SimSerial implements SerialPort {
  readonly #cables = new Map<string, Cable>();

  /** Makes a line that can be opened, as plugging a USB receiver in does. */
  plug(path: string): void {
    this.#cables.set(path, { reader: undefined, baudRate: undefined, written: [], isIntact: true });
  }

  /**
   * Pulls the line out. With `isNoticed` false the reader hears nothing, neither bytes nor the end, as happens with real
   * adapters; its writes fail all the same.
   */
  unplug(path: string, { isNoticed }: { readonly isNoticed: boolean } = { isNoticed: true }): void {
    const cable = this.#cables.get(path);
    this.#cables.delete(path);
    if (cable === undefined) return;
    const { reader } = cable;
    cable.isIntact = false;
    cable.reader = undefined;
    if (isNoticed) reader?.closed(new CameraError('hal/disconnected', `${path} is gone`));
  }

  /** Sends bytes to whoever has the line open, cut into pieces of `chunkBytes`. Nobody: they are lost. */
  feed(path: string, bytes: Buffer | string, chunkBytes = Infinity): void {
    const all = Buffer.from(bytes);
    const { reader } = this.#cable(path);
    for (let start = 0; start < all.length; start += chunkBytes) {
      reader?.bytes(Buffer.from(all.subarray(start, start + chunkBytes)));
    }
  }

  /** Everything that was written to the line since it was plugged. */
  written(path: string): Buffer {
    return Buffer.concat(this.#cable(path).written);
  }

  /** The speed the line is open at; undefined while it is closed. */
  baudRate(path: string): number | undefined {
    return this.#cable(path).baudRate;
  }

  async open(path: string, baudRate: number, events: SerialEvents): Promise<SerialLine> {
    if (!(Number.isInteger(baudRate) && baudRate > 0)) {
      throw new RangeError(`Expected baudRate to be a whole number above 0, got ${baudRate}`);
    }
    await Promise.resolve();
    const cable = this.#cable(path);
    if (cable.reader !== undefined) throw new CameraError('hal/busy', `${path} is open already`);
    cable.reader = events;
    cable.baudRate = baudRate;
    return new SimSerialLine(path, cable, events);
  }

  #cable(path: string): Cable {
    const cable = this.#cables.get(path);
    if (cable === undefined) throw new CameraError('hal/disconnected', `there is no ${path}`);
    return cable;
  }
}

class SimSerialLine implements SerialLine {
  readonly #path: string;
  readonly #cable: Cable;
  readonly #events: SerialEvents;
  #isClosed = false;

  constructor(path: string, cable: Cable, events: SerialEvents) {
    this.#path = path;
    this.#cable = cable;
    this.#events = events;
  }

  async write(bytes: Buffer): Promise<void> {
    await Promise.resolve();
    if (this.#isClosed || !this.#cable.isIntact) {
      throw new CameraError('hal/disconnected', `${this.#path} is closed or gone`);
    }
    this.#cable.written.push(Buffer.from(bytes));
  }

  close(): Promise<void> {
    this.#isClosed = true;
    if (this.#cable.reader === this.#events) {
      this.#cable.reader = undefined;
      this.#cable.baudRate = undefined;
    }
    return Promise.resolve();
  }
}

import test from 'ava';
import type { ExecutionContext } from 'ava';
import type { CameraError } from '../../src/errors.js';
import type { SerialEvents, SerialPort } from '../../src/hal/ports/serial.js';
import { eventually } from './eventually.js';

/** A serial adapter with a hand on the other end of one line. */
export interface SerialRig {
  readonly port: SerialPort;
  readonly path: string;
  /** A path where no line is. */
  readonly missingPath: string;
  /** Sends bytes to the adapter. */
  feed(bytes: Buffer): void | Promise<void>;
  /** Everything the adapter has sent. */
  written(): Buffer | Promise<Buffer>;
  /** Pulls the line out. */
  unplug(): void | Promise<void>;
}

const BAUD_RATE = 9600;

class Recorder implements SerialEvents {
  readonly chunks: Buffer[] = [];
  readonly errors: CameraError[] = [];

  bytes(chunk: Buffer): void {
    this.chunks.push(chunk);
  }

  closed(error: CameraError): void {
    this.errors.push(error);
  }

  get all(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

/** What every SerialPort promises. `makeRig` gives each test a rig of its own and takes it down with `t.teardown`. */
export function serialContract(
  name: string,
  makeRig: (t: ExecutionContext) => SerialRig | Promise<SerialRig>,
): void {
  const contract = (
    title: string,
    body: (t: ExecutionContext, rig: SerialRig) => Promise<void>,
  ) => {
    test.serial(`${name}: ${title}`, async (t) => {
      await body(t, await makeRig(t));
    });
  };

  contract('bytes arrive unchanged and in order', async (t, rig) => {
    const events = new Recorder();
    const line = await rig.port.open(rig.path, BAUD_RATE, events);
    const bytes = Buffer.from(Array.from({ length: 1000 }, (_, index) => index % 256));
    await rig.feed(bytes.subarray(0, 10));
    await rig.feed(bytes.subarray(10));
    await eventually(t, '1000 bytes', () => events.all.length >= bytes.length);
    t.deepEqual(events.all, bytes);
    await line.close();
  });

  contract('written bytes leave unchanged and in order', async (t, rig) => {
    const line = await rig.port.open(rig.path, BAUD_RATE, new Recorder());
    await line.write(Buffer.from([0, 0x0a, 0x0d]));
    await line.write(Buffer.from([0xff, 0x11, 0x13]));
    await eventually(t, '6 bytes', async () => (await rig.written()).length >= 6);
    t.deepEqual(await rig.written(), Buffer.from([0, 0x0a, 0x0d, 0xff, 0x11, 0x13]));
    await line.close();
  });

  contract('a line that is open cannot be opened again until it is closed', async (t, rig) => {
    const line = await rig.port.open(rig.path, BAUD_RATE, new Recorder());
    await t.throwsAsync(rig.port.open(rig.path, BAUD_RATE, new Recorder()), { code: 'hal/busy' });
    await line.close();
    const events = new Recorder();
    const again = await rig.port.open(rig.path, BAUD_RATE, events);
    await rig.feed(Buffer.from('x'));
    await eventually(t, 'a byte on the second life', () => events.all.length === 1);
    await again.close();
  });

  contract('a closed line says nothing more and takes nothing more', async (t, rig) => {
    const events = new Recorder();
    const line = await rig.port.open(rig.path, BAUD_RATE, events);
    await line.close();
    await line.close();
    const second = new Recorder();
    const again = await rig.port.open(rig.path, BAUD_RATE, second);
    await rig.feed(Buffer.from('x'));
    await eventually(t, 'a byte for the new reader', () => second.all.length === 1);
    t.is(events.all.length, 0);
    t.is(events.errors.length, 0);
    await t.throwsAsync(line.write(Buffer.from('x')), { code: 'hal/disconnected' });
    await again.close();
  });

  contract('a line that is pulled closes once, as disconnected', async (t, rig) => {
    const events = new Recorder();
    await rig.port.open(rig.path, BAUD_RATE, events);
    await rig.unplug();
    await eventually(t, 'the end', () => events.errors.length > 0);
    t.deepEqual(
      events.errors.map(({ code }) => code),
      ['hal/disconnected'],
    );
  });

  contract('a line that is not there is disconnected', async (t, rig) => {
    const open = rig.port.open(rig.missingPath, BAUD_RATE, new Recorder());
    await t.throwsAsync(open, { code: 'hal/disconnected' });
  });
}

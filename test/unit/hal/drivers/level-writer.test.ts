import test from 'ava';
import { LevelWriter } from '../../../../src/hal/drivers/level-writer.js';
import type { OutputLine } from '../../../../src/hal/ports/gpio.js';

/** An output line whose writes finish when the test says so. */
class SlowLine implements OutputLine {
  readonly writes: boolean[] = [];
  isClosed = false;
  #finish: ((fault?: Error) => void) | undefined;

  write(isActive: boolean): Promise<void> {
    if (this.#finish !== undefined) throw new Error('two writes at once');
    this.writes.push(isActive);
    return new Promise((resolve, reject) => {
      this.#finish = (fault) => {
        this.#finish = undefined;
        if (fault === undefined) resolve();
        else reject(fault);
      };
    });
  }

  close(): Promise<void> {
    this.isClosed = true;
    return Promise.resolve();
  }

  /** Ends the write under way and lets everything that waits for it run. */
  async finish(fault?: Error): Promise<void> {
    this.#finish?.(fault);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const noFault = (error: unknown): void => {
  throw error;
};

test('a level that was replaced before its turn is left out', async (t) => {
  const line = new SlowLine();
  const writer = new LevelWriter(line, noFault);
  writer.set(true);
  writer.set(false);
  writer.set(true);
  writer.set(false);
  t.deepEqual(line.writes, [true]);
  await line.finish();
  t.deepEqual(line.writes, [true, false]);
  await line.finish();
  t.deepEqual(line.writes, [true, false]);
});

test('the level that the line has already is not written', async (t) => {
  const line = new SlowLine();
  const writer = new LevelWriter(line, noFault);
  writer.set(false);
  t.deepEqual(line.writes, []);
  writer.set(true);
  await line.finish();
  writer.set(true);
  t.deepEqual(line.writes, [true]);
});

test('a level set in the turn in which the last write ends is not lost', async (t) => {
  const line = new SlowLine();
  const writer = new LevelWriter(line, noFault);
  writer.set(true);
  const done = line.finish();
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
  writer.set(false);
  await done;
  t.deepEqual(line.writes, [true, false]);
});

test('a write that fails is told, and the next call tries again', async (t) => {
  const line = new SlowLine();
  const faults: unknown[] = [];
  const writer = new LevelWriter(line, (error) => faults.push(error));
  const fault = new Error('stuck');
  writer.set(true);
  await line.finish(fault);
  t.deepEqual(faults, [fault]);
  writer.set(true);
  t.deepEqual(line.writes, [true, true]);
  await line.finish();
});

test('a newer level is tried at once after a write that failed', async (t) => {
  const line = new SlowLine();
  const writer = new LevelWriter(line, () => undefined);
  writer.set(true);
  writer.set(false);
  await line.finish(new Error('stuck'));
  t.deepEqual(line.writes, [true, false]);
  await line.finish();
});

test('closing waits for the inactive level, then closes the line', async (t) => {
  const line = new SlowLine();
  const writer = new LevelWriter(line, noFault);
  writer.set(true);
  const closing = writer.close();
  await line.finish();
  t.false(line.isClosed);
  await line.finish();
  await closing;
  t.deepEqual(line.writes, [true, false]);
  t.true(line.isClosed);
});

test('a line that cannot be brought to rest is closed all the same', async (t) => {
  const line = new SlowLine();
  const faults: unknown[] = [];
  const writer = new LevelWriter(line, (error) => faults.push(error));
  writer.set(true);
  await line.finish();
  const closing = writer.close();
  await line.finish(new Error('stuck'));
  await closing;
  t.is(faults.length, 1);
  t.true(line.isClosed);
});

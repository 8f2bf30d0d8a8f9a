import { readSync, openSync, closeSync } from 'node:fs';
import { Worker, isMainThread, parentPort, workerData } from 'node:worker_threads';

// The eye on a light: a thread of its own looks at the level of a line all the time and notes when it changes.

/** How often it looks; a wink lasts 100 ms. */
const LOOK_MS = 2;

export interface LightChange {
  /** Milliseconds of CLOCK_MONOTONIC. */
  readonly at: number;
  readonly isHigh: boolean;
}

interface WatchTask {
  readonly file: string;
  readonly stop: Int32Array<SharedArrayBuffer>;
}

/**
 * Looks at the level in `file`, `0` or `1`, from when this resolves until the function it gives is called, which resolves
 * with every change. The first is the level that was there. Without waiting for it, what happens while the thread starts,
 * which takes a second or more in a guest, would be seen by nobody.
 */
export async function watchLight(file: string): Promise<() => Promise<readonly LightChange[]>> {
  const stop = new Int32Array(new SharedArrayBuffer(4));
  const task: WatchTask = { file, stop };
  const worker = new Worker(new URL(import.meta.url), { workerData: task });
  await new Promise((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  const changes = new Promise<readonly LightChange[]>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
  });
  changes.catch(() => undefined);
  return () => {
    Atomics.store(stop, 0, 1);
    Atomics.notify(stop, 0);
    return changes;
  };
}

function look({ file, stop }: WatchTask): LightChange[] {
  const changes: LightChange[] = [];
  const level = Buffer.alloc(1);
  let last: boolean | undefined;
  parentPort?.postMessage('looking');
  while (Atomics.wait(stop, 0, 0, LOOK_MS) === 'timed-out') {
    // Opened anew each time: the file of gpio-sim is read from its beginning only once.
    const fd = openSync(file, 'r');
    readSync(fd, level, 0, 1, 0);
    closeSync(fd);
    const isHigh = level.toString() === '1';
    if (isHigh !== last) changes.push({ at: Number(process.hrtime.bigint()) / 1e6, isHigh });
    last = isHigh;
  }
  return changes;
}

if (!isMainThread) parentPort?.postMessage(look(workerData as WatchTask));

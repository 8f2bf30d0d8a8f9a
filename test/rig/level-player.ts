import { closeSync, openSync, writeSync } from 'node:fs';
import os from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';

// The thread behind Rig.play: writes words to a file at times. It may block, which is what keeps its times.

/** A word, and how long to wait before it is written. */
export interface PlayerStep {
  readonly afterMs: number;
  readonly word: string;
}

export interface PlayerTask {
  readonly file: string;
  readonly steps: readonly PlayerStep[];
}

/** A hand waits for nobody. As root only: without it the hand is late more often, which a test tells. */
function goFirst(): void {
  try {
    // On Linux this is the priority of the calling thread alone.
    os.setPriority(os.constants.priority.PRIORITY_HIGHEST);
  } catch {
    // Not permitted.
  }
}

const nowMs = (): number => Number(process.hrtime.bigint()) / 1e6;

function play({ file, steps }: PlayerTask): number[] {
  const never = new Int32Array(new SharedArrayBuffer(4));
  const fd = openSync(file, 'w');
  let due = nowMs();
  const times = steps.map(({ afterMs, word }) => {
    due += afterMs;
    const waitMs = due - nowMs();
    if (waitMs > 0) Atomics.wait(never, 0, 0, waitMs);
    // Late for once must not make the pauses after it shorter: they are what the test is about.
    due = Math.max(due, nowMs());
    const at = nowMs();
    writeSync(fd, word, 0);
    return at;
  });
  closeSync(fd);
  return times;
}

goFirst();
parentPort?.postMessage(play(workerData as PlayerTask));

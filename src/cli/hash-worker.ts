import { closeSync, openSync, readSync } from 'node:fs';
import { parentPort, workerData } from 'node:worker_threads';
import { messageOf } from '../errors.js';
import { LeafHasher } from '../evidence/leaf-scan.js';
import type { LeafLayout } from '../evidence/leaf-scan.js';

// One thread of the hash pool: takes files, hashes their leaves, one after the other. It reads with blocking calls, for it
// has nothing else to do, and a trip through the event loop for each piece would cost more than the piece.

/** What a thread is asked. */
export interface HashTask {
  readonly id: number;
  readonly path: string;
  readonly layout: LeafLayout;
}

/** What it answers. */
export type HashAnswer =
  | { readonly id: number; readonly hashes: Uint8Array; readonly bytes: number }
  | { readonly id: number; readonly failure: string };

/** Large enough that system calls do not count, small enough to stay in the cache of the processor. */
const PIECE_BYTES = 256 * 1024;

function hash({ path, layout }: HashTask, piece: Buffer, count: (bytes: number) => void) {
  const file = openSync(path, 'r');
  try {
    const hasher = new LeafHasher(layout);
    for (;;) {
      const length = readSync(file, piece, 0, piece.length, null);
      if (length === 0) return hasher.end();
      hasher.push(piece.subarray(0, length));
      count(length);
    }
  } finally {
    closeSync(file);
  }
}

function serve(port: NonNullable<typeof parentPort>, shared: SharedArrayBuffer): void {
  const piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
  const counter = new BigInt64Array(shared);
  port.on('message', (task: HashTask) => {
    try {
      const { hashes, bytes } = hash(task, piece, (length) => {
        Atomics.add(counter, 0, BigInt(length));
      });
      port.postMessage({ id: task.id, hashes, bytes } satisfies HashAnswer);
    } catch (error) {
      const failure = `cannot read ${task.path}: ${messageOf(error)}`;
      port.postMessage({ id: task.id, failure } satisfies HashAnswer);
    }
  });
}

if (parentPort !== null) serve(parentPort, workerData as SharedArrayBuffer);

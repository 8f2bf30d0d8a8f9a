import { Worker } from 'node:worker_threads';
import { CameraError, messageOf } from '../errors.js';
import type { LeafLayout, LeafScan } from '../evidence/leaf-scan.js';
import type { HashAnswer, HashTask } from './hash-worker.js';

/** A disk that gives no byte for so long gives none any more; a sleeping one is awake after 15 s. */
const PATIENCE_MS = 60_000;
/** Digests are small and die young: more room for them would only be filled before it is emptied. */
const YOUNG_MB = 4;
/** How often the progress of the threads is looked at. */
const LOOK_MS = 200;

interface Job {
  readonly task: HashTask;
  readonly done: (scan: LeafScan) => void;
  readonly failed: (error: CameraError) => void;
}

/**
 * Hashes the leaves of files on threads of its own, a file a thread. A thread holds one piece of its file and 32 bytes a
 * leaf. `close` must be called.
 *
 * INVARIANTS
 * 1. Every scan settles: with its hashes, or with `storage/io` when the file cannot be read, a thread dies, nothing is
 *    read for a minute, or the pool is closed.
 * 2. A file that failed does not keep the others from being hashed; a thread that died ends the pool.
 */
export class HashPool {
  readonly #counter = new SharedArrayBuffer(BigInt64Array.BYTES_PER_ELEMENT);
  readonly #idle: Worker[] = [];
  readonly #all: Worker[] = [];
  readonly #running = new Map<Worker, Job>();
  readonly #queue: Job[] = [];
  readonly #onBytes: (bytes: number) => void;
  readonly #timer: NodeJS.Timeout;
  #next = 0;
  #seen = 0;
  #quietMs = 0;
  #ended: CameraError | undefined;

  /** `threads` of them. `onBytes` is told a few times a second how many bytes were hashed since the last time. */
  constructor(threads: number, onBytes: (bytes: number) => void = () => undefined) {
    this.#onBytes = onBytes;
    for (let n = 0; n < threads; n += 1) this.#start();
    this.#timer = setInterval(() => {
      this.#look();
    }, LOOK_MS);
    this.#timer.unref();
  }

  /** Hashes the leaves of the file. Rejects with `storage/io`. */
  scan(path: string, layout: LeafLayout): Promise<LeafScan> {
    if (this.#ended !== undefined) return Promise.reject(this.#ended);
    return new Promise((done, failed) => {
      this.#next += 1;
      this.#queue.push({ task: { id: this.#next, path, layout }, done, failed });
      this.#assign();
    });
  }

  /** Ends the threads; a scan that still runs rejects. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    this.#end(new CameraError('storage/io', 'the hash pool was closed'));
    await Promise.allSettled(this.#all.map((worker) => worker.terminate()));
  }

  #start(): void {
    const workerData = this.#counter;
    const worker = new Worker(new URL('./hash-worker.js', import.meta.url), {
      workerData,
      resourceLimits: { maxYoungGenerationSizeMb: YOUNG_MB },
    });
    worker.on('message', (answer: HashAnswer) => {
      this.#take(worker, answer);
    });
    worker.on('error', (error) => {
      this.#end(new CameraError('storage/io', `a hash thread died: ${messageOf(error)}`));
    });
    this.#all.push(worker);
    this.#idle.push(worker);
  }

  #assign(): void {
    while (this.#idle.length > 0) {
      const job = this.#queue.shift();
      if (job === undefined) return;
      const worker = this.#idle.pop();
      if (worker === undefined) return;
      this.#running.set(worker, job);
      worker.postMessage(job.task);
    }
  }

  #take(worker: Worker, answer: HashAnswer): void {
    const job = this.#running.get(worker);
    if (job?.task.id !== answer.id) return;
    this.#running.delete(worker);
    this.#idle.push(worker);
    this.#look();
    if ('failure' in answer) job.failed(new CameraError('storage/io', answer.failure));
    else {
      const { buffer, byteOffset, byteLength } = answer.hashes;
      job.done({ hashes: Buffer.from(buffer, byteOffset, byteLength), bytes: answer.bytes });
    }
    this.#assign();
  }

  #look(): void {
    const bytes = Number(Atomics.load(new BigInt64Array(this.#counter), 0));
    if (bytes > this.#seen) {
      this.#onBytes(bytes - this.#seen);
      this.#seen = bytes;
      this.#quietMs = 0;
      return;
    }
    this.#quietMs = this.#running.size === 0 ? 0 : this.#quietMs + LOOK_MS;
    if (this.#quietMs < PATIENCE_MS) return;
    this.#end(new CameraError('storage/io', `no byte could be read for ${PATIENCE_MS / 1000} s`));
  }

  #end(reason: CameraError): void {
    this.#ended ??= reason;
    for (const { failed } of [...this.#running.values(), ...this.#queue]) failed(reason);
    this.#running.clear();
    this.#queue.length = 0;
  }
}

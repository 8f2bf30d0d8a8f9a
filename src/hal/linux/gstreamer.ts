import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import path from 'node:path';
import { Readable } from 'node:stream';
import { CameraError } from '../../errors.js';
import type { RunEnd, RunEvents, VideoRun, VideoSource } from '../ports/video.js';
import { AUDIO_FD, EXIT_CODES, OUTPUT_FD, audioBranch, errorCodeOf } from './gstreamer-protocol.js';

const CHILD = path.join(import.meta.dirname, 'gstreamer-child.js');
/** Each pull and the bus hold a thread of the libuv pool for good; the default of 4 would leave too few for the rest. */
const CHILD_THREADS = '16';
/** Building a pipeline takes a third of a second, on a cold Pi with its plugin registry to make several. */
const CHECK_TIMEOUT_MS = 30_000;
/** GLib can be chatty; the last lines tell what happened. */
const NOISE_LENGTH_MAX = 4096;

/** GStreamer in a child process of its own, through the gstreamer-superficial binding. */
export class GStreamerSource implements VideoSource {
  /**
   * Builds the pipeline once without playing it. Rejects with `hal/no-binding`, `hal/no-element` naming the element,
   * or `hal/pipeline` for any other fault of the launch line.
   */
  async check(launch: string): Promise<void> {
    const child = spawnChild(['--check', launch], ['ignore', 'ignore', 'pipe']);
    const noise = listen(child);
    const timer = setTimeout(() => child.kill('SIGKILL'), CHECK_TIMEOUT_MS);
    const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
    clearTimeout(timer);
    if (code === EXIT_CODES.good) return;
    // The binding says the same first, with its own prefix.
    const lastWords = noise().split('; ').at(-1) ?? '';
    throw new CameraError(
      errorCodeOf(code),
      lastWords === '' ? 'the capture child did not start' : lastWords,
    );
  }

  startRun(launch: string, events: RunEvents): VideoRun {
    const hasAudio = audioBranch(launch) !== undefined;
    const outputs = hasAudio ? (['pipe', 'pipe'] as const) : (['pipe'] as const);
    const child = spawnChild([launch], ['pipe', 'ignore', 'pipe', ...outputs]);
    const noise = listen(child);
    let isStopping = false;
    let spawnError: Error | undefined;
    const output = child.stdio[OUTPUT_FD];
    if (!(output instanceof Readable)) {
      throw new CameraError('internal/bug', 'no pipe to the child');
    }
    output.on('data', (chunk: Buffer) => {
      events.bytes(chunk);
    });
    const audio = child.stdio[AUDIO_FD];
    if (audio instanceof Readable) {
      audio.on('data', (chunk: Buffer) => events.audioBytes?.(chunk));
      audio.on('end', () => events.audioEnded?.(noise()));
      audio.on('error', () => undefined);
    }
    // A broken pipe is the end of the child, which `close` tells.
    output.on('error', () => undefined);
    child.stdin?.on('error', () => undefined);
    const ended = new Promise<void>((resolve) => {
      child.once('error', (error) => (spawnError = error));
      child.once('close', (code, signal) => {
        const detail = describe({ code, signal, spawnError, noise: noise() });
        events.ended({ reason: reasonOf(isStopping, code), detail });
        resolve();
      });
    });
    return {
      pid: child.pid,
      kill: () => {
        child.kill('SIGKILL');
      },
      stop: async (deadlineMs) => {
        isStopping = true;
        child.kill('SIGTERM');
        const timer = setTimeout(() => child.kill('SIGKILL'), deadlineMs);
        await ended;
        clearTimeout(timer);
      },
    };
  }
}

type Stdio = readonly ('ignore' | 'pipe')[];

const spawnChild = (words: readonly string[], stdio: Stdio): ChildProcess =>
  spawn(process.execPath, [CHILD, ...words], {
    stdio: [...stdio],
    // What the child writes into pictures is UTC, wherever the camera is.
    env: { ...process.env, UV_THREADPOOL_SIZE: CHILD_THREADS, TZ: 'UTC' },
  });

/** Collects what the child says on standard error; the function returned gives its last lines as one. */
function listen({ stderr }: ChildProcess): () => string {
  let text = '';
  stderr?.setEncoding('utf8').on('data', (piece: string) => {
    text = (text + piece).slice(-NOISE_LENGTH_MAX);
  });
  return () => text.trim().replace(/\s*\n\s*/g, '; ');
}

function reasonOf(isStopping: boolean, code: number | null): RunEnd['reason'] {
  if (isStopping) return 'stopped';
  return code === EXIT_CODES.good ? 'ended' : 'failed';
}

function describe(end: {
  code: number | null;
  signal: NodeJS.Signals | null;
  spawnError: Error | undefined;
  noise: string;
}): string {
  const how =
    end.spawnError?.message ??
    (end.signal === null ? `exit code ${end.code ?? 'none'}` : `signal ${end.signal}`);
  const code =
    end.code !== null && end.code !== EXIT_CODES.good ? `${errorCodeOf(end.code)}: ` : '';
  return end.noise === '' ? `${code}${how}` : `${code}${end.noise} (${how})`;
}

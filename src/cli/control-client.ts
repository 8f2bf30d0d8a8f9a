import { connect } from 'node:net';
import type { Clock } from '../clock.js';
import { CameraError } from '../errors.js';
import { formatRequest, LINE_BYTES_MAX, parseResponse } from './control-messages.js';
import type { ControlRequest } from './control-messages.js';
import { LineReader } from './line-reader.js';
import { checkSocketPath, saysNobody } from './socket-path.js';

/** How long a command waits for its answer, unless it says otherwise. */
export const ANSWER_TIMEOUT_MS = 5_000;

/**
 * Sends one request to the camera that listens at `path` and resolves to its result. Rejects with the error of the handler,
 * `cli/not-running` when nobody listens, `cli/no-answer` when no answer came in `timeoutMs` or it is not understood.
 */
export async function sendControl(
  path: string,
  request: ControlRequest,
  clock: Clock,
  timeoutMs = ANSWER_TIMEOUT_MS,
): Promise<unknown> {
  checkSocketPath(path);
  return parseResponse(await exchange(path, formatRequest(request), clock, timeoutMs));
}

/** Sends a line and resolves to the line that comes back. */
function exchange(path: string, line: string, clock: Clock, timeoutMs: number): Promise<string> {
  const socket = connect(path);
  const answer = new Promise<string>((resolve, reject) => {
    const fail = (code: 'cli/no-answer' | 'cli/not-running', why: string, cause?: Error): void => {
      reject(new CameraError(code, why, { cause }));
    };
    const lines = new LineReader(LINE_BYTES_MAX);
    const cancel = clock.after(timeoutMs, () => {
      fail('cli/no-answer', `no answer within ${timeoutMs / 1000} s`);
    });
    socket.on('close', cancel);
    socket.on('connect', () => {
      socket.write(line);
    });
    socket.on('data', (chunk: Buffer) => {
      const complete = lines.push(chunk);
      if (complete === undefined) fail('cli/no-answer', 'the answer is too long');
      else if (complete[0] !== undefined) resolve(complete[0]);
    });
    socket.on('end', () => {
      fail('cli/no-answer', 'the camera ended the connection');
    });
    socket.on('error', (error) => {
      if (saysNobody(error)) fail('cli/not-running', `no camera at ${path}`, error);
      else fail('cli/no-answer', `${path}: ${error.message}`, error);
    });
  });
  return answer.finally(() => socket.destroy());
}

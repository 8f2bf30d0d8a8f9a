import { connect } from 'node:net';
import { CameraError, systemCode } from '../errors.js';

/** `sun_path` of Linux holds 108 bytes with its final zero (unix(7)); longer names are cut without a word. */
export const PATH_BYTES_MAX = 107;

/** Throws `cli/usage` for a path that no socket can have. */
export function checkSocketPath(path: string): void {
  if (Buffer.byteLength(path) <= PATH_BYTES_MAX) return;
  throw new CameraError(
    'cli/usage',
    `the path of a socket has at most ${PATH_BYTES_MAX} bytes, give a shorter --data than ${path}`,
  );
}

/** Whether an error of `connect` says that no process listens: nothing there, or a socket left by a dead process. */
export const saysNobody = (error: unknown): boolean =>
  ['ENOENT', 'ECONNREFUSED'].includes(systemCode(error) ?? '');

/** Whether a process may be listening at `path`. Any doubt counts as yes. */
export function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path);
    const finish = (isIt: boolean): void => {
      socket.destroy();
      resolve(isIt);
    };
    socket.on('connect', () => {
      finish(true);
    });
    socket.on('error', (error) => {
      finish(!saysNobody(error));
    });
  });
}

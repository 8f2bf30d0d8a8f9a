import { execFile } from 'node:child_process';
import { CameraError, systemCode } from '../errors.js';

/** Wide enough to recognise a person in print, 20 to 40 kB each. */
const WIDTH_PX = 480;
/** ffmpeg's scale from 2 (best) to 31. */
const QUALITY = 5;
/** A seek into an MP4 with its table of contents decodes one GOP; a disk that sleeps included. */
const PICTURE_MS_MAX = 20_000;
const PICTURE_BYTES_MAX = 4 * 1024 * 1024;
/** The last picture lasts at least so long at 15 pictures a second: nothing is found after it. */
const END_MS = 67;

/** Rejects with `cli/no-tool` when there is no ffmpeg on this machine. */
export async function checkFfmpeg(): Promise<void> {
  await runFfmpeg(['-version']);
}

/**
 * The picture of an MP4 at a moment as a JPEG, turned as players turn it; undefined when it cannot be decoded.
 * Rejects with `cli/no-tool` when there is no ffmpeg.
 */
export async function takePicture(
  mp4: string,
  atMs: number,
  durationMs: number,
): Promise<Buffer | undefined> {
  const seconds = Math.max(0, Math.min(atMs, durationMs - END_MS)) / 1_000;
  const jpeg = await runFfmpeg([
    ...['-v', 'error', '-nostdin', '-ss', seconds.toFixed(3), '-i', `file:${mp4}`],
    ...['-map', '0:v:0', '-frames:v', '1', '-vf', `scale='min(${WIDTH_PX},iw)':-2`],
    ...['-q:v', `${QUALITY}`, '-f', 'mjpeg', '-'],
  ]);
  return jpeg === undefined || jpeg.length === 0 ? undefined : jpeg;
}

/** What it writes; undefined when it fails or takes too long. */
function runFfmpeg(args: readonly string[]): Promise<Buffer | undefined> {
  const options = {
    encoding: 'buffer' as const,
    timeout: PICTURE_MS_MAX,
    maxBuffer: PICTURE_BYTES_MAX,
    killSignal: 'SIGKILL' as const,
  };
  return new Promise((resolve, reject) => {
    execFile('ffmpeg', [...args], options, (error, stdout) => {
      if (error === null) resolve(stdout);
      else if (systemCode(error) !== 'ENOENT') resolve(undefined);
      else reject(new CameraError('cli/no-tool', 'there is no ffmpeg', { cause: error }));
    });
  });
}

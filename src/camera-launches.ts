import { launchLine, launchLineWithAudio, type CameraParts } from './capture/pipeline.js';
import type { Config } from './config/config.js';
import { messageOf } from './errors.js';
import type { Board } from './hal/board.js';
import type { Logger } from './log.js';

/** Launch lines of a camera: without its microphone and, where there is one, with it. */
export interface Launches {
  readonly video: string;
  readonly withAudio?: string | undefined;
}

/**
 * The launch lines of the board, built once. Rejects with the fault of the camera's; an overlay or a microphone whose line
 * cannot be built is left out, and that is logged: pictures count more.
 */
export async function checkedLaunches(
  board: Board,
  config: Config,
  log: Logger,
): Promise<Launches> {
  const { microphone, video } = board;
  const camera = await checkedCamera(board, config, log);
  const launches = { video: launchLine(camera) };
  if (microphone !== undefined && config.audio) {
    const { source } = microphone;
    const bitrateKbps = config.audioBitrateKbps;
    const withAudio = launchLineWithAudio(camera, { source, bitrateKbps });
    try {
      await video.check(withAudio);
      return { ...launches, withAudio };
    } catch (error) {
      const detail = messageOf(error);
      log.warn({ code: 'capture/audio-lost', detail }, 'the microphone cannot be used');
    }
  }
  await video.check(launches.video);
  return launches;
}

/** The camera, with its overlay when that is wanted and can be had. */
async function checkedCamera(
  { camera, video }: Board,
  { overlay, deviceId, wearer }: Config,
  log: Logger,
): Promise<CameraParts> {
  if (!overlay) return camera;
  const words = wearer === null ? [deviceId] : [deviceId, wearer];
  const written = { ...camera, overlay: words.join(' ') };
  const line = launchLine(written);
  try {
    await video.check(line);
    return written;
  } catch (error) {
    log.warn({ detail: messageOf(error) }, 'the overlay cannot be used');
    return camera;
  }
}

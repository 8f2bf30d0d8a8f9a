import { launchLine, launchLineWithAudio } from './capture/pipeline.js';
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
 * The launch lines of the board, built once. Rejects with the fault of the camera's; a microphone whose line cannot be
 * built is left out, and that is logged: pictures count more.
 */
export async function checkedLaunches(
  { camera, microphone, video }: Board,
  { audio, audioBitrateKbps }: Config,
  log: Logger,
): Promise<Launches> {
  const launches = { video: launchLine(camera) };
  if (microphone !== undefined && audio) {
    const { source } = microphone;
    const withAudio = launchLineWithAudio(camera, { source, bitrateKbps: audioBitrateKbps });
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

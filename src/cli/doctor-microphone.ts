import { AudioReader } from '../capture/audio-reader.js';
import { launchLineWithAudio } from '../capture/pipeline.js';
import { CameraError, messageOf } from '../errors.js';
import type { Board } from '../hal/board.js';

/** The bit rate changes nothing of what is looked at. */
const BITRATE_KBPS = 64;
const LISTEN_MS = 4000;
const STOP_MS = 1000;
/** Half of what 48,000 samples a second give, 1024 a frame: a start takes up to a second. */
const FRAMES_MIN = (LISTEN_MS / 1000) * 48_000 * (1 / 1024) * 0.5;

/**
 * Runs the camera with its microphone for 4 s and counts frames of sound; whether anything is heard in them no program
 * can say. Rejects with `capture/audio-lost` when there are too few, and as `VideoSource.check` does.
 */
export async function lookAtMicrophone(
  { camera, video, clock }: Pick<Board, 'camera' | 'video' | 'clock'>,
  source: string,
): Promise<string> {
  const launch = launchLineWithAudio(camera, { source, bitrateKbps: BITRATE_KBPS });
  await video.check(launch);
  const reader = new AudioReader();
  let frames = 0;
  let failure = '';
  const run = video.startRun(launch, {
    bytes: () => undefined,
    audioBytes: (chunk) => {
      try {
        frames += reader.push(chunk).filter(({ type }) => type === 'packet').length;
      } catch (error) {
        failure ||= messageOf(error);
      }
    },
    audioEnded: (detail) => (failure ||= detail),
    ended: () => undefined,
  });
  await clock.sleep(LISTEN_MS);
  const heard = frames;
  const cause = failure;
  await run.stop(STOP_MS);
  if (heard >= FRAMES_MIN) {
    return `${heard} frames of sound in ${LISTEN_MS / 1000} s; hear it yourself in a recording`;
  }
  const detail = cause === '' ? `only ${heard} frames in ${LISTEN_MS / 1000} s` : cause;
  throw new CameraError('capture/audio-lost', detail);
}

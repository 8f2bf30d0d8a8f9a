import type { CameraClock } from './camera-clock.js';
import type { CameraMetadata } from './camera-metadata.js';
import type { CameraMounting } from './camera-mounting.js';
import type { Launches } from './camera-launches.js';
import type { CameraIndicator } from './camera-indicator.js';
import { queueBytesFor } from './capture/recorder-api.js';
import { Recorder } from './capture/recorder.js';
import type { Config } from './config/config.js';
import { CameraError } from './errors.js';
import type { Board } from './hal/board.js';
import type { Logger } from './log.js';
import type { Card } from './storage/card.js';

/** An encoder may exceed its bit rate for a while: half as much again. */
const BITRATE_RESERVE = 1.5;

/** Held for so long, the function button is no slip: the camera sleeps without its pre-event. */
const SLEEP_HOLD_MS = 8000;

/**
 * A pre-event that does not fit into the memory set aside for it would silently come out shorter. Throws
 * `board/memory-budget` with both figures.
 */
export function checkMemory({ file, camera }: Board, { preEventMs }: Config): void {
  const bytes = camera.bitrateKbps * (1000 / 8) * (preEventMs / 1000) * BITRATE_RESERVE;
  const { preEventBytesMax } = file.memory;
  if (bytes <= preEventBytesMax) return;
  const mib = (value: number): string => (value / 1024 / 1024).toFixed(1);
  throw new CameraError(
    'board/memory-budget',
    `${preEventMs} ms of pre-event at ${camera.bitrateKbps} kbit/s take up to ${mib(bytes)} MiB, the board allows ${mib(preEventBytesMax)} MiB`,
  );
}

/** What a camera knows beside its pictures. */
export interface CameraFacts {
  readonly time: CameraClock;
  readonly metadata: CameraMetadata;
  readonly mounting: CameraMounting;
}

/** The recorder of a camera, as its board and its configuration want it. */
export function makeRecorder(
  board: Board,
  card: Card,
  log: Logger,
  config: Config,
  launches: Launches,
  indicator: CameraIndicator,
  { time, mounting }: CameraFacts,
): Recorder {
  const { preEventBytesMax } = board.file.memory;
  return new Recorder(
    {
      clock: board.clock,
      video: board.video,
      sink: card.recordings,
      journal: card.journal,
      indicator,
      log: log.child({ part: 'capture' }),
      frameClock: config.frameTime ? time : undefined,
      rotation: () => mounting.rotation,
    },
    {
      launch: launches.video,
      launchWithAudio: launches.withAudio,
      isPreEventAudio: config.preEventAudio,
      bitrateKbps: board.camera.bitrateKbps,
      preEventMs: config.preEventMs,
      postEventMs: config.postEventMs,
      segmentMs: config.segmentMs,
      holdMs: config.stopHoldMs,
      longHoldMs: Math.max(SLEEP_HOLD_MS, config.stopHoldMs + 1000),
      recordingMsMax: config.recordingMsMax,
      policy: {
        startsOn: config.startGesture,
        mute: config.mute,
        allowsStealth: config.stealth === 'allowed',
        allowsSleep: config.sleep === 'allowed',
        categories: config.categories,
      },
      debounceIntervalMs: board.file.buttons.record.debounceIntervalMs,
      bufferBytesMax: preEventBytesMax,
      queueBytesMax: queueBytesFor(preEventBytesMax, board.camera.bitrateKbps),
    },
  );
}

import { launchLine, type CameraParts } from '../../src/capture/pipeline.js';

/** A small live picture that differs from frame to frame, in software. */
export const TEST_CAMERA: CameraParts = {
  source: 'videotestsrc is-live=true pattern=ball',
  width: 320,
  height: 240,
  framesPerSecond: 30,
  format: 'I420',
  encoder: 'x264enc',
  bitrateKbps: 1000,
  gopFrames: 30,
  threads: 1,
};

/** The launch line of a camera for tests. */
export const testLaunch = (fields: Partial<CameraParts> = {}): string =>
  launchLine({ ...TEST_CAMERA, ...fields });
